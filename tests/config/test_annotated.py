"""configs/annotated.yaml has every key of a run, and every key that it has is read."""

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from cluster_sim.catalogue import Compute, Given
from cluster_sim.config import RunConfig, load_config
from cluster_sim.core.units import strip_unit

FILE = Path(__file__).parents[2] / "configs" / "annotated.yaml"
TEXT = FILE.read_text(encoding="utf-8")
#: Of another topology, or in a file of its own.
ELSEWHERE = {"reconfigure", "kernels", "other"}


def specs_below(annotation):
    """Every Spec that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*(specs_below(part) for part in typing.get_args(annotation)))


def all_specs(spec=RunConfig):
    """Every Spec of a run but those of what ``kernels`` names, a file of its own."""
    found, waiting = set(), {spec}
    while waiting:
        one = waiting.pop()
        found.add(one)
        below = set().union(*(specs_below(field.annotation) for field in one.model_fields.values()))
        waiting |= below - found - {Compute, Given}
    return sorted(found, key=lambda one: one.__name__)


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.__name__)
def test_every_key_stands_in_the_file(spec):
    keys = [strip_unit(name) for name in spec.model_fields]
    assert [key for key in keys if not re.search(rf"\b{key}\s*:", TEXT)] == []


def hidden_settings():
    """Keys behind a comment sign with their values in one line, as settings."""
    at = []
    for line in re.sub(r",\n +# +", ", ", TEXT).splitlines():
        key = re.match(r"^( *)(# ( *))?(\w+):( |$)", line)
        if not key:
            continue
        depth = (len(key[1]) + len(key[3] or "")) // 2
        at = [*at[:depth], key[4]]
        value = line.split(":", 1)[1].partition("  #")[0].strip()
        if key[2] and value and key[4] not in ELSEWHERE:
            yield f"{'.'.join(at)}={value.partition('}')[0] + '}' if '{' in value else value}"


def test_hidden_keys_are_read():
    """Without their comment signs all are accepted, together; a mixture has its own MLPs."""
    settings = list(hidden_settings())
    names = {setting.partition("=")[0] for setting in settings}
    assert {"job.model.experts", "job.model.latent", "job.slowdown", "job.checkpoint.every"} <= names
    latent = [setting for setting in settings if "latent" in setting]
    load_config(FILE, ["job.force=true", *(setting for setting in settings if setting not in latent)])
    load_config(FILE, ["job.model.kv_heads=0", *latent])
