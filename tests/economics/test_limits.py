"""What power decides, on a fat-tree of 4-port switches: 4 modules to a switch, 2 accelerators to a server."""

import pytest

from cluster_sim.catalogue import Given, given
from cluster_sim.core import NotBuildableError
from cluster_sim.economics import cooling_of
from cluster_sim.topology import FatTree, OcsSpine, Torus
from tests.economics.fixed import FIGURES
from tests.networks import count, equipment

LIMITS = {"cage_power": count(17.0), "liquid_cage_power": count(30.0), "max_power": None, "cooling": "air"}


@pytest.fixture
def cooled(change_entry):
    """``cooled(racks of, figures..., technologies...)``: how the small fat-tree is cooled."""

    def found(per_rack=None, figures=None, limits=None, topology=None, num=8, ports=4, decides=True, **changes):
        change_entry("tomahawk6", **LIMITS | (limits or {}))
        parts = equipment(num, ports, per_host=2, **changes)
        with given(FIGURES), given(Given(figures or {})):
            fabric = (topology or FatTree()).build(parts)
            return cooling_of(fabric, parts.interconnect, parts.accelerator, per_rack, decides)

    return found


def test_air_is_enough_where_nothing_is_hot(cooled):
    """Modules of 16 W in cages that cool 17 W."""
    found = cooled()
    assert (found.by, found.reason) == ("air", "")


def test_a_hot_module_needs_liquid_in_its_cage(cooled):
    found = cooled(figures={"800g-dsp-dr8": {"power": 25.0}})
    assert found.by == "liquid"
    assert found.reason == "800g-dsp-dr8 draws 25 W, a cage of tomahawk6 cools 17 W by air"


def test_a_module_at_the_limit_is_let_in(cooled):
    assert cooled(figures={"800g-dsp-dr8": {"power": 17.0}}).by == "air"
    cooled(figures={"800g-dsp-dr8": {"power": 30.0}})


def test_a_module_that_liquid_cannot_cool_is_not_buildable(cooled):
    with pytest.raises(NotBuildableError, match="800g-dsp-dr8 draws 31 W, a cage of tomahawk6 cools 30 W at most"):
        cooled(figures={"800g-dsp-dr8": {"power": 31.0}})


def test_engines_and_the_far_ends_of_links_are_in_no_cage_of_a_switch(cooled):
    """31 W in the server's NIC and in an engine are none of the switch's business."""
    hot = {"800g-dsp-dr8": {"power": 31.0}, "cpo-800g": {"power": 50.0}}
    cpo = {"host_leaf": {"lower": "800g-dsp-dr8", "upper": "cpo-800g"}}
    assert cooled(figures=hot, **cpo, leaf_spine="cpo-800g", spine_core="cpo-800g").by == "air"
    with pytest.raises(NotBuildableError):
        cooled(figures=hot, **cpo, leaf_spine="cpo-800g")


def test_cages_of_a_fabric_without_switches_do_not_decide(cooled):
    assert cooled(figures={"800g-dsp-dr8": {"power": 99.0}}, topology=Torus(shape=(2, 4))).by == "air"


def test_modules_below_an_ocs_are_in_the_spines_cages(cooled):
    with pytest.raises(NotBuildableError, match="800g-dsp-2xfr4 draws 40 W"):
        cooled(figures={"800g-dsp-2xfr4": {"power": 40.0}}, topology=OcsSpine(pod_accelerators=8), num=24, ports=8)


@pytest.mark.parametrize("technology", ["800g-dsp-dr8", "aec-800g", "cpo-800g"])
def test_a_chassis_bears_its_switch_and_what_is_plugged_into_it(cooled, technology):
    """A switch of 3,000 W with 4 ends of 15 W: 3,060 W fit, in 3,059 W they do not."""
    tiers = dict.fromkeys(("host_leaf", "leaf_spine", "spine_core"), technology)
    figures = {technology: {"power": 15.0}}
    assert cooled(figures=figures, limits={"max_power": count(3060.0)}, **tiers).by == "air"
    with pytest.raises(NotBuildableError) as caught:
        cooled(figures=figures, limits={"max_power": count(3059.0)}, **tiers)
    assert len(caught.value.args[0]) == 3
    assert "tomahawk6 as leaf draws 3000 W and its optics 60 W, its chassis bears 3059 W" in caught.value.args[0]


RACK = {"constants": {"rack_power_air": 5_000.0, "rack_power_liquid": 10_000.0}}


@pytest.mark.parametrize(("per_rack", "by"), [(3, "air"), (4, "liquid"), (7, "liquid")])
def test_a_rack_of_servers_needs_what_its_power_needs(cooled, change_entry, per_rack, by):
    """1,250 W of server and 40 W of NIC an accelerator: 3 are 3.87 kW, 4 are 5.16, 7 are 9.03."""
    found = cooled(per_rack, figures=RACK)
    assert found.by == by
    assert found.reason == (
        f"a rack of {per_rack} accelerators draws {1.29 * per_rack:.1f} kW, air cools 5 kW" if by == "liquid" else ""
    )


def test_a_rack_beyond_liquid_is_not_buildable(cooled):
    with pytest.raises(
        NotBuildableError, match=r"a rack of 8 accelerators draws 10.3 kW, liquid cools 10 kW; put fewer"
    ):
        cooled(8, figures=RACK)


def test_a_rack_holds_no_more_than_there_are(cooled):
    """Room for 64, and 8 accelerators."""
    with pytest.raises(NotBuildableError, match="a rack of 8 accelerators"):
        cooled(64, figures=RACK)


def test_all_reasons_are_told_at_once(cooled):
    hot = {"800g-dsp-dr8": {"power": 31.0}}
    with pytest.raises(NotBuildableError) as caught:
        cooled(8, figures=RACK | hot, limits={"max_power": count(3000.0)})
    assert len(caught.value.args[0]) == 1 + 3 + 1


def test_limits_that_do_not_decide_are_told(cooled):
    found = cooled(8, figures=RACK | {"800g-dsp-dr8": {"power": 31.0}}, decides=False)
    assert found.by == "liquid"
    assert "cools 30 W at most; a rack of 8 accelerators draws 10.3 kW" in found.reason


def test_limits_that_are_not_known_do_not_decide(cooled):
    unknown = dict.fromkeys(("cage_power", "liquid_cage_power", "max_power"))
    assert cooled(figures={"800g-dsp-dr8": {"power": 99.0}}, limits=unknown).by == "air"
    found = cooled(figures={"800g-dsp-dr8": {"power": 99.0}}, limits={"liquid_cage_power": None})
    assert found.by == "liquid"


def test_a_switch_that_is_cooled_by_liquid_says_so(cooled):
    found = cooled(limits={"cooling": "liquid"})
    assert (found.by, found.reason) == ("liquid", "tomahawk6 is cooled by liquid")
