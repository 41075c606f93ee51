"""A catalogue in which some entries are others."""

import pytest

from cluster_sim.catalogue import SECTIONS, entries, load


@pytest.fixture
def change_entry(monkeypatch):
    """``change_entry(name, **fields)``: until the test ends the entry has these fields."""

    def change(name, **fields):
        known = next(entries(section) for section in SECTIONS if name in entries(section))
        monkeypatch.setitem(known, name, known[name].model_copy(update=fields))
        load._given_entry.cache_clear()

    yield change
    monkeypatch.undo()
    load._given_entry.cache_clear()
