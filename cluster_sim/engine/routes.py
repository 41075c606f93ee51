"""Collectives as flows, ready for the kernels: routed, refined, and with the capacities of every OCS setting.

A route is what collectives with the same traffic and OCS setting share; a collective is a route with a size. A pattern
is one round of a route.
"""

import logging
from dataclasses import dataclass

import numpy as np

from cluster_sim.backend import Backend
from cluster_sim.engine.settings import Light, kept_while_switching, set_circuits
from cluster_sim.engine.symmetry import merge
from cluster_sim.kernels import FlowTable
from cluster_sim.routing import Routing
from cluster_sim.tables import NODE_KINDS, NONE, Array, Collective, Fabric, Flows, Rows, Traffic, starts_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """Everything the network needs to know before it starts.

    Attributes:
        fabric: the fabric.
        table: what may flow: classes of flows over classes of rows.
        row_class: int32[rows], class of each row.
        class_row: int64[row classes], one row of each class.
        route: int32[collectives], route of each.
        route_patterns: int64[routes+1], where each route's patterns start; one per round.
        pattern_route: int32[patterns].
        light: settings of the OCS.
        switching: by (setting before, setting after), which row of ``capacity`` holds while the OCS switch.
        rows: of each setting, then of each switching, before refinement.
        capacity: float64[settings + switchings, row classes], bytes/s.
    """

    fabric: Fabric
    table: FlowTable
    row_class: Array
    class_row: Array
    route: Array
    route_patterns: Array
    pattern_route: Array
    light: Light
    switching: dict[tuple[int, int], int]
    rows: tuple[Rows, ...]
    capacity: Array

    def link_of(self, row_class: int) -> str:
        """Name of a link that the row class stands for."""
        if row_class == NONE:
            return "none"
        for rows in self.rows:
            links = np.flatnonzero(rows.link_row == self.class_row[row_class])
            if len(links):
                return self.fabric.link_name(int(links[0]))
        return f"row {row_class}"

    def used_links(self) -> Array:
        """bool[L], links that a collective crosses in some setting of the OCS, fused ones included."""
        is_crossed = np.zeros(len(self.class_row), bool)
        is_crossed[self.table.hop_row] = True
        is_used = np.zeros(len(self.fabric.links), bool)
        for rows in self.rows:
            lit = np.flatnonzero(rows.link_row != NONE)
            is_used[lit] |= is_crossed[self.row_class[rows.link_row[lit]]]
        return is_used

    def carried_by_links(self, carried: tuple[tuple[int, Array], ...]) -> Array:
        """float64[4, L]: bytes, busy s, full s and peak bytes/s of every link, from what the row classes carried.

        Fused collectives are part of compute tasks and are not counted.

        Args:
            carried: (setting, float64[4, row classes]) for each stretch of time, as in Outcome.
        """
        links = self.fabric.links
        is_out_of_ocs = self.fabric.node_kind[links.src] == NODE_KINDS.index("ocs")
        total = np.zeros((4, len(links)))
        for setting, amounts in carried:
            rows = self.rows[setting]
            lit = np.flatnonzero(rows.link_row != NONE)
            row = rows.link_row[lit]
            # A trunk's links into and out of the OCS are of one row, and each way they carry all of it.
            way = row.astype(np.int64) * 2 + is_out_of_ocs[lit]
            share = links.capacity_bytes_per_s[lit] / np.bincount(way, links.capacity_bytes_per_s[lit])[way]
            mine = amounts[:, self.row_class[row]]
            total[0, lit] += mine[0] * share
            total[1:3, lit] += mine[1:3]
            total[3, lit] = np.maximum(total[3, lit], mine[3] * share)
        return total


def route_collectives(
    collectives: tuple[Collective, ...],
    num_runs: Array,
    fabric: Fabric,
    routing: Routing,
    key: int,
    num_phases: int,
    backend: Backend | None = None,
) -> Routes:
    """Set the OCS for the traffic, route every collective, and merge what nothing can tell apart.

    Args:
        collectives: C patterns.
        num_runs: int64[C], how often each runs; the weights of the traffic matrix.
        fabric: where they run.
        routing: how paths are chosen.
        key: 64 random bits of this job.
        num_phases: OCS phases of a step.
        backend: what finds symmetries; None for NumPy.
    """
    light = set_circuits(collectives, num_runs, fabric, num_phases)
    settings, kept = light.settings, kept_while_switching(light)
    rows = routing.rows_of_settings(fabric, (*settings, *kept.values()))
    sent, route = _sent(collectives, light, fabric, routing, key, rows, backend)
    rounds = np.array([int(part.round.max(initial=-1)) + 1 for part in sent], np.int64)
    route_patterns = starts_of(rounds)
    merged = merge(
        sent,
        route_patterns,
        rows,
        fabric,
        lambda traffic: routing.route(traffic, fabric, settings[0], key, rows[0], backend),
        backend,
    )
    logger.info("%d flows in %d classes", merged.num_flows, len(merged.table.size_bytes))
    return Routes(
        fabric=fabric, table=merged.table, row_class=merged.row_class, class_row=merged.row, route=route,
        route_patterns=route_patterns,
        pattern_route=np.repeat(np.arange(len(sent), dtype=np.int32), rounds), light=light,
        switching={change: len(settings) + number for number, change in enumerate(kept)}, rows=rows,
        capacity=np.stack([row.capacity_bytes_per_s[merged.row] for row in rows]),
    )  # fmt: skip


def _sent(
    collectives: tuple[Collective, ...], light: Light, fabric: Fabric, routing: Routing, key: int,
    rows: tuple[Rows, ...], backend: Backend | None,
) -> tuple[list[Flows | Traffic], Array]:  # fmt: skip
    """(what each route sends, at least one; route of each collective)."""
    numbers: dict[tuple[int, int, int], int] = {}
    sent: list[Flows | Traffic] = []
    route = np.empty(len(collectives), np.int32)
    for number, collective in enumerate(collectives):
        setting, circuits = int(light.collective_setting[number]), light.circuits[number]
        same = (id(collective.traffic), setting, id(circuits))
        if same not in numbers:
            numbers[same] = len(sent)
            if _stays_in_groups(collective.traffic, fabric, routing):
                sent.append(collective.traffic)
            else:
                sent.append(routing.route(collective.traffic, fabric, circuits, key, rows[setting], backend))
        route[number] = numbers[same]
    return sent or [routing.route(Traffic.none(), fabric, light.settings[0], key, rows[0])], route


def _stays_in_groups(traffic: Traffic, fabric: Fabric, routing: Routing) -> bool:
    """Whether groups that do the same can be told apart by what they hang from alone."""
    if traffic.ranks is None or not routing.is_even or fabric.planner is not None:
        return False
    return fabric.paths.places(np.zeros(0, np.int64)) is not None
