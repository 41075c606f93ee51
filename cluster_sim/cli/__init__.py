"""The command line: the only room that prints. Heavy imports wait until a command needs them."""

from cluster_sim.cli.commands import main

__all__ = ["main"]
