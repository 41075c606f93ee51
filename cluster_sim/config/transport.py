"""A transport by its name, or from a YAML file that starts from a named one."""

from pathlib import Path

from cluster_sim.core import ConfigError, UnknownNameError, read_document, read_spec
from cluster_sim.engine import TRANSPORTS, Transport


def read_transport(name: str) -> Transport:
    """A registered transport, or what a file ``kind: NAME`` with changed values describes.

    Args:
        name: one of ``TRANSPORTS``, or a file ending in .yaml or .yml.

    Raises:
        UnknownNameError: no such transport; ConfigError: every mistake in the file, each with its line.
    """
    if not name.endswith((".yaml", ".yml")):
        return TRANSPORTS[name]()
    document = read_document(Path(name))
    kind = document.data.get("kind")
    if not isinstance(kind, str):
        expected = f"expected 'kind: NAME' with one of {', '.join(TRANSPORTS)}"
        raise ConfigError((document.problem(("kind",), expected),))
    if kind not in TRANSPORTS.names:
        raise ConfigError((document.problem(("kind",), str(UnknownNameError("transport", kind, TRANSPORTS.names))),))
    return read_spec(TRANSPORTS[kind], document)
