"""YAML in, Specs out; every mistake at once, each with its file and line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cluster_sim.core.errors import ConfigError, did_you_mean
from cluster_sim.core.units import dimension_in

S = TypeVar("S", bound=BaseModel)
Location = tuple[str | int, ...]

#: Kinds of mistakes about numbers out of range, and where pydantic says the limit.
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file and where each of its keys stands.

    Attributes:
        file: name used in messages.
        data: plain dicts, lists and scalars.
        lines: 1-based line of every key, by its path.
        origins: another name for the place of a key, e.g. ``--set a.b``, by its path.
    """

    file: str
    data: Any
    lines: dict[Location, int]
    origins: dict[Location, str]

    def where(self, location: Location) -> str:
        """``file:line`` of the key at ``location``, or of the nearest key above it."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.origins:
                return self.origins[location[:length]]
            if location[:length] in self.lines:
                return f"{self.file}:{self.lines[location[:length]]}"
        return f"{self.file}:1"

    def written(self, location: Location) -> Any:
        """The value at ``location`` as it was read; None where there is none."""
        value = self.data
        for key in location:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def problem(self, location: Location, message: str) -> str:
        """One line for the user: ``file:line: field: message``."""
        field = ".".join(str(part) for part in location)
        return f"{self.where(location)}: {field}: {message}" if field else f"{self.where(location)}: {message}"

    def with_setting(self, setting: str) -> "Document":
        """A copy with ``a.b=value`` (YAML) set, as ``--set`` does; modifies nothing."""
        path, equals, text = setting.partition("=")
        keys = self._keys(path.split("."))
        if not equals or not all(path.split(".")):
            raise ConfigError((f"--set {setting}: expected a.b=value",))
        data = _replaced(self.data, keys, _plain(text, f"--set {path}"), path)
        # What stood at or below the key is gone, and keys above it that were not in the file are new.
        new = {keys[:length] for length in range(1, len(keys) + 1) if keys[:length] not in self._places} | {keys}
        lines = {place: line for place, line in self.lines.items() if place[: len(keys)] != keys}
        origins = {place: origin for place, origin in self.origins.items() if place[: len(keys)] != keys}
        return Document(self.file, data, lines, origins | dict.fromkeys(new, f"--set {path}"))

    def _keys(self, parts: list[str]) -> tuple[str, ...]:
        """The keys that ``parts`` of a path between dots stand for; names may hold dots, and known ones come first."""
        keys: tuple[str, ...] = ()
        while parts:
            joins = [n for n in range(len(parts), 0, -1) if (*keys, ".".join(parts[:n])) in self._places]
            taken = joins[0] if joins else 1
            keys, parts = (*keys, ".".join(parts[:taken])), parts[taken:]
        return keys

    @property
    def _places(self) -> set[Location]:
        return self.lines.keys() | self.origins.keys()


def read_document(path: Path) -> Document:
    """Read one YAML 1.2 file.

    Raises:
        ConfigError: the file is missing, is not YAML, repeats a key, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((f"{path}: cannot be read: {error}",)) from error
    try:
        tree = YAML(typ="rt").load(text)
        lines: dict[Location, int] = {}
        _collect_lines(tree, (), lines)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        what = str(error.problem).split(" with value")[0].replace("found ", "")
        raise ConfigError((f"{path}:{line}: {what} is written twice; keep one",)) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError((f"{path}:{line}: not YAML: {error.problem}",)) from error
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError((f"{path}:{_line_of_error(error, text)}: not YAML: {_why(error)}",)) from error
    if not isinstance(tree, CommentedMap):
        found = "nothing" if tree is None else "a list" if isinstance(tree, list) else "text"
        raise ConfigError((f"{path}:1: expected 'key: value' lines, found {found}",))
    return Document(str(path), _plain(text, str(path)), lines, {})


