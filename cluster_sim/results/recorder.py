"""A results folder: written so that an incomplete one can be told from a whole one."""

import glob
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import ipc

from cluster_sim.core import OutputError
from cluster_sim.results.schema import SCHEMAS

_MANIFEST = "manifest.json"

#: What a run and the commands that read it write; nothing else is ever deleted.
_OURS = re.compile(
    rf"(manifest\.json|({'|'.join(SCHEMAS)})\.arrow)(\.partial)?|report\.html"
    r"|(comparison|pareto|pipeline|reliability|scale|topology|uncertainty)\.(png|svg)"
    r"|nccl_\w+\.yaml|compute(-[\w-]+)?\.yaml|\.writable"
)


class Recorder:
    """Writes tables, each as ``NAME.partial`` until closed; the manifest comes last, and makes it whole."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """``folder`` exists and is empty, see ``claim_folder``; ``manifest`` is what is known before the run."""
        self.folder = folder
        self._manifest = dict(manifest)
        self._num_rows: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            content = self._manifest | {"num_rows": self._num_rows}
            text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            _write_whole(self.folder / _MANIFEST, text.encode())

    def write(self, name: str, table: pa.Table) -> None:
        """Write ``NAME.arrow``: an Arrow IPC file with zstd compression."""
        partial = self.folder / f"{name}.arrow.partial"
        options = ipc.IpcWriteOptions(compression="zstd")
        with (
            pa.OSFile(str(partial), "wb") as sink,
            ipc.new_file(sink, table.schema, options=options) as writer,
        ):
            writer.write_table(table.combine_chunks())
        os.replace(partial, self.folder / f"{name}.arrow")
        self._num_rows[name] = table.num_rows

    def note(self, **facts: Any) -> None:
        """Add to the manifest."""
        self._manifest.update(facts)


def claim_folder(output: Path | None, name: str, overwrite: bool, root: Path = Path("results")) -> Path:
    """An empty folder for a run: ``output``, or the next free ``results/<name>-NNN``.

    Raises:
        OutputError: ``output`` is not empty (and may not be overwritten) or cannot be written.
    """
    try:
        folder = output if output is not None else _new_numbered(root, name)
        if folder.is_dir() and any(folder.iterdir()):
            _clear(folder, overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        if isinstance(error, OutputError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(str(output or root), f"cannot be written ({why})", "choose another --output") from error
    return folder


def check_output(output: Path | None, overwrite: bool) -> None:
    """Refuse at once, before a long simulation, what ``claim_folder`` would refuse after it; changes nothing."""
    if output is None:
        return
    try:
        if output.is_dir() and any(output.iterdir()):
            _check_clearable(output, overwrite)
        if output.exists() and not output.is_dir():
            raise OutputError(str(output), "cannot be written (it is a file)", "choose another --output")
    except OSError as error:
        raise OutputError(str(output), f"cannot be used ({error.strerror})", "choose another --output") from error


def _clear(folder: Path, overwrite: bool) -> None:
    """Empty a folder, but only one that holds a run and nothing else."""
    _check_clearable(folder, overwrite)
    shutil.rmtree(folder)


def _check_clearable(folder: Path, overwrite: bool) -> None:
    if not overwrite:
        raise OutputError(str(folder), "is not empty", "choose another --output, or add --overwrite")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() or not _OURS.fullmatch(entry.name))
    if foreign:
        raise OutputError(
            str(folder),
            f"holds other things than a run's results ({foreign[0]})",
            "empty it yourself, or choose another",
        )


def _new_numbered(root: Path, name: str) -> Path:
    """The next free ``<name>-NNN``, made here: another run that starts now gets another one."""
    while True:
        folder = _next_free(root, name)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.exists():
                raise
        else:
            return folder


def _next_free(root: Path, name: str) -> Path:
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    found = [int(match[1]) for entry in root.glob(f"{glob.escape(name)}-*") if (match := pattern.fullmatch(entry.name))]
    return root / f"{name}-{max(found, default=0) + 1:03d}"


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
