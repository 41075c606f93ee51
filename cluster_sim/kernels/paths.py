"""Candidate paths on a device, written out from their forms; the specification is the fabric's own ``PathFinder``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.backend import Backend, launch
from cluster_sim.tables import Array, PathForms, starts_of

_SOURCE = Path(__file__).with_name("paths.cu")


@dataclass(slots=True, eq=False)
class PathsOnDevice:
    """The candidate paths of pairs of endpoints; all arrays are on the device.

    Attributes:
        src: int32[E].
        dst: int32[E].
        num_paths: int64[E], > 0.
        kind: int32[E], see PathForms.
        num_hops: int32[E].
        forms: as the kernels take them.
        backend: whose arrays these are.
    """

    src: Any
    dst: Any
    num_paths: Any
    kind: Any
    num_hops: Any
    forms: tuple[Any, ...]
    backend: Backend

    @classmethod
    def between(cls, src: Array, dst: Array, forms: PathForms, backend: Backend) -> "PathsOnDevice":
        """How far apart E pairs are, int32[E] each, on the host."""
        xp: Any = backend.xp
        paths = cls(
            src=backend.asarray(src), dst=backend.asarray(dst), num_paths=xp.empty(len(src), np.int64),
            kind=xp.empty(len(src), np.int32), num_hops=xp.empty(len(src), np.int32), forms=_written(forms, backend),
            backend=backend,
        )  # fmt: skip
        kind_paths = backend.asarray(np.array([kind.num_paths for kind in forms.kinds], np.int64))
        launch(
            _SOURCE, "count_paths", len(src), paths.kind, paths.num_paths, paths.num_hops, paths.src, paths.dst,
            *paths.forms, kind_paths, np.int32(len(forms.places)), np.int32(len(src)),
        )  # fmt: skip
        return paths

    def links(self, choice: Any) -> tuple[Any, Any]:
        """(pair int32[H], link int32[H]) of candidate ``choice``, int64[E], of each pair, in order from src to dst."""
        xp: Any = self.backend.xp
        hop_starts = xp.zeros(len(choice) + 1, np.int64)
        xp.cumsum(self.num_hops, out=hop_starts[1:])
        num_hops = int(hop_starts[-1])
        pair, link = xp.empty(num_hops, np.int32), xp.empty(num_hops, np.int32)
        launch(
            _SOURCE, "write_paths", len(choice), pair, link, hop_starts, self.kind, self.src, self.dst, choice,
            *self.forms, np.int32(len(choice)),
        )  # fmt: skip
        return pair, link


def _written(forms: PathForms, backend: Backend) -> tuple[Any, ...]:
    """(first int64[N], digit_starts int32[N+1], digit int64[4D], kind_starts int32[K+1]), as the kernels take them."""
    every = [*forms.places, *(form for kind in forms.kinds for form in kind.hops)]
    digits = np.array([digit for form in every for digit in form.digits], np.int64)
    columns = (
        np.array([form.first for form in every], np.int64),
        starts_of(np.array([len(form.digits) for form in every])).astype(np.int32),
        digits.ravel(),
        (len(forms.places) + starts_of(np.array([len(kind.hops) for kind in forms.kinds]))).astype(np.int32),
    )
    return tuple(backend.asarray(column) for column in columns)
