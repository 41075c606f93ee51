"""Columns of equal length, checked once, never written to."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: "No such row" in integer columns.
NONE: Final = -1


def check_columns(table: Any, **dtypes: str) -> None:
    """Fail unless the named columns are 1-d arrays of these dtypes; make them read-only.

    Lengths are checked by ``same_length``, offsets into groups by ``check_groups``.
    """
    for name, dtype in dtypes.items():
        column = getattr(table, name)
        assert isinstance(column, np.ndarray), f"{type(table).__name__}.{name} is not an array"
        assert column.dtype == np.dtype(dtype), f"{type(table).__name__}.{name} is {column.dtype}, not {dtype}"
        assert column.ndim == 1, f"{type(table).__name__}.{name} has {column.ndim} dimensions, not one"
        column.flags.writeable = False


def same_length(table: Any, *names: str) -> None:
    """Fail unless the named columns have one length."""
    lengths = {name: len(getattr(table, name)) for name in names}
    assert len(set(lengths.values())) <= 1, f"{type(table).__name__}: columns differ in length: {lengths}"


def check_groups(table: Any, starts: str, num_groups: int, num_items: int) -> None:
    """Fail unless the column ``starts`` divides ``num_items`` rows into ``num_groups`` groups."""
    column = getattr(table, starts)
    fits = len(column) == num_groups + 1 and column[0] == 0 and column[-1] == num_items
    assert fits, f"{type(table).__name__}.{starts} does not divide {num_items} items into {num_groups} groups"


def starts_of(counts: Array) -> Array:
    """int64[G+1]: where each group starts, from the sizes of G groups."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def ragged_arange(counts: Array) -> Array:
    """int64[sum]: 0..counts[0]-1, 0..counts[1]-1, ... one after the other."""
    starts = starts_of(counts)
    numbers: Array = np.arange(starts[-1], dtype=np.int64) - np.repeat(starts[:-1], counts)
    return numbers


def ragged_ranges(first: Array, counts: Array) -> Array:
    """int64[sum]: first[0], first[0]+1, ... counts[0] of them, then from first[1] on: the items of chosen groups."""
    numbers: Array = np.repeat(first, counts) + ragged_arange(counts)
    return numbers


def grouped(group: Array, items: Array, num_groups: int) -> tuple[Array, Array]:
    """CSR of ``items`` by ``group``: (items sorted stably by group, int64[num_groups+1] starts)."""
    order = np.argsort(group, kind="stable")
    return items[order], starts_of(np.bincount(group, minlength=num_groups))
