"""Where tables are printed."""

from rich.console import Console

#: Wide enough for every table; a file or a pipe has no width of its own.
_WIDTH = 160


def table_console() -> Console:
    """A console on stdout: as wide as the terminal, and wide where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, _WIDTH))
