"""The command line in this process, in a folder of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cluster_sim.cli import main


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``cluster-sim`` with arguments in an empty folder; anything but a clean exit fails the test."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def refused(cli: Callable[..., Result], tmp_path: Path) -> Callable[..., list[str]]:
    """Lines on stderr of a command that must be refused: exit code 2, nothing on stdout, no results."""

    def invoke(*arguments: object) -> list[str]:
        before = sorted(tmp_path.rglob("*"))
        result = cli(*arguments, "--quiet")
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert sorted(tmp_path.rglob("*")) == before, "something was written"
        return result.stderr.splitlines()

    return invoke
