"""Everything of a cluster that can fail, from its fabric and the catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp, inf

import numpy as np

from cluster_sim.catalogue import (
    OCS_TIERS,
    Accelerator,
    Figure,
    Interconnect,
    LinkEnds,
    Technology,
    constants,
    laser,
    lasers_per_end,
)
from cluster_sim.core import YEAR_S
from cluster_sim.economics import Pieces, count_pieces, line_rate_of, modules_at
from cluster_sim.reliability.degraded import Degraded
from cluster_sim.reliability.hazards import Breaks, Hazard
from cluster_sim.reliability.settings import Reliability
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array, Fabric, is_scale_up

_BOLTZMANN_EV = 8.617333262e-5


@dataclass(frozen=True, slots=True)
class Inventory:
    """What can fail, and what that makes of the network.

    Attributes:
        rows: causes, also those of which there are no pieces.
        states: the degraded states of the network that they name.
        unverified: figures for which no source was retrieved.
    """

    rows: tuple[Hazard, ...]
    states: tuple[Degraded, ...]
    unverified: tuple[str, ...]


def take_inventory(
    fabric: Fabric, is_used: Array, interconnect: Interconnect, accelerator: Accelerator, num_accelerators: int,
    settings: Reliability,
) -> Inventory:  # fmt: skip
    """Everything that can fail, as the catalogue says now.

    Args:
        fabric: as built.
        is_used: bool[L], links that carry anything of the job; others may fail unnoticed.
        interconnect: what it is made of.
        accelerator: of the job.
        num_accelerators: of the job.
        settings: times, transport and spares.
    """
    return _Count(fabric, is_used, interconnect, accelerator, num_accelerators, settings).all()


class _Count:
    """An inventory on the way."""

    def __init__(
        self, fabric: Fabric, is_used: Array, interconnect: Interconnect, accelerator: Accelerator,
        num_accelerators: int, settings: Reliability,
    ) -> None:  # fmt: skip
        self.fabric, self.interconnect, self.accelerator = fabric, interconnect, accelerator
        self.num_accelerators, self.settings = num_accelerators, settings
        self.is_used = np.asarray(is_used | is_used[np.arange(len(is_used)) ^ 1])
        self.reroute_s = 0.0 if settings.transport == "multipath" else settings.used_s("reroute")
        self.flap_s = settings.used_s("flap")
        self.is_outside = ~fabric.inside_tiers[fabric.links.tier]
        self.has_only_one = _links_of_endpoints(fabric, self.is_outside) == 1
        self.states: dict[str, Degraded] = {}
        self.unverified: dict[str, None] = dict.fromkeys(settings.unverified)

    def all(self) -> Inventory:
        """Servers, links tier by tier, switches, OCS."""
        rows = [*self._servers(), *self._inside()]
        for number, tier in enumerate(self.fabric.tiers):
            up = np.flatnonzero((self.fabric.links.tier == number) & self.is_used)[::2]
            if len(up) and not is_scale_up(tier):
                rows += self._tier(tier, up)
        rows += [*self._switches(), *self._ocs()]
        return Inventory(tuple(rows), tuple(self.states.values()), tuple(self.unverified))

    def _rate(self, name: str, what: str, figure: Figure) -> float:
        """Failures a second of a figure in failures a year."""
        self._trusts(name, what, figure)
        return figure.typical / YEAR_S

    def _trusts(self, name: str, what: str, figure: Figure) -> None:
        if figure.is_unverified:
            self.unverified[f"{name} {what}"] = None

    def _servers(self) -> Iterator[Hazard]:
        chip, nic = self.accelerator, self.interconnect.nic_entry
        name, repair_s = "accelerator", chip.repair_time.typical
        num_hosts = ceil(self.num_accelerators / chip.accelerators_per_host.typical)
        self._trusts(name, "repair_time", chip.repair_time)
        rate = self._rate(name, "annual_failure", chip.annual_failure)
        yield Hazard("accelerator", "gpu", self.num_accelerators, rate, repair_s, servers=1)
        rate = self._rate(name, "host_annual_failure", chip.host_annual_failure)
        yield Hazard("host", "host", num_hosts, rate, repair_s, servers=1)
        rate = self._rate(self.interconnect.nic, "annual_failure", nic.annual_failure)
        yield Hazard(
            "nic", "nic", self.num_accelerators, rate, nic.repair_time.typical, self.interconnect.nic, servers=1
        )
        rate = self._rate("software", "failures", constants().software_failure)
        yield Hazard("software", "software", self.num_accelerators, rate, 0.0)

    def _inside(self) -> Iterator[Hazard]:
        """Scale-up links that the interconnect names: without one of them a server is of no use."""
        pieces = count_pieces(self.fabric, self.interconnect, self.accelerator.scale_up)
        for tier in filter(is_scale_up, self.fabric.tiers):
            ends, here = self.interconnect.inside(tier), [piece for piece in pieces if piece.tier == tier]
            if ends is not None and here:
                yield from self._inside_tier(tier, ends, here)

    def _inside_tier(self, tier: str, ends: LinkEnds, pieces: list[Pieces]) -> Iterator[Hazard]:
        """Its cables, or modules at both ends, and flaps of each of those that lie side by side in one link."""
        where = tier.replace("_", "-", 1).replace("_", " ")
        counts = {piece.part: self._inside_jobs(piece.count) for piece in pieces}
        for name, end in ends.by_name.items():
            yield from self._parts(where, name, end, counts[name], tier, Breaks(servers=1))
            if end.external_laser is not None:
                yield self._external(where, end, counts[name], tier, Breaks(servers=1))
        links = sum(piece.count for piece in pieces if piece.kind in ("cable", "fibre"))
        yield self._flaps(where, ends, self._inside_jobs(links), tier, inf)

    def _inside_jobs(self, num: int) -> int:
        """The job's share of what its servers and those of others have."""
        return round(num * self.num_accelerators / self.fabric.num_endpoints)

    def _tier(self, tier: str, up: Array) -> Iterator[Hazard]:
        """Cables or modules of both ends, their lasers, and flaps."""
        ends, links = self.interconnect.ends(tier), self.fabric.links
        lower, upper = ends.technologies
        lower_node, upper_node = links.src[up], links.dst[up]
        box, (below, above) = self._box(tier, lower_node), self._places(tier, lower_node, upper_node)
        if lower.form == "cable":
            _, boxes = np.unique(np.stack([box, upper_node]), axis=1, return_inverse=True)
            yield from self._end(tier, tier, up, ends.lower, lower, boxes.ravel(), lower_node)
        else:
            yield from self._end(tier, below, up, ends.lower, lower, box, lower_node)
            if tier not in OCS_TIERS:  # the other end of a link into an OCS is glass
                yield from self._end(tier, above, up, ends.upper, upper, upper_node, upper_node)
        yield self._flaps(tier, ends, len(up), tier, self._detour_s(up))

    def _flaps(self, where: str, ends: LinkEnds, num: int, tier: str, detour_s: float) -> Hazard:
        """Of so many links, as often as the mean of the technologies at their ends."""
        rates = [self._rate(name, "flaps", end.flaps) for name, end in ends.by_name.items()]
        return Hazard(
            f"{where} flaps", "flap", num, sum(rates) / len(rates), 0.0, ends.label, tier, outage_s=self.flap_s,
            detour_s=detour_s,
        )  # fmt: skip

    def _places(self, tier: str, lower: Array, upper: Array) -> tuple[str, str]:
        """Where modules of a tier are: ``leaf_spine leaf``, ``leaf_spine spine``, or ``other leaf`` among equals."""
        below, above = (
            NODE_KINDS[self.fabric.node_kind[int(node[0])]].replace("endpoint", "host") for node in (lower, upper)
        )
        return f"{tier} {below}", f"{tier} {'other ' if above == below else ''}{above}"

    def _box(self, tier: str, node: Array) -> Array:
        """Accelerators by their servers, where these share the modules of a tier, as in the bill."""
        if tier not in ("host_leaf", "host_ocs"):
            return node
        host, is_endpoint = self.fabric.endpoint_host, node < self.fabric.num_endpoints
        return np.where(is_endpoint, host[np.where(is_endpoint, node, 0)], node + len(host))

    def _detour_s(self, up: Array) -> float:
        """Mean time until traffic goes around these links; inf where one is the only one of an accelerator."""
        return inf if len(self._cut_off(up)) else self.reroute_s

    def _cut_off(self, up: Array) -> Array:
        """int64[...], accelerators that have no other link than these."""
        src = self.fabric.links.src[up]
        src = src[src < self.fabric.num_endpoints]
        return np.asarray(src[self.has_only_one[src]])

    def _end(
        self, tier: str, where: str, up: Array, name: str, end: Technology, box: Array, node: Array
    ) -> Iterator[Hazard]:  # fmt: skip
        """Modules, engines or cables in ``box`` of the links ``up``, at ``node``; lasers in and outside of them."""
        pieces = modules_at(end, np.unique(box, return_inverse=True)[1].ravel(), line_rate_of(self.fabric, up))
        count = int(pieces.sum())
        ports = max(round(len(up) / count), round(end.ports_per_engine.typical) if end.ports_per_engine else 1)
        yield from self._parts(where, name, end, count, tier, self._breaks(tier, up, node, ports, end.replaced))
        if end.external_laser is not None:
            ports = max(round(len(up) / (count * lasers_per_end(end))), 1)
            yield self._external(where, end, count, tier, self._breaks(tier, up, node, ports, "module"))

    def _parts(self, where: str, name: str, end: Technology, num: int, tier: str, breaks: Breaks) -> Iterator[Hazard]:
        """So many modules, engines or cables, and the lasers inside of them."""
        self._trusts(name, "repair_time", end.repair_time)
        rate, repair_s = self._rate(name, "annual_failure", end.annual_failure), end.repair_time.typical
        share = end.laser_share.typical if end.laser_share else 0.0
        yield Hazard(f"{where} {end.form}", "link", num, rate * (1 - share), repair_s, name, tier).that(breaks)
        yield Hazard(f"{where} laser", "laser", num, self._hot(rate * share), repair_s, name, tier).that(breaks)

    def _external(self, where: str, end: Technology, num_ends: int, tier: str, breaks: Breaks) -> Hazard:
        """The laser modules that feed so many engines."""
        assert end.external_laser is not None, "light comes from elsewhere"
        name, light = end.external_laser, laser(end.external_laser)
        self._trusts(name, "repair_time", light.repair_time)
        rate = self._hot(self._rate(name, "annual_failure", light.annual_failure))
        num = ceil(num_ends * lasers_per_end(end) - 1e-9)
        return Hazard(
            f"{where} external laser", "laser", num, rate, light.repair_time.typical, name, tier
        ).that(breaks)  # fmt: skip

    def _hot(self, rate_per_s: float) -> float:
        """Of lasers, at the temperature that they have [Arrhenius]."""
        if self.settings.laser_temperature_kelvin is None:
            return rate_per_s
        self._trusts("laser", "activation energy", constants().laser_activation_ev)
        return rate_per_s * laser_ageing(self.settings.laser_temperature_kelvin)

    def _breaks(self, tier: str, up: Array, node: Array, ports: int, replaced: str) -> Breaks:
        """What follows where ``ports`` of a tier go down together, at one node, and ``replaced`` is taken out."""
        kind = NODE_KINDS[self.fabric.node_kind[int(node[0])]]
        if replaced == "switch" and kind in PACKET_SWITCHES:
            return self._without(kind)
        if replaced == "server" or len(self._cut_off(up)):
            return Breaks(servers=max(self._num_servers(up[node == node[0]][:ports]), 1))
        state = tier if ports == 1 else f"{ports} {tier} of a {kind}"
        self.states.setdefault(state, Degraded(state, tier, ports, bool((node == self.fabric.links.src[up]).all())))
        return Breaks(self.reroute_s, state=state)

    def _num_servers(self, up: Array) -> int:
        """Servers that these links cut off."""
        return len(np.unique(self.fabric.endpoint_host[self._cut_off(up)]))

    def _without(self, kind: str) -> Breaks:
        """What follows where a switch of a kind is gone."""
        used = self.is_used & self.is_outside
        below = np.flatnonzero((self.fabric.links.dst == self._nodes(kind)[0]) & used)
        if len(self._cut_off(below)):
            return Breaks(servers=self._num_servers(below))
        self.states.setdefault(kind, Degraded(kind, kind, 0, False))
        return Breaks(self.reroute_s, state=kind)

    def _nodes(self, kind: str) -> Array:
        """Nodes of a kind that the job uses."""
        links, used = self.fabric.links, self.is_used & self.is_outside
        nodes = np.unique(np.concatenate([links.src[used], links.dst[used]]))
        return np.asarray(nodes[self.fabric.node_kind[nodes] == NODE_KINDS.index(kind)])

    def _switches(self) -> Iterator[Hazard]:
        entry, name = self.interconnect.switch_entry, self.interconnect.switch
        self._trusts(name, "repair_time", entry.repair_time)
        rate = self._rate(name, "annual_failure", entry.annual_failure)
        for kind in PACKET_SWITCHES:
            count = len(self._nodes(kind))
            if count:
                num, repair_s = count, entry.repair_time.typical
                switches = Hazard(f"{kind} switch", "switch", num, rate, repair_s, name, kind)
                yield switches.that(self._without(kind))

    def _ocs(self) -> Iterator[Hazard]:
        """Circuits of one that has failed are led over a spare one, where there is any."""
        nodes = self._nodes("ocs")
        for piece in count_pieces(self.fabric, self.interconnect) if len(nodes) else ():
            if piece.kind != "ocs":
                continue
            all_nodes = (self.fabric.node_kind == NODE_KINDS.index("ocs")).sum()
            count = round(piece.count * len(nodes) / all_nodes)
            entry, has_spare = self.interconnect.ocs_entry, self.settings.spare_ocs > 0
            self._trusts(piece.part, "repair_time", entry.repair_time)
            rate = self._rate(piece.part, "annual_failure", entry.annual_failure)
            repair_s = self.settings.used_s("rewire") if has_spare else entry.repair_time.typical
            boxes = Hazard("optical circuit switch", "ocs", count, rate, repair_s, piece.part, piece.tier)
            yield boxes.that(self._without("ocs"))


def laser_ageing(kelvin: float) -> float:
    """Failures of lasers at a case temperature over those at the one that the catalogue's figures hold for.

    Arrhenius: exp(activation energy / Boltzmann constant x (1 / reference - 1 / temperature)).
    """
    energy_ev, reference = constants().laser_activation_ev.typical, constants().laser_temperature.typical
    return exp(energy_ev / _BOLTZMANN_EV * (1 / reference - 1 / kelvin))


def _links_of_endpoints(fabric: Fabric, is_outside: Array) -> Array:
    """int64[endpoints], links that leave each into the network."""
    src = fabric.links.src[is_outside]
    return np.bincount(src[src < fabric.num_endpoints], minlength=fabric.num_endpoints)
