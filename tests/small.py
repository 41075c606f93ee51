"""A small cluster for tests: 64 accelerators, a tiny transformer, two pods. A run takes about a tenth of a second."""

from pathlib import Path

from cluster_sim.config import CompareConfig, RunConfig, load_config

#: Line numbers matter to the tests of messages: add at the end.
SMALL = """\
name: small
seed: 1
backend: auto
routing: spray
record: tasks
job:
  accelerators: 64
  accelerator: h100-sxm
  model:
    layers: 4
    hidden: 512
    heads: 8
    vocabulary: 1024
    sequence: 256
  parallelism:
    tensor: 2
    pipeline: 2
    data: 16
  global_batch: 64
  micro_batch: 1
  schedule: 1f1b
  algorithms:
    all_reduce: hierarchical_all_reduce
interconnect:
  port_rate: 800 Gbps
  nic: connectx8-800g
  switch: tomahawk5
  host_leaf: 800g-dsp-dr8
  leaf_spine: 800g-dsp-dr8
  spine_core: 800g-dsp-dr8
  ocs: palomar-mems
topology:
  kind: clos
  pod_accelerators: 32
  floor:
    slack: 1.5 m
"""

#: Two technologies that can carry it and one that cannot (copper across the hall), over a Clos and an OCS spine.
SMALL_COMPARISON = """\
seed: 1
backend: numpy
compare:
  jobs:
    tiny:
      accelerators: 64
      accelerator: h100-sxm
      model: {layers: 4, hidden: 512, heads: 8, vocabulary: 1024, sequence: 256}
      parallelism: {tensor: 2, pipeline: 2, data: 16}
      global_batch: 64
  topologies:
    clos: {kind: clos, pod_accelerators: 32}
    ocs: {kind: ocs_spine, pod_accelerators: 32}
  interconnects:
    dsp:
      port_rate: 800 Gbps
      nic: connectx8-800g
      switch: tomahawk5
      host_leaf: 800g-dsp-dr8
      leaf_spine: 800g-dsp-dr8
      spine_core: 800g-dsp-dr8
      spine_ocs: 800g-dsp-2xfr4
    npo:
      port_rate: 800 Gbps
      nic: connectx8-800g
      switch: tomahawk5
      host_leaf: npo-800g
      leaf_spine: npo-800g
      spine_core: npo-800g
    dac:
      port_rate: 800 Gbps
      nic: connectx8-800g
      switch: tomahawk5
      host_leaf: dac-800g
      leaf_spine: dac-800g
      spine_core: dac-800g
"""


def edited(text: str, *edits: tuple[str, str]) -> str:
    """``text`` with each (old, new) replaced; every old one must be there exactly once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def write_small(folder: Path, *edits: tuple[str, str], name: str = "small.yaml") -> Path:
    """The small run as a file, with edits."""
    path = folder / name
    path.write_text(edited(SMALL, *edits), encoding="utf-8")
    return path


def write_comparison(folder: Path, *edits: tuple[str, str], name: str = "versus.yaml") -> Path:
    """The small comparison as a file, with edits."""
    path = folder / name
    path.write_text(edited(SMALL_COMPARISON, *edits), encoding="utf-8")
    return path


def small_run(folder: Path, *settings: str) -> RunConfig:
    """The small run as a configuration."""
    config = load_config(write_small(folder), settings)
    assert isinstance(config, RunConfig)
    return config


def small_comparison(folder: Path, *settings: str) -> CompareConfig:
    """The small comparison as a configuration."""
    config = load_config(write_comparison(folder), settings)
    assert isinstance(config, CompareConfig)
    return config
