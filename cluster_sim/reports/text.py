"""Numbers, and parts of a step, as people say them."""

#: Parts of a step, in a few letters each, and their columns of the summary.
STEP_PARTS = (
    ("compute", "compute_s"), ("tp", "exposed_tp_s"), ("cp", "exposed_cp_s"), ("ep", "exposed_ep_s"),
    ("pp", "exposed_pp_s"), ("dp", "exposed_dp_s"), ("bubble", "bubble_s"), ("switch", "switching_s"),
    ("optim", "optimizer_s"),
)  # fmt: skip

#: One of each kind of node, and several.
_NODES = {
    "endpoint": ("accelerator", "accelerators"), "scale_up_switch": ("scale-up switch", "scale-up switches"),
    "leaf": ("leaf", "leaves"), "spine": ("spine", "spines"), "core": ("core switch", "core switches"),
}  # fmt: skip
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def engineering(value: float | None, unit: str, digits: int = 3) -> str:
    """``12.3 MW``; a dash for None."""
    if value is None:
        return "-"
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale * (1 - 0.5 * 10.0**-digits):
            return f"{value / scale:.{digits}g} {prefix}{unit}".rstrip()
    return f"{value:.{digits}g} {unit}".rstrip()


def seconds(value: float | None) -> str:
    """Step times with enough digits to tell ties from differences."""
    return "-" if value is None else f"{value:.4f} s"


def percent(value: float | None, digits: int = 1) -> str:
    """``43.1 %``."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def plural(kind: str, num: int) -> str:
    """A kind of node, one of tables.NODE_KINDS, as people call ``num`` of it."""
    return _NODES.get(kind, (kind.upper(), kind.upper()))[num != 1]
