"""A finished run, opened again."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from cluster_sim.core import InputError


@dataclass(frozen=True)
class Run:
    """The folder of a run, a comparison or a sweep, with its tables.

    Attributes:
        folder: where it lies.
        manifest: resolved configuration, versions, seed, backend, wall times, row counts.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Open a whole run; InputError when it is incomplete or damaged."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: no manifest.json, so this run is incomplete; run it again") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("num_rows"), dict):
            raise InputError(f"{folder}/manifest.json: lists no tables, so it is not a run's; run it again")
        run = cls(folder, manifest)
        for name, num_rows in manifest["num_rows"].items():
            if run.tables[name].num_rows != num_rows:
                raise InputError(f"{folder}/{name}.arrow: {run.tables[name].num_rows} rows, expected {num_rows}")
        return run

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        """Every table by name."""
        return {name: read_table(self.folder / f"{name}.arrow") for name in self.manifest["num_rows"]}

    @property
    def summary(self) -> pa.Table:
        """One row per scenario."""
        return self.tables["summary"]


def read_table(path: Path) -> pa.Table:
    """One Arrow file; InputError when it is missing or cut off."""
    try:
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read ({error}); run it again") from error
