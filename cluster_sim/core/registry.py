"""Strategies by name: one file registers itself, a configuration picks it with ``kind``."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from pydantic import BeforeValidator, ValidationInfo

from cluster_sim.core.errors import InputError, UnknownNameError
from cluster_sim.core.spec import Spec, raise_problems

T = TypeVar("T")
U = TypeVar("U")


class Registry(Generic[T]):
    """Named strategies of one sort, e.g. all topologies."""

    def __init__(self, what: str) -> None:
        """``what``: the sort in words, for error messages: "topology"."""
        self.what = what
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[U], U]:
        """Decorator: make the class or function below known as ``name``."""

        def add(entry: U) -> U:
            assert name not in self._entries, f"{self.what} {name!r} is registered twice"
            self._entries[name] = cast(T, entry)
            return entry

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise UnknownNameError(self.what, name, self.names)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        return tuple(sorted(self._entries))


def one_of(registry: Registry[Any]) -> BeforeValidator:
    """Pydantic hook: read ``{kind: NAME, ...}`` or just ``NAME`` as the registered Spec of that name."""

    def choose(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Spec):
            return value
        fields = {"kind": value} if isinstance(value, str) else value
        if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
            raise InputError(f"expected 'kind: NAME' with one of {', '.join(registry.names)}")
        if fields["kind"] not in registry.names:
            error = UnknownNameError(registry.what, fields["kind"], registry.names)
            raise_problems(registry.what, [((("kind",) if isinstance(value, dict) else ()), str(error))])
        return registry[fields["kind"]].model_validate(fields, context=info.context)

    return BeforeValidator(choose)
