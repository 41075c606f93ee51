"""Compile ``.cu`` files with NVRTC and launch what is in them."""

from functools import cache
from pathlib import Path
from typing import Any

_THREADS = 256
# Fewer and larger blocks where they wait for each other, since each block arrives at a barrier once.
_THREADS_TOGETHER = 512
_ITEMS_PER_THREAD_TOGETHER = 4


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


def launch_together(path: Path, kernel: str, num_items: int, *arguments: Any) -> None:
    """Run a kernel whose blocks wait for each other: all are on the device at once, and no more than the items need.

    A barrier costs more the more blocks there are, and nearly nothing within one. The cooperative launch fails where
    the blocks do not fit, instead of waiting for ever.

    Args:
        path: as in ``launch``.
        kernel: likewise; right for any number of blocks of at most 512 threads.
        num_items: as many as the largest loop has; may be 0.
        arguments: as in ``launch``.
    """
    needed = -(-num_items // (_THREADS_TOGETHER * _ITEMS_PER_THREAD_TOGETHER))
    blocks = max(1, min(needed, _most_blocks_together(path, kernel)))
    _module(path, is_together=True).get_function(kernel)((blocks,), (_THREADS_TOGETHER,), arguments)


@cache
def _module(path: Path, is_together: bool = False) -> Any:
    import cupy

    # Without fused multiply-add the device rounds as NumPy does, and the rates are bound by memory anyway.
    options = ("-std=c++14", "-fmad=false")
    code = path.read_text(encoding="utf-8")
    return cupy.RawModule(code=code, options=options, enable_cooperative_groups=is_together)


@cache
def _most_blocks_together(path: Path, kernel: str) -> int:
    import cupy

    function = _module(path, is_together=True).get_function(kernel).kernel
    per_processor = cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(function.ptr, _THREADS_TOGETHER, 0)
    return int(per_processor * cupy.cuda.Device().attributes["MultiProcessorCount"])
