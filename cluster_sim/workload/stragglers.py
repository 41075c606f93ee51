"""Accelerators that compute more slowly than the others: some by a lot, and all by chance."""

from collections import Counter
from typing import Annotated

import numpy as np
from pydantic import Field, StrictInt, model_validator

from cluster_sim.core import Problem, Ratio, Spec, raise_problems, stream
from cluster_sim.tables import Array


class Stragglers(Spec):
    """Accelerators of a job that compute more slowly, all through the step.

    Attributes:
        ranks: which, by number.
        ratio: or the share of all that are drawn with the seed; rounded to whole accelerators.
        slowdown_ratio: how much longer each takes, as a share: 1 is twice as long.
    """

    ranks: tuple[Annotated[StrictInt, Field(ge=0)], ...] = ()
    ratio: Ratio = Field(0.0, ge=0, le=1)
    slowdown_ratio: Ratio = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _is_one_way_to_choose(self) -> "Stragglers":
        problems: list[Problem] = []
        if self.ranks and self.ratio:
            problems.append((("ratio",), "ranks are named already; give ranks or ratio"))
        if not self.ranks and not self.ratio:
            problems.append((("ranks",), "nobody is named and no ratio is given; give ranks or ratio"))
        twice = [rank for rank, times in Counter(self.ranks).items() if times > 1]
        if twice:
            problems.append((("ranks",), f"rank {twice[0]} is named twice; name each once"))
        raise_problems("Stragglers", problems)
        return self

    def chosen(self, num_ranks: int, seed: int) -> Array:
        """int64[...]: the ranks of a job of ``num_ranks``."""
        if self.ranks:
            return np.array(self.ranks, np.int64)
        drawn = stream(seed, "stragglers").choice(num_ranks, round(self.ratio * num_ranks), replace=False)
        return np.sort(drawn).astype(np.int64)


def compute_factors(num_ranks: int, stragglers: Stragglers | None, jitter_ratio: float, seed: int) -> Array:
    """float64[ranks], >= 1: how many times as long each accelerator computes.

    Args:
        num_ranks: of the job.
        stragglers: those of them that are slow; None for none.
        jitter_ratio: every accelerator takes longer by |z| times this, z normal.
        seed: of what is drawn.
    """
    factor = np.ones(num_ranks)
    if jitter_ratio:
        factor += np.abs(stream(seed, "jitter").standard_normal(num_ranks)) * jitter_ratio
    if stragglers is not None:
        factor[stragglers.chosen(num_ranks, seed)] *= 1.0 + stragglers.slowdown_ratio
    return factor
