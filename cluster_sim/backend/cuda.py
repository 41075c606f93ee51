"""Compile ``.cu`` files with NVRTC and launch what is in them."""

from functools import cache
from pathlib import Path
from typing import Any

_THREADS = 256


@cache
def _module(path: Path) -> Any:
    import cupy

    return cupy.RawModule(code=path.read_text(encoding="utf-8"), options=("-std=c++14",))


def launch(path: Path, kernel: str, num_threads: int, *arguments: Any) -> None:
    """Run ``kernel`` of the ``.cu`` file at ``path`` with at least one thread per item.

    Args:
        path: the source; compiled once per process.
        kernel: an ``extern "C" __global__`` function with a grid-stride loop.
        num_threads: items to work on; nothing is launched for 0.
        arguments: cupy arrays, or numpy scalars of the C type.
    """
    if num_threads:
        blocks = min(-(-num_threads // _THREADS), 65535)
        _module(path).get_function(kernel)((blocks,), (_THREADS,), arguments)
