"""Colour refinement: find the flows and rows that nothing can tell apart, and solve one of each kind.

Two flows of one class have the same size, the same start and rows of the same classes with the same weights; two rows
of one class have the same capacity and are loaded by the same classes. Max-min rates are unique, so flows of one class
have one rate at all times, and the quotient below has exactly the rates of the whole [Boldi and Vigna 2002, Fibrations
of graphs: equitable partitions].
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster_sim.backend import Backend, launch
from cluster_sim.kernels.scramble import scrambled
from cluster_sim.kernels.segments import added_up, segment_sum
from cluster_sim.tables import Array, grouped

_SOURCE = Path(__file__).with_name("scramble.cu")


@dataclass(frozen=True, slots=True, eq=False)
class Quotient:
    """C classes of F flows over K classes of R rows.

    Attributes:
        flow_class: int32[F].
        row_class: int32[R].
        flow: int64[C], one flow of each class, the first.
        row: int64[K], one row of each class, the first.
        hop_starts: int64[C+1].
        hop_row: int32[H'], row classes crossed by each class.
        hop_weight: float64[H'], load on one row of that class by all flows of the class, per unit of rate of one.
        num_flows: int64[C], members of each class.
    """

    flow_class: Array
    row_class: Array
    flow: Array
    row: Array
    hop_starts: Array
    hop_row: Array
    hop_weight: Array
    num_flows: Array


def refine(
    hop_starts: Array, hop_row: Array, hop_weight: Array, flow_colour: Array, row_colour: Array,
    backend: Backend | None = None,
) -> Quotient:  # fmt: skip
    """The coarsest equitable partition that is at least as fine as the colours given.

    Args:
        hop_starts: int64[F+1], as in maxmin_rates.
        hop_row: int32[H], likewise.
        hop_weight: float64[H], likewise.
        flow_colour: int64[F], flows of different colour are never merged; class numbers ascend with it.
        row_colour: int64[R], likewise.
        backend: what refines; all arrays are on the host. None for NumPy.

    Returns:
        The classes. Signatures are compared as 64-bit hashes: two different ones collide with probability 2**-64.
    """
    label = scrambled(hop_weight.view(np.uint64))
    flow_class, row_class = equitable(hop_starts, hop_row, label, flow_colour, row_colour, backend)
    hop_flow = np.repeat(np.arange(len(flow_colour), dtype=np.int32), np.diff(hop_starts))
    return _quotient(hop_flow, hop_row, hop_weight, flow_class, row_class)


def equitable(
    hop_starts: Array, hop_row: Array, label: Array, flow_colour: Array, row_colour: Array,
    backend: Backend | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """(int32[F] class of each flow, int32[R] class of each row), as in ``refine``, whatever a hop means.

    Args:
        hop_starts: int64[F+1], as in maxmin_rates.
        hop_row: int32[H]; a flow may have several hops over a row.
        label: uint64[H], scrambled; hops with different labels are different.
        flow_colour: int64[F], as in refine.
        row_colour: int64[R], as in refine.
        backend: as in refine.
    """
    device = backend if backend is not None and backend.name == "cupy" else None
    xp: Any = device.xp if device else np
    hop_flow = np.repeat(np.arange(len(flow_colour), dtype=np.int32), np.diff(hop_starts))
    by_row, row_starts = grouped(hop_row, np.arange(len(hop_row)), len(row_colour))
    of_row: tuple[Any, Any, Any] = (xp.asarray(hop_flow[by_row]), xp.asarray(label[by_row]), xp.asarray(row_starts))
    of_flow: tuple[Any, Any, Any] = (xp.asarray(hop_row), xp.asarray(label), xp.asarray(hop_starts))
    flow_class, row_class = _numbered(xp.asarray(flow_colour), xp), _numbered(xp.asarray(row_colour), xp)
    counts = (-1, -1)
    while counts != (counts := (_highest(flow_class), _highest(row_class))):
        row_class = _split(row_class, signatures(flow_class, *of_row, on_device=device is not None), xp)
        flow_class = _split(flow_class, signatures(row_class, *of_flow, on_device=device is not None), xp)
    return (device.to_host(flow_class), device.to_host(row_class)) if device else (flow_class, row_class)


def signatures(classes: Array, item: Array, label: Array, starts: Array, on_device: bool) -> Array:
    """What each group sees of the classes of its items, as one number; the order of the items does not matter.

    Args:
        classes: int32[N].
        item: int32[H], below N.
        label: uint64[H], scrambled.
        starts: int64[G+1], where each group's items start.
        on_device: whether these are CuPy's arrays.

    Returns:
        uint64[G].
    """
    if on_device:
        signature = (starts[1:] * 0).view(np.uint64)
        launch(_SOURCE, "signatures", len(signature), signature, classes, item, label, starts, np.int32(len(signature)))
        return signature
    return segment_sum(scrambled(classes.astype(np.uint64)[item] ^ label), starts)


def _quotient(hop_flow: Array, hop_row: Array, hop_weight: Array, flow_class: Array, row_class: Array) -> Quotient:
    _, flow = np.unique(flow_class, return_index=True)
    _, row = np.unique(row_class, return_index=True)
    on_first = row[row_class[hop_row]] == hop_row
    hop_starts, hop_row, weight = added_up(
        flow_class[hop_flow[on_first]], row_class[hop_row[on_first]], hop_weight[on_first], len(flow), len(row)
    )
    return Quotient(
        flow_class=flow_class, row_class=row_class, flow=flow, row=row, hop_starts=hop_starts, hop_row=hop_row,
        hop_weight=weight, num_flows=np.bincount(flow_class, minlength=len(flow)),
    )  # fmt: skip


def _highest(classes: Any) -> int:
    return int(classes.max()) if len(classes) else -1


def _numbered(colour: Any, xp: Any) -> Any:
    """int32: 0, 1, 2... in ascending order of colour."""
    return xp.unique(colour, return_inverse=True)[1].astype(np.int32).reshape(-1)


def _split(classes: Any, signature: Any, xp: Any) -> Any:
    """Classes divided by signature; numbers keep the order of the old classes."""
    keys = xp.stack([signature, classes.astype(np.uint64)])
    order = xp.lexsort(keys)
    new = xp.ones(len(order), dtype=bool)
    new[1:] = (keys[:, order[1:]] != keys[:, order[:-1]]).any(axis=0)
    result = xp.empty(len(order), np.int32)
    result[order] = xp.cumsum(new) - 1
    return result
