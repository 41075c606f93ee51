"""How far a study is, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(is_silent: bool) -> Iterator[Progress]:
    """A bar on stderr; where stderr is no terminal, a line now and then."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = (_Lines if not console.is_terminal else Progress)(
        *columns, console=console, disable=is_silent, transient=True
    )
    with bar:
        yield bar


class _Lines(Progress):
    """Progress for log files: one line every few seconds."""

    _every_s = 5.0
    _last_s = 0.0

    def update(self, task_id: Any, **changes: Any) -> None:
        """See rich; prints instead of drawing."""
        super().update(task_id, **changes)
        now_s = time.monotonic()
        if not self.disable and now_s - self._last_s >= self._every_s:
            task = self._tasks[task_id]
            self._last_s = now_s
            count = f"{task.completed:.0f}/{task.total:.0f} " if task.total else ""
            click.echo(f"{count}{task.description}", err=True)
