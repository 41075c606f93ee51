"""How busy the tiers of a fabric were on average: what a network burns depends on it."""

import numpy as np

from cluster_sim.engine.routes import Routes
from cluster_sim.engine.simulation import Outcome
from cluster_sim.tables import NODE_KINDS, PACKET_SWITCHES, Array


def mean_utilisation(routes: Routes, outcome: Outcome) -> dict[str, float]:
    """What was carried over what could have been, in [0, 1], from the start until the last task ended.

    By tier, and by kind of packet switch, of the links that enter it. Fused collectives are part of compute tasks and
    are not counted.
    """
    links, fabric = routes.fabric.links, routes.fabric
    carried = routes.carried_by_links(outcome.carried)[0]
    could = links.capacity_bytes_per_s * float(outcome.end_s.max(initial=0.0))
    found = _ratios(fabric.tiers, links.tier, carried, could)
    kinds = _ratios(NODE_KINDS, fabric.node_kind[links.dst], carried, could)
    present = {NODE_KINDS[kind] for kind in np.unique(fabric.node_kind).tolist()}
    return found | {kind: kinds[kind] for kind in PACKET_SWITCHES if kind in present}


def _ratios(names: tuple[str, ...], number: Array, carried: Array, could: Array) -> dict[str, float]:
    """Sums of what was over sums of what could have been, by name, for links int32[L] numbered by it."""
    total, most = (np.bincount(number, column, len(names)) for column in (carried, could))
    ratio = np.divide(total, most, out=np.zeros(len(names)), where=most > 0)
    return {name: float(min(one, 1.0)) for name, one in zip(names, ratio, strict=True)}
