"""Every error this program raises on purpose.

ClusterSimError
├── InputError            a file, option or value the user gave (also a ValueError)
│   ├── ConfigError       a configuration with mistakes: all of them at once
│   │   └── FieldsError   the same, found after reading: by field
│   ├── UnknownNameError  a name that is in no registry or catalogue
│   ├── PlanError         a collective that cannot be planned as the job asks
│   └── OutputError       a results folder that cannot be used
├── NotBuildableError     a fabric that cannot be built as described
├── BackendError          a named backend that is not there
└── SimulationError       a simulation that cannot go on
    └── StalledFlowsError

Each passes its parts to ``super().__init__`` and writes its text in ``__str__``, because SimPy, pickle and process
pools rebuild errors with ``type(error)(*error.args)``.
"""

from difflib import get_close_matches

#: Names that a message spells out.
_NAMED = 5


class ClusterSimError(Exception):
    """Base of all deliberate errors."""


class InputError(ClusterSimError, ValueError):
    """Something the user gave cannot be used; a ValueError, so that pydantic collects it."""


class ConfigError(InputError):
    """A configuration with mistakes; carries all of them."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every mistake found, one line each."""
        problems: tuple[str, ...] = self.args[0]
        return problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class FieldsError(ConfigError):
    """Mistakes that show only once the fabric is built: ``field: message`` each, without a line."""


class UnknownNameError(InputError):
    """A name that is not among the known ones; suggests the nearest."""

    def __init__(self, what: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(what, name, known)

    def __str__(self) -> str:
        what, name, known = self.args
        return f"unknown {what} {name!r}{did_you_mean(name, known)} (known: {', '.join(sorted(known))})"


class PlanError(InputError):
    """A collective that cannot be planned with the algorithm that the job asks for."""


class OutputError(InputError):
    """A results folder that cannot be used."""

    def __init__(self, folder: str, why: str, what_to_do: str) -> None:
        super().__init__(folder, why, what_to_do)

    def __str__(self) -> str:
        folder, why, what_to_do = self.args
        return f"{folder}: {why}; {what_to_do}"


class NotBuildableError(ClusterSimError):
    """A fabric that cannot be built as described; carries every reason."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(reasons)

    def __str__(self) -> str:
        return "not buildable: " + "; ".join(self.args[0])


class BackendError(ClusterSimError):
    """A backend that was asked for by name and is not there."""

    def __init__(self, backend: str, why: str, what_to_do: str) -> None:
        super().__init__(backend, why, what_to_do)

    def __str__(self) -> str:
        backend, why, what_to_do = self.args
        return f"backend {backend!r} is not available: {why}. {what_to_do}"


class SimulationError(ClusterSimError):
    """A simulation that cannot go on."""


class StalledFlowsError(SimulationError):
    """Flows have bytes left, no bandwidth, and nothing scheduled that could change that."""

    def __init__(self, names: tuple[str, ...], link: str, now_s: float) -> None:
        super().__init__(names, link, now_s)

    def __str__(self) -> str:
        names, link, now_s = self.args
        others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return (
            f"stalled at t={now_s:.9g} s: {', '.join(names[:_NAMED])}{others} can never finish, because {link} has no "
            "capacity and nothing that is still to come restores it. Check the capacities of the links and the OCS "
            "circuits at that time."
        )


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """``; did you mean 'ecmp'?`` for the nearest known name, or nothing where none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
