"""Figures: numbers about the world that say where they come from."""

import pytest
from pydantic import ValidationError

from cluster_sim.catalogue import SECTIONS, Constants, Figure, constants, entries

FIGURES = [
    pytest.param(figure, id=f"{section} {name} {field}")
    for section in SECTIONS
    for name, entry in entries(section).items()
    for field, figure in entry.figures.items()
]
FIGURES += [pytest.param(getattr(constants(), name), id=f"constant {name}") for name in Constants.model_fields]


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_says_how_far_to_trust_it(figure):
    """A year, a source, a status, a range around the value; without a source it says so first."""
    assert 2000 <= figure.year <= 2030
    assert figure.source.strip()
    assert figure.status in ("V1", "V2", "V3", "D", "M")
    assert (figure.typical if figure.low is None else figure.low) <= figure.typical
    assert figure.typical <= (figure.typical if figure.high is None else figure.high)
    assert figure.source.startswith("unverified") == (figure.status == "M")
    assert figure.is_unverified == (figure.status == "M")


@pytest.mark.parametrize("figure", FIGURES)
def test_no_figure_is_derived_from_what_the_model_is_tested_against(figure):
    """The interruptions of Llama 3 405B are a target of verification, so that no rate may come from them."""
    assert "2407.21783" not in figure.source
    assert "Llama" not in figure.source


@pytest.mark.parametrize(("low", "typical", "high"), [(2.0, 1.0, 3.0), (1.0, 3.0, 2.0), (1.5, 1.0, None)])
def test_a_value_outside_its_range_is_refused(low, typical, high):
    with pytest.raises(ValidationError, match="expected low <= typical <= high"):
        Figure(typical=typical, low=low, high=high, year=2026, source="a test", status="D")


@pytest.mark.parametrize("missing", ["year", "source", "status", "typical"])
def test_a_figure_without_its_provenance_is_refused(missing):
    fields = {"typical": 1.0, "year": 2026, "source": "a test", "status": "D"}
    del fields[missing]
    with pytest.raises(ValidationError, match=missing):
        Figure(**fields)


def test_an_empty_source_or_an_unknown_status_is_refused():
    with pytest.raises(ValidationError):
        Figure(typical=1.0, year=2026, source="", status="D")
    with pytest.raises(ValidationError):
        Figure(typical=1.0, year=2026, source="a test", status="V4")


def test_figures_are_frozen():
    figure = Figure(typical=1.0, year=2026, source="a test", status="D")
    with pytest.raises(ValidationError):
        figure.typical = 2.0
