"""The catalogue as users see it: figures, failures by part, and what is unverified."""

import json

from cluster_sim.catalogue import constants, fit_by_part, technology


def test_failures_are_shown_by_part(cli):
    fit = fit_by_part(technology("cpo-1.6t"))
    assert set(fit) == {"external laser", "rest"}
    told = json.loads(cli("catalogue", "cpo-1.6t", "--json").stdout)
    assert told["fit"] == {part: round(failures, 1) for part, failures in fit.items()}
    assert told["external_laser"] == "elsfp"
    text = " ".join(cli("catalogue", "cpo-1.6t").stdout.split())
    assert f"failures of an end in 10**9 hours (FIT): external laser {fit['external laser']:.1f}, rest" in text
    assert "replaced: switch" in text


def test_failures_of_whole_parts_are_shown_too(cli):
    told = json.loads(cli("catalogue", "h100-sxm", "--json").stdout)
    assert set(told["fit"]) == {"itself", "its host"}
    assert "fit" not in json.loads(cli("catalogue", "nvlink5", "--json").stdout)


def test_unverified_figures_are_listed(cli):
    told = json.loads(cli("catalogue", "--json").stdout)
    for section in told.values():
        for entry in section.values():
            assert entry["title"]
    assert told["technology"]["npo-800g"]["unverified"] == list(technology("npo-800g").unverified)
    assert "price" in told["technology"]["npo-800g"]["unverified"]
    unverified = told["constants"]["constants"]["unverified"]
    assert unverified == [name for name, figure in constants() if figure.status == "M"]
    text = cli("catalogue").stdout
    assert "laser_activation_ev" in text
    assert "unverified figures" in text
