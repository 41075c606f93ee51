"""Errors, logs and progress as people want them."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster_sim.core import Document

_USAGE = 2


@dataclass(slots=True)
class Where:
    """The configuration being worked on, once it has been read, so that later errors can say file and line."""

    document: "Document | None" = None

    def problem(self, field: str, message: str) -> str:
        """``file:line: field: message``."""
        return self.document.problem(tuple(field.split(".")), message) if self.document else f"{field}: {message}"


@contextmanager
def errors_for_humans() -> Iterator[Where]:
    """Turn deliberate errors into lines on stderr and exit code 2 (bad input) or 1 (a simulation that failed)."""
    from cluster_sim.core import BackendError, ClusterSimError, FieldsError, InputError, NotBuildableError, PlanError

    where = Where()
    try:
        yield where
    except BackendError as error:
        _leave(where.problem("backend", str(error)), _USAGE)
    except NotBuildableError as error:
        _leave(
            "\n".join(where.problem("topology", f"not buildable: {reason}") for reason in error.args[0]),
            _USAGE,
        )
    except PlanError as error:
        _leave(where.problem("job.algorithms", str(error)), _USAGE)
    except FieldsError as error:
        told = (problem.partition(": ") for problem in error.problems)
        _leave("\n".join(where.problem(field, message) for field, _, message in told), _USAGE)
    except InputError as error:
        _leave(str(error), _USAGE)
    except ClusterSimError as error:
        _leave(str(error), 1)
    except MemoryError as error:
        _leave(f"not enough memory: {error or 'an array is too large'}; make the job or the fabric smaller", 1)
    except KeyboardInterrupt:
        _leave("interrupted; a results folder without manifest.json is incomplete", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _leave(message: str, code: int) -> None:
    sys.stderr.write(message + "\n")
    sys.exit(code)


def setting_log(verbose: int) -> None:
    """Log to stderr: warnings, with -v phases, with -vv events."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
