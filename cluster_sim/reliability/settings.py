"""What a configuration says about failures: key ``reliability``."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cluster_sim.catalogue import Figure, constants
from cluster_sim.core import Kelvin, Seconds, Spec
from cluster_sim.core.units import KELVIN, RATIO

_DAY_S = 86400.0
#: Longer than any training, and than any repair.
_MOST_SPAN_S, _MOST_WAIT_S = 3650 * _DAY_S, 365 * _DAY_S


#: Fields that take the place of a constant of the catalogue.
_TIMES = ("detection_s", "restart_s", "reroute_s", "retry_s", "flap_s", "rewire_s")
Wait = Annotated[Seconds | None, Field(ge=0, le=_MOST_WAIT_S)]


class CheckpointPlan(Spec):
    """How often a job writes checkpoints, and what one costs; ``young_daly`` in a file stands for the best interval.

    Attributes:
        every: steps from one to the next; None: the interval sqrt(2 x cost x mean time between interruptions), the
            first-order optimum of Young 1974 and Daly 2006.
        cost_s: that training waits for one; None: as ``job.checkpoint`` says.
    """

    every: int | None = Field(None, ge=1)
    cost_s: Wait = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        if isinstance(data, str):
            if data != "young_daly":
                raise ValueError(f"expected young_daly, or {{every: 100, cost: 30 s}}; got {data!r}")
            return {}
        return data


class Reliability(Spec):
    """Failures over months of training, simulated with the step times of the healthy and the degraded network.

    Attributes:
        span_s: of one history.
        histories: how many, each with failures of its own.
        checkpoint: when state is saved; None: as ``job.checkpoint`` says.
        spare_servers: that stand by, idle and therefore whole: a number of servers, or a share of the job's.
        spare_ocs: optical circuit switches to which the circuits of a failed one are led; one does as well as many,
            since hardly ever two are out at once. Spares, these and servers, are in no bill.
        transport: ``single_path`` stalls, or loses the job, where a link of its path is down, until traffic goes around
            it; ``multipath`` leaves the path at once.
        laser_temperature_kelvin: case temperature of lasers; None: the one that the catalogue's failure rates hold for.
        detection_s: from a failure that stops the job to its noticing it; None, here and below: the catalogue's.
        restart_s: from there to the first step, without waiting for a spare server.
        reroute_s: mean time until traffic goes around what has failed inside the network.
        retry_s: time that transports go on trying before the job is lost.
        flap_s: mean time that a flapping link is down.
        rewire_s: to lead a circuit over another optical circuit switch.
        record_histories: so many of the first ones are written to the events.
    """

    span_s: Seconds = Field(60 * _DAY_S, gt=0, le=_MOST_SPAN_S)
    histories: int = Field(100, ge=1, le=10**6)
    checkpoint: CheckpointPlan | None = None
    spare_servers: int | float = 0.01
    spare_ocs: int = Field(0, ge=0, le=10**6)
    transport: Literal["single_path", "multipath"] = "single_path"
    laser_temperature_kelvin: Kelvin | None = Field(None, ge=KELVIN.sensible[0], le=KELVIN.sensible[1])
    detection_s: Wait = None
    restart_s: Wait = None
    reroute_s: Wait = None
    retry_s: Wait = None
    flap_s: Wait = None
    rewire_s: Wait = None
    record_histories: int = Field(1, ge=0, le=1000)

    @field_validator("spare_servers", mode="before")
    @classmethod
    def _number_or_share(cls, value: Any) -> Any:
        """A whole number counts servers; anything else is a share."""
        if isinstance(value, str):
            value = RATIO.parse(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"expected a number of servers, or a share such as '1 %'; got {value!r}")
        if not 0 <= value <= (10**7 if isinstance(value, int) else 1):
            raise ValueError(f"expected a number of servers from 0, or a share of 0 to 100 %; got {value!r}")
        return value

    def used_s(self, name: str) -> float:
        """A time that is given, or the catalogue's: ``used_s("flap")``."""
        given: float | None = getattr(self, f"{name}_s")
        return _catalogues(name).typical if given is None else given

    @property
    def unverified(self) -> tuple[str, ...]:
        """Times for which neither the user gives a figure nor a source was retrieved."""
        return tuple(
            name.removesuffix("_s") + "_time"
            for name in _TIMES
            if getattr(self, name) is None and _catalogues(name.removesuffix("_s")).is_unverified
        )

    def num_spares(self, servers: int) -> int:
        """Spare servers of a job on so many; a share is rounded up."""
        if isinstance(self.spare_servers, int):
            return self.spare_servers
        return int(-(-self.spare_servers * servers * (1 - 1e-12) // 1))


def _catalogues(name: str) -> Figure:
    figure: Figure = getattr(constants(), f"{name}_time")
    return figure
