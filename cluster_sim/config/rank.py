"""By what the options of a comparison are ranked, and which of them stand against each other."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from cluster_sim.core import Problem, Ratio, Spec, UnknownNameError, raise_problems


class Criterion(NamedTuple):
    """A quantity of the summary that options can be ranked by.

    Attributes:
        column: of the summary.
        words: what it is.
        is_better_high: whether more of it is better.
        needs: keys of a comparison without which no row has it.
    """

    column: str
    words: str
    is_better_high: bool = False
    needs: tuple[str, ...] = ()

    def cost(self, row: Mapping[str, Any]) -> float | None:
        """The quantity in a row of the summary as one of which less is better; None where the row has none."""
        value = row.get(self.column)
        if value is None or not self.is_better_high:
            return None if value is None else float(value)
        return 1 / value if value > 0 else None


#: All there are, by the names that a file has for them.
CRITERIA: dict[str, Criterion] = {
    "step_time": Criterion("step_time_s", "step time"),
    "network_energy": Criterion("network_energy_j", "network energy per step"),
    "facility_energy": Criterion("facility_energy_j", "energy of the cluster with cooling per step"),
    "capex": Criterion("capex_usd", "price of the network"),
    "cost_per_token": Criterion("cluster_usd_per_mtoken", "cost per token of the cluster"),
    "network_cost_per_token": Criterion("network_usd_per_mtoken", "cost per token of the network"),
    "goodput": Criterion("goodput_ratio", "goodput", is_better_high=True, needs=("reliability",)),
    "time_to_train": Criterion("time_to_train_s", "time to train", needs=("reliability", "economics.tokens")),
}


def time_column(rows: Sequence[Mapping[str, Any]]) -> str:
    """What stands for time among rows of the summary: time to train where any of them has one, or that of a step."""
    is_known = any(row.get("time_to_train_s") is not None for row in rows)
    return "time_to_train_s" if is_known else "step_time_s"


def _known_criterion(name: str) -> str:
    if name not in CRITERIA:
        raise UnknownNameError("criterion", name, tuple(CRITERIA))
    return name


CriterionName = Annotated[str, AfterValidator(_known_criterion)]
Weight = Annotated[Ratio, Field(ge=0, le=1e9)]


def _contradictions(by: Any, mix: Any) -> list[Problem]:
    problems: list[Problem] = []
    if isinstance(mix, dict) and not any(mix.values()):
        problems.append((("mix",), "weighs nothing; give at least one criterion a weight above 0"))
    if by is not None and mix is not None:
        problems.append((("by",), "is given, and mix too; keep one"))
    return problems


class Rank(Spec):
    """What counts in a ranking; ``rank: NAME`` is short for ``rank: {by: NAME}``.

    Attributes:
        by: a name of ``CRITERIA``; ``step_time`` where neither it nor ``mix`` is given. Options that are as good as the
            best but for the tie are ordered by step time, then energy, then price of the network.
        mix: weights of several criteria, in the place of ``by``; any positive numbers, of which only the proportions
            count. Options are ranked by the weighted geometric mean of how many times the best of their group they
            are by each, see ``studies.ranking``.
        across: ``none`` ranks options of equal job and line rate; ``line_rates`` all options of a job together.
    """

    by: CriterionName | None = None
    mix: dict[CriterionName, Weight] | None = None
    across: Literal["none", "line_rates"] = "none"

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        return {"by": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _weighs_something(self) -> "Rank":
        raise_problems("Rank", _contradictions(self.by, self.mix))
        return self

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """Weights of nothing, and two ways at once."""
        return _contradictions(data.get("by"), data.get("mix")) if isinstance(data, dict) else ()

    @property
    def weights(self) -> dict[str, float]:
        """Shares of the criteria that count, by name; they add up to 1."""
        given = {name: weight for name, weight in (self.mix or {self.by or "step_time": 1.0}).items() if weight}
        return {name: weight / sum(given.values()) for name, weight in given.items()}

    @property
    def words(self) -> str:
        """By what options are ranked, for people."""
        if len(self.weights) == 1:
            return CRITERIA[next(iter(self.weights))].words
        return " x ".join(f"{CRITERIA[name].words}^{share:.3g}" for name, share in self.weights.items())

    def group(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Rows of the summary for which this is equal stand against each other: the job, and the line rate."""
        return (row["job"],) if self.across == "line_rates" else (row["job"], row["line_rate_bytes_per_s"])

    def lacking(self, config: object) -> list[Problem]:
        """Criteria for which a comparison, read or unread, lacks a key, each at its place in that comparison."""
        return [
            (("rank", "mix", name) if self.mix else ("rank", "by"),
             f"there is no {CRITERIA[name].words} without the key {key}; give it, or rank by something else")
            for name in self.weights
            for key in CRITERIA[name].needs
            if not _has(config, key)
        ]  # fmt: skip


def _has(config: object, key: str) -> bool:
    """Whether a configuration gives what ``key``, a path, names: something other than nothing and 0."""
    value = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value is not None and value != 0
