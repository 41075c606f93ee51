"""What collectives of a job take on a fabric by the alpha-beta model of ``algorithms: auto``, software included."""

from dataclasses import replace

import numpy as np

from cluster_sim.collectives import AUTO, Estimate, Groups, LinkCosts, choose, estimate_of, estimates, shape_on
from cluster_sim.tables import Array, Fabric
from cluster_sim.workload import Job


class CollectiveCosts:
    """Costs of collectives; those of the same ranks are worked out once.

    Args:
        job: which algorithms it uses, and what runs them; its split does not count.
        fabric: what the ranks lie on.
    """

    def __init__(self, job: Job, fabric: Fabric) -> None:
        self.job, self.fabric, self.library = job, fabric, job.library
        self.links = LinkCosts.of(fabric, ("", "scale_up") if job.reduces_inside else ("",))
        self._found: dict[tuple[str, bytes], tuple[Estimate, ...]] = {}

    def seconds(self, operation: str, ranks: Array, size_bytes: float) -> float:
        """Time of a collective of int32[n] ranks; NaN for one rank.

        Raises:
            InputError: the job's algorithm cannot run among these ranks.
        """
        return np.nan if len(ranks) == 1 else self.cost(operation, ranks, size_bytes).time_s(size_bytes)

    def cost(self, operation: str, ranks: Array, size_bytes: float) -> Estimate:
        """Of the job's algorithm among two ranks or more; the fastest for that size where the job leaves it open."""
        key = (operation, ranks.tobytes())
        if key not in self._found:
            self._found[key] = self._estimates(operation, ranks)
        found = self._found[key]
        if len(found) == 1:
            return found[0]
        name = choose(found, size_bytes)
        return next(estimate for estimate in found if estimate.name == name)

    def _estimates(self, operation: str, ranks: Array) -> tuple[Estimate, ...]:
        shape = shape_on(self.fabric.torus, ranks[None])
        groups = Groups(ranks[None], self.fabric.endpoint_domain, self.fabric.endpoint_pod, shape)
        name = self.job.algorithms.chosen.get(operation, operation)
        found = estimates(operation, groups, self.links) if name == AUTO else (estimate_of(name, groups, self.links),)
        overhead_s = self.library.overhead_s(operation, groups) if self.library else 0.0
        return tuple(replace(estimate, latency_s=estimate.latency_s + overhead_s) for estimate in found)


class TypicalRanks:
    """A group of ranks of each kind that exchange something under one split, in the first stage.

    The first group stands for all, unless domains cut some groups and not others: then one that lies in most domains.

    Args:
        job: how it is split decides.
        domain: int32[endpoints], scale-up domain of each.
    """

    def __init__(self, job: Job, domain: Array) -> None:
        p = job.parallelism
        self.domain, self.size = domain, int(np.bincount(domain).max())
        self.stage = p.stage_ranks(0)
        self.tensor = self._one(self.stage.reshape(-1, p.tensor), p.tensor)
        groups = self.stage.transpose(0, 2, 1).reshape(-1, p.context)
        self.context = self._one(groups, p.context * p.tensor)
        self.data = np.ascontiguousarray(self.stage[:, :, 0]).ravel()
        last = int(p.stage_ranks(p.pipeline - 1).flat[0])
        self.last_stage = np.array([0, last], np.int32)
        self.next_stage = np.array([0, last // max(p.pipeline - 1, 1)], np.int32)

    def expert_tensor(self, inside: int) -> Array:
        """int32[inside]: who shares an expert."""
        return self._one(self.stage.reshape(-1, inside), inside)

    def expert(self, expert: int, inside: int) -> Array:
        """int32[expert]: who has one part of all experts."""
        groups = self.stage.reshape(-1, expert, inside).transpose(0, 2, 1).reshape(-1, expert)
        return self._one(groups, expert * inside)

    def expert_data(self, expert: int, inside: int) -> Array:
        """int32[replicas]: who holds the same part of the same experts."""
        return np.ascontiguousarray(self.stage.ravel()[:: expert * inside])

    def _one(self, groups: Array, span: int) -> Array:
        """int32[n] of int32[G, n], whose ranks lie within runs of ``span`` ranks of the stage."""
        if self.size % span == 0 or span % self.size == 0:
            return np.ascontiguousarray(groups[0])
        lies_in = np.sort(self.domain[groups], axis=1)
        return np.ascontiguousarray(groups[np.argmax((lies_in[:, 1:] != lies_in[:, :-1]).sum(axis=1))])
