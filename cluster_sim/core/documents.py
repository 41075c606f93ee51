"""YAML in, Specs out; every mistake at once, each with its file and line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from cluster_sim.core.errors import ConfigError, InputError

S = TypeVar("S", bound=BaseModel)
Location = tuple[str | int, ...]


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

    def problem(self, location: Location, message: str) -> str:
        """One line for the user: ``file:line: field: message``."""
        field = ".".join(str(part) for part in location)
        return f"{self.where(location)}: {field}: {message}" if field else f"{self.where(location)}: {message}"

    def with_setting(self, setting: str) -> "Document":
        """A copy with ``a.b=value`` (YAML) set, as ``--set`` does; modifies nothing."""
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise ConfigError((f"--set {setting}: expected a.b=value",))
        keys = tuple(path.split("."))
        origins = self.origins | {keys: f"--set {path}"}
        return Document(
            self.file, _replaced(self.data, keys, YAML(typ="safe", pure=True).load(text)), self.lines, origins
        )


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
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        what = str(error.problem).split(" with value")[0].replace("found ", "")
        raise ConfigError((f"{path}:{line}: {what} is written twice; keep one",)) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError((f"{path}:{line}: not YAML: {error.problem}",)) from error
    if not isinstance(tree, CommentedMap):
        raise ConfigError((f"{path}:1: expected 'key: value' lines, found {type(tree).__name__}",))
    lines: dict[Location, int] = {}
    _collect_lines(tree, (), lines)
    return Document(str(path), YAML(typ="safe", pure=True).load(text), lines, {})


def read_spec(spec: type[S], document: Document, at: Location = (), context: Mapping[str, Any] | None = None) -> S:
    """The part of ``document`` at ``at`` as a ``spec``; ConfigError with every mistake."""
    data = document.data
    for key in at:
        data = data[key]
    try:
        return spec.model_validate(data, context={"from_file": True, **(context or {})})
    except ValidationError as error:
        raise ConfigError(problems_of(error, document, at)) from error


def problems_of(error: ValidationError, document: Document, at: Location = ()) -> tuple[str, ...]:
    """Pydantic's findings as lines for the user, in the order of the file."""
    found = []
    for detail in error.errors():
        location = at + tuple(part for part in detail["loc"] if not str(part).startswith("function-"))
        found.append((_line_of(document, location), document.problem(location, _message(detail))))
    return tuple(text for _, text in sorted(found, key=lambda item: item[0]))


def _line_of(document: Document, location: Location) -> int:
    where = document.where(location)
    return int(where.rpartition(":")[2]) if where.rpartition(":")[2].isdigit() else 0


def _message(detail: Any) -> str:
    cause = detail.get("ctx", {}).get("error")
    match detail["type"]:
        case "unknown_key":
            return str(detail["msg"])
        case "missing":
            return "missing; add this key"
        case "value_error" if isinstance(cause, ValueError):
            return str(cause)
        case _:
            return f"{detail['msg'][0].lower()}{detail['msg'][1:]}; got {detail['input']!r}"


def _collect_lines(node: Any, path: Location, lines: dict[Location, int]) -> None:
    if isinstance(node, CommentedMap):
        for key in node:
            lines[(*path, key)] = node.lc.key(key)[0] + 1
            _collect_lines(node[key], (*path, key), lines)
    elif isinstance(node, list) and hasattr(node, "lc"):
        for index in range(len(node)):
            lines[(*path, index)] = node.lc.item(index)[0] + 1
            _collect_lines(node[index], (*path, index), lines)


def _replaced(data: Any, keys: Location, value: Any) -> Any:
    if not keys:
        return value
    if data is not None and not isinstance(data, dict):
        raise InputError(f"--set {'.'.join(map(str, keys))}: there is no mapping to set this in")
    return {**(data or {}), keys[0]: _replaced((data or {}).get(keys[0]), keys[1:], value)}
