"""What tables call accelerators and networks, in terms of the catalogue."""

from cluster_sim.catalogue import accelerator

#: Accelerators that tables name, and their catalogue entries; each entry goes by its own name, too.
CATALOGUED = {
    "a100": "a100-80gb",
    "a100-40gb": "a100-40gb",
    "a100-80gb": "a100-80gb",
    "b200": "b200-sxm",
    "b200-sxm": "b200-sxm",
    "b300": "b300-sxm",
    "b300-sxm": "b300-sxm",
    "gb200": "gb200-nvl72",
    "gb200-nvl72": "gb200-nvl72",
    "gb300": "gb300-nvl72",
    "gb300-nvl72": "gb300-nvl72",
    "gh200": "h100-sxm",
    "h100": "h100-sxm",
    "h100-sxm": "h100-sxm",
    "h200": "h200-sxm",
    "h200-sxm": "h200-sxm",
    "h800": "h800-sxm",
    "h800-sxm": "h800-sxm",
}
#: Accelerators that are known, and why collectives over their links cannot be simulated.
WITHOUT_LINKS = {
    "h100-pcie": "NVLink bridges between pairs are not in the catalogue",
    "h800": "no collectives over its cut-down NVLink were measured",
    "h800-sxm": "no collectives over its cut-down NVLink were measured",
    "mi300x": "xGMI and RCCL are not in the catalogue",
}
#: Accelerators whose links have no switches between them: their entry of "nccl scale-up".
_WITHOUT_SWITCHES = {"gh200": "nccl-nvlink4-direct"}
#: Kinds of network, each with words that tell it; the first that is found counts.
_NETWORKS = (
    ("nccl-tcpxo", ("tcpxo",)),
    ("nccl-efa", ("efa",)),
    ("nccl-slingshot", ("slingshot",)),
    ("nccl-roce", ("roce",)),
    ("nccl-infiniband", ("infiniband", "ib")),
    ("nccl-connectx", ("connectx", "cx7", "cx8")),
)
#: Names of the kinds of network.
NETWORKS = tuple(name for name, _ in _NETWORKS)


def links_of(name: str) -> tuple[str, str]:
    """(entry of "nccl scale-up", catalogue entry) of an accelerator that a table names and whose links are known."""
    entry = CATALOGUED[name]
    return _WITHOUT_SWITCHES.get(name, f"nccl-{accelerator(entry).scale_up}"), entry


def network_of(fabric: str) -> str | None:
    """The kind of network that a table's words name, one of NETWORKS; None where they name none."""
    words = "".join(letter if letter.isalnum() else " " for letter in fabric.lower()).split()
    for name, tells in _NETWORKS:
        if any(word.startswith(tell) if len(tell) > 2 else word == tell for word in words for tell in tells) or any(
            word.endswith(tell) for word in words for tell in tells if len(tell) > 3
        ):
            return name
    return None


def even_domains(nodes: int, per_node: int, largest: int) -> tuple[int, int]:
    """(scale-up domains, accelerators in each) of whole nodes: as few as there can be that are filled evenly.

    Args:
        nodes: servers.
        per_node: accelerators of each.
        largest: accelerators that a domain holds at most.
    """
    fits = (num for num in range(1, nodes) if nodes % num == 0 and nodes // num * per_node <= largest)
    domains = next(fits, nodes)
    return domains, nodes // domains * per_node
