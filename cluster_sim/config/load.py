"""A YAML file as a configuration. Parts may stand in files of their own: a path in the place of a mapping."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster_sim.config.specs import CompareConfig, RunConfig
from cluster_sim.core import ConfigError, Document, read_document, read_spec

#: Where a path to another file may stand; ``*`` is any name.
_INCLUDES = (
    ("job",), ("interconnect",), ("topology",), ("job", "model"), ("job", "kernels"),
    ("compare", "jobs", "*"), ("compare", "jobs", "*", "model"), ("compare", "jobs", "*", "kernels"),
    ("compare", "interconnects", "*"), ("compare", "topologies", "*"),
    ("neighbours", "*"), ("neighbours", "*", "job"), ("neighbours", "*", "job", "model"),
    ("neighbours", "*", "job", "kernels"),
)  # fmt: skip


#: Where the name of a file of another format may stand.
_FILES = (
    ("graph",), ("routing", "file"), ("topology", "graph"), ("compare", "topologies", "*", "graph"),
)  # fmt: skip


def load_config(path: str | Path, settings: Sequence[str] = ()) -> RunConfig | CompareConfig:
    """Read a configuration.

    Args:
        path: a YAML file; one with a key ``compare`` is a comparison.
        settings: ``a.b=value`` overrides; a file name as value is relative to the current folder.

    Raises:
        ConfigError: every mistake, each with file and line.
    """
    return read_config(Path(path), settings)[0]


def read_config(path: Path, settings: Sequence[str] = ()) -> tuple[RunConfig | CompareConfig, Document]:
    """As ``load_config``, with the document that says where everything stands."""
    document = read_whole(path, settings)
    if "compare" in document.data:
        return read_spec(CompareConfig, document), document
    return read_spec(RunConfig, document), document


def read_plan(path: Path, settings: Sequence[str] = ()) -> tuple[RunConfig, Document]:
    """A run whose job need not say how it is split: what depends on that is left unchecked.

    Raises:
        ConfigError: every other mistake, each with file and line; a comparison.
    """
    document = read_whole(path, settings)
    if "compare" in document.data:
        problem = "holds a comparison; plan takes one job, one interconnect and one topology"
        raise ConfigError((document.problem(("compare",), problem),))
    job = document.data.get("job")
    if isinstance(job, dict) and "parallelism" not in job:
        data = {**document.data, "job": {**job, "parallelism": {}}}
        document = Document(document.file, data, document.lines, document.origins)
    return read_spec(RunConfig, document, context={"is_open": True}), document


def read_whole(path: Path, settings: Sequence[str] = ()) -> Document:
    """A file with the parts that stand in files of their own, and with settings.

    Raises:
        ConfigError: a file is missing or no YAML, or a setting is none.
    """
    document = read_document(path)
    file_settings = [setting for setting in settings if _is_file_name(setting)]
    for setting in file_settings:
        key, _, file = setting.partition("=")
        if not file:
            raise ConfigError((f"--set {setting}: expected a.b=value",))
        document = document.with_setting(f"{key}={os.path.relpath(file, path.parent)}")
    document = _with_parts(document, path.parent)
    for pattern in _FILES:
        document = _located(document, pattern, (), path.parent)
    for setting in (setting for setting in settings if setting not in file_settings):
        document = _with_parts(document.with_setting(setting), Path())
    missing = [
        document.problem(at, f"{name}: cannot be read: there is no such file")
        for pattern in _FILES
        for at, name in _named_files(document.data, pattern)
        if not Path(name).is_file()
    ]
    if missing:
        raise ConfigError(tuple(missing))
    return document


def _with_parts(document: Document, folder: Path) -> Document:
    """With the files that it names in the place of mappings; names that no file says are looked for in ``folder``."""
    problems: list[str] = []
    for pattern in _INCLUDES:
        document = _include(document, pattern, (), folder, problems)
    if problems:
        raise ConfigError(tuple(problems))
    return document


def _include(
    document: Document, pattern: tuple[str, ...], at: tuple[str, ...], folder: Path, problems: list[str]
) -> Document:
    """Replace file names below ``at`` that match ``pattern`` by what is in the files."""
    here = _value(document.data, at)
    if not pattern:
        if not _is_file_name(here):
            return document
        return _spliced(document, at, Path(os.path.normpath(_folder(document, at, folder) / here)), problems)
    if not isinstance(here, dict):
        return document
    for name in list(here) if pattern[0] == "*" else [pattern[0]]:
        if name in here:
            document = _include(document, pattern[1:], (*at, name), folder, problems)
    return document


def _located(document: Document, pattern: tuple[str, ...], at: tuple[str, ...], folder: Path) -> Document:
    """File names below ``at`` that match ``pattern``, as seen from the current folder."""
    here = _value(document.data, at)
    if not pattern:
        if not isinstance(here, str) or not here:
            return document
        seen = os.path.normpath(_folder(document, at, folder) / here)
        return Document(document.file, _with(document.data, at, seen), document.lines, document.origins)
    if not isinstance(here, dict):
        return document
    for name in list(here) if pattern[0] == "*" else [pattern[0]]:
        if name in here:
            document = _located(document, pattern[1:], (*at, name), folder)
    return document


def _named_files(data: Any, pattern: tuple[str, ...], at: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """(place, name) of the graphs that topologies of the kind ``custom`` name."""
    if not isinstance(data, dict):
        return []
    if len(pattern) == 1:
        name = data.get(pattern[0])
        return [((*at, pattern[0]), name)] if data.get("kind") == "custom" and isinstance(name, str) and name else []
    keys = list(data) if pattern[0] == "*" else [pattern[0]]
    return [found for key in keys for found in _named_files(data.get(key), pattern[1:], (*at, key))]


def _spliced(document: Document, at: tuple[str, ...], path: Path, problems: list[str]) -> Document:
    try:
        part = read_document(path)
    except ConfigError as error:
        problems.extend(document.problem(at, problem) for problem in error.problems)
        return document
    origins = {at: f"{path}:1"} | {(*at, *location): f"{path}:{line}" for location, line in part.lines.items()}
    data = _with(document.data, at, part.data)
    return Document(document.file, data, document.lines, {**document.origins, **origins})


def _folder(document: Document, at: tuple[str, ...], main: Path) -> Path:
    """Where a file named at ``at`` is looked for: beside the file that names it."""
    part = document.origins.get(at[:-1], "--set")
    return main if part.startswith("--set") else Path(part.rpartition(":")[0]).parent


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and value.endswith((".yaml", ".yml"))


def _value(data: Any, at: tuple[str, ...]) -> Any:
    for key in at:
        data = data[key]
    return data


def _with(data: Any, at: tuple[str, ...], value: Any) -> Any:
    return {**data, at[0]: _with(data[at[0]], at[1:], value)} if at else value
