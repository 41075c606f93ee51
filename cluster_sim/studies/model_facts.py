"""What is known of a table's models besides its columns: from a ``models.csv`` beside it, or from the catalogue."""

import re
from collections.abc import Mapping
from pathlib import Path

from cluster_sim.catalogue import ModelFacts, models
from cluster_sim.studies.measured_steps import MeasuredStep
from cluster_sim.studies.rows import Problems, Row, check_has_rows, missing_columns, read_lines, repeated_columns

_FILE = "models.csv"
_NEEDED = ("model", "tied_embeddings")
#: Columns that are read, by the facts that they give; others may be there.
_COLUMNS = {
    "query_rank": "q_lora_rank", "kv_rank": "kv_lora_rank", "nope_head": "qk_nope_head_dim",
    "rope_head": "qk_rope_head_dim", "value_head": "v_head_dim", "mtp_layers": "mtp_layers",
}  # fmt: skip
#: Widths of latent attention in every published model that has it.
_LATENT = {"query_rank": 1536, "kv_rank": 512, "nope_head": 128, "rope_head": 64}

Facts = Mapping[str, ModelFacts]


def facts_beside(table: Path) -> Facts:
    """Facts by name of the model from ``models.csv`` in the folder of a table; none where there is no such file.

    Raises:
        ConfigError: the file cannot be read or has mistakes; all of them, each with its line.
    """
    path = table.parent / _FILE
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> Facts:
    names, lines = read_lines(path)
    problems = Problems(path)
    told = missing_columns(names, _NEEDED, f"a file {_FILE} beside a table of training steps")
    told = [f"{message}; rename the file if it is something else" for message in told]
    for message in (*told, *repeated_columns(names, (*_NEEDED, *_COLUMNS.values(), "notes"))):
        problems.add(1, message)
    problems.stop()
    check_has_rows(path, lines)
    found = [_facts(Row(line, names, cells, problems)) for line, cells in lines]
    problems.add_twice(names, lines, "model")
    problems.stop()
    return dict(found)


def _facts(row: Row) -> tuple[str, ModelFacts]:
    if row.is_whole and not row.text("model"):
        row.wrong("model: is empty; give the model a name")
    tied = row.text("tied_embeddings")
    if row.is_whole and tied not in ("0", "1"):
        row.wrong(f"tied_embeddings: expected 0 or 1; got {tied!r}")
    numbers = {name: row.count(column, 0, 0) for name, column in _COLUMNS.items()} if row.is_whole else {}
    said = _said(row.text("notes"))
    return row.text("model"), ModelFacts(source=_FILE, tied_embeddings=tied == "1", **{**numbers, **said})


def _said(notes: str) -> dict[str, int]:
    """What the notes of a model say of layers that differ from others."""
    said: dict[str, int] = {}
    if re.search(r"moe in every second layer", notes, re.IGNORECASE):
        said["expert_every"] = 2
    if found := re.search(r"every second layer has a (\d{1,9})-token attention window", notes, re.IGNORECASE):
        said.update(window=int(found[1]), window_every=2)
    return said


def facts_of(row: MeasuredStep, beside: Facts) -> tuple[ModelFacts, tuple[str, ...]]:
    """(facts about the model of a row, what of them is assumed)."""
    catalogued = _catalogued(row.model)
    known = beside.get(row.model) or catalogued
    facts, assumed = known or _guessed(row), () if known else (_guess_told(row),)
    if catalogued and not facts.activation_passes:  # no table has a column for it
        facts = facts.model_copy(update={"activation_passes": catalogued.activation_passes})
    if row.attention == "mla" and not facts.kv_rank:
        facts = facts.model_copy(update={**_LATENT, "value_head": row.head_dim or 128})
        assumed = (*assumed, "widths of latent attention as in DeepSeek-V3")
    return facts, assumed


def _catalogued(name: str) -> ModelFacts | None:
    """The catalogue's facts about the models whose names begin like this one; a name can say itself that it ties."""
    known = models()
    begins = max((key for key in known if name.lower().startswith(key)), key=len, default=None)
    if begins is None:
        return None
    facts = known[begins]
    return facts.model_copy(update={"tied_embeddings": True}) if name.lower().endswith("-tied") else facts


def _guessed(row: MeasuredStep) -> ModelFacts:
    """GPT-2 and its like share their embeddings, models with gated MLPs or grouped queries do not."""
    is_like_gpt2 = not row.gated_mlp and row.kv_heads == row.heads
    return ModelFacts(source="guessed", tied_embeddings=is_like_gpt2)


def _guess_told(row: MeasuredStep) -> str:
    how = "shared" if _guessed(row).tied_embeddings else "not shared"
    return f"model {row.model!r} is not known: embeddings {how}, no layers for further tokens, no windows"
