"""Slim Fly: nearly as many switches as two hops between any of them allow [Besta and Hoefler 2014]."""

from typing import Literal

import numpy as np
from pydantic import Field

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import Array, Fabric
from cluster_sim.topology.base import TOPOLOGIES, Equipment, Topology
from cluster_sim.topology.floor_plan import FloorPlan
from cluster_sim.topology.graph import Joins, build_graph, check_switches

#: No switch has the ports for a q like this, prime or not.
_MOST_Q = 2**20


@TOPOLOGIES.register("slim_fly")
class SlimFly(Topology):
    """2q**2 switches of degree (3q - d) / 2 for a prime q = 4w + d, d = 1 or -1 [McKay, Miller, Siran 1998].

    Links inside the 2q groups of q switches are of the tier ``leaf_spine``, those between them of ``spine_core``.

    Attributes:
        q: prime, 5 or more; 0 for the smallest that holds the job.
        accelerators_per_switch: 0 for half the degree, rounded up.
    """

    kind: Literal["slim_fly"] = "slim_fly"
    q: int = Field(0, ge=0)
    accelerators_per_switch: int = Field(0, ge=0)
    floor: FloorPlan = FloorPlan()

    def build(self, equipment: Equipment) -> Fabric:
        """See Topology.build."""
        q = self.q or self._smallest(equipment)
        if q < 5 or (q < _MOST_Q and not _is_prime(q)):
            raise NotBuildableError((f"q is {q}; it must be a prime of 5 or more",))
        per_switch = self._per_switch(q)
        check_switches(2 * q * q, per_switch, _degree(q), equipment)
        if 2 * q * q * per_switch < equipment.num_endpoints:
            raise NotBuildableError(
                (f"a Slim Fly of q = {q} with {per_switch} accelerators below a switch holds {2 * q * q * per_switch}, "
                 f"not {equipment.num_endpoints}; make q larger",)
            )  # fmt: skip
        return build_graph(_joins(q), 2 * q * q, per_switch, equipment, self.floor)

    def _per_switch(self, q: int) -> int:
        return self.accelerators_per_switch or -(-_degree(q) // 2)

    def _smallest(self, equipment: Equipment) -> int:
        ports = equipment.interconnect.num_ports
        for q in filter(_is_prime, range(5, ports + 1)):
            if _degree(q) + self._per_switch(q) > ports:
                break
            if 2 * q * q * self._per_switch(q) >= equipment.num_endpoints:
                return q
        raise NotBuildableError(
            (f"no Slim Fly of {ports}-port switches holds {equipment.num_endpoints} accelerators; use dragonfly or a "
             "fat-tree",)
        )  # fmt: skip


def _is_prime(q: int) -> bool:
    return q > 1 and all(q % divisor for divisor in range(2, int(q**0.5) + 1))


def _degree(q: int) -> int:
    return (3 * q - (1 if q % 4 == 1 else -1)) // 2


def _joins(q: int) -> Joins:
    """Switch (s, x, y) has number s q**2 + x q + y."""
    powers, w = _powers_of_a_root(q), (q + 1) // 4
    first = powers[0::2] if q % 4 == 1 else np.concatenate([powers[0 : 2 * w - 1 : 2], powers[2 * w - 1 :: 2]])
    x, y, m = (index.ravel() for index in np.indices((q, q, q)))
    far = np.stack([x * q + y, q * q + m * q + (y - m * x) % q], axis=1)
    return Joins(np.concatenate([_inside(q, 0, first), _inside(q, 1, first * powers[1] % q)]), far)


def _inside(q: int, half: int, differences: Array) -> Array:
    """int64[n, 2]: switches of one group whose last numbers differ by one of ``differences``, each pair once."""
    group, y, step = (index.ravel() for index in np.indices((q, q, len(differences))))
    other = (y + differences[step]) % q
    once = y < other
    first = half * q * q + group * q
    return np.unique(np.stack([first + y, first + other], axis=1)[once], axis=0)


def _powers_of_a_root(q: int) -> Array:
    """int64[q-1]: 1, r, r**2... modulo q for the smallest r whose powers are all different."""
    for root in range(2, q):
        powers = np.ones(q - 1, np.int64)
        for number in range(1, q - 1):
            powers[number] = powers[number - 1] * root % q
        if len(np.unique(powers)) == q - 1:
            return powers
    raise AssertionError(f"{q} is not prime")