def _plain(text: str, where: str) -> Any:
    """YAML as plain dicts, lists and scalars; ``where`` is a file or an option, for messages."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = where if where.startswith("--") or not mark else f"{where}:{mark.line + 1}"
        raise ConfigError((f"{place}: not YAML: {error.problem}",)) from error
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        place = where if where.startswith("--") else f"{where}:{_line_of_error(error, text)}"
        raise ConfigError((f"{place}: not YAML: {_why(error)}",)) from error


def _line_of_error(error: Exception, text: str) -> int:
    """ReaderError knows a position in the text, the others (a bad date, a number too long) none."""
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]


def read_spec(spec: type[S], document: Document, at: Location = (), context: Mapping[str, Any] | None = None) -> S:
    """The part of ``document`` at ``at`` as a ``spec``; ConfigError with every mistake."""
    data = document.data
    for key in at:
        data = data[key]
    try:
        return spec.model_validate(data, context={"from_file": True, **(context or {})})
    except ValidationError as error:
        raise ConfigError(problems_of(error, document, at)) from None


def problems_of(error: ValidationError, document: Document, at: Location = ()) -> tuple[str, ...]:
    """Pydantic's findings as lines for the user, in the order of the file."""
    found = []
    for detail in error.errors():
        location = at + tuple(
            part for part in detail["loc"] if part != "[key]" and not str(part).startswith("function-")
        )
        told = _message(detail, document.written(location))
        found.append((_order(document, location), document.problem(location, told)))
    return tuple(text for _, text in sorted(found, key=lambda item: item[0]))


def _order(document: Document, location: Location) -> tuple[int, int]:
    """(line of the main file, line of the part that stands there); settings first."""
    where = document.where(location).rpartition(":")[2]
    line = int(where) if where.isdigit() else 0
    above = (document.lines.get(location[:length]) for length in range(len(location), 0, -1))
    return next((here for here in above if here is not None), line) if line else 0, line


def _message(detail: Any, written: Any) -> str:
    """What is wrong; limits of a quantity in the unit in which it is ``written``."""
    cause = detail.get("ctx", {}).get("error")
    match detail["type"]:
        case kind if kind in _BOUNDS and isinstance(written, str) and (dimension := dimension_in(written)):
            limit = dimension.said(float(detail["ctx"][_BOUNDS[kind]]), written)
            return (
                f"input should be {kind.replace('_', ' ').replace(' equal', ' or equal to')} {limit}; got {written!r}"
            )
        case "unknown_key":
            return str(detail["msg"])
        case "missing":
            return "missing; add this key"
        case "tuple_type" | "list_type":
            return f"expected a list, [a, b]; got {detail['input']!r}"
        case "value_error" if isinstance(cause, ValueError):
            return str(cause)
        case "model_type":
            file = ", or the name of a file that ends in .yaml" if isinstance(detail["input"], str) else ""
            return f"expected a dictionary of keys{file}; got {detail['input']!r}"
        case "literal_error" if isinstance(detail["input"], str):
            known = tuple(re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
            hint = did_you_mean(detail["input"], known)
            return f"input should be {detail['ctx']['expected']}{hint}; got {detail['input']!r}"
        case _:
            return f"{detail['msg'][0].lower()}{detail['msg'][1:]}; got {detail['input']!r}"


def _collect_lines(node: Any, path: Location, lines: dict[Location, int]) -> None:
    if isinstance(node, CommentedMap):
        for key in node:
            # A key merged with << has no line of its own: that of the mapping must do.
            if key in (node.lc.data or {}):
                lines[(*path, key)] = node.lc.key(key)[0] + 1
            _collect_lines(node[key], (*path, key), lines)
    elif isinstance(node, list) and hasattr(node, "lc"):
        for index in range(len(node)):
            lines[(*path, index)] = node.lc.item(index)[0] + 1
            _collect_lines(node[index], (*path, index), lines)


def _replaced(data: Any, keys: Location, value: Any, path: str) -> Any:
    if not keys:
        return value
    if data is not None and not isinstance(data, dict):
        raise ConfigError((f"--set {path}: there is no mapping to set {'.'.join(map(str, keys))!r} in",))
    return {**(data or {}), keys[0]: _replaced((data or {}).get(keys[0]), keys[1:], value, path)}
