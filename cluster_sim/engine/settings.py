"""How the OCS are set in a step: once for the job, for each phase of it, or for each layer of experts."""

from dataclasses import dataclass, replace

import numpy as np

from cluster_sim.core import NotBuildableError
from cluster_sim.tables import EP, NONE, Array, Circuits, Collective, Fabric, HybridPlanner


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """All settings of the OCS in a step, and who runs under which.

    Attributes:
        settings: circuits of each setting; (None,) without OCS.
        phase_setting: int32[phases], setting of each phase of a step; the first where layers have their own.
        collective_setting: int32[C], setting that each collective runs under.
        uses_circuits: bool[C], collectives that send between pods.
        circuits: of each collective: those of its setting, and what of its traffic goes over them.
        is_by_layer: True where every stage has its own circuits for one layer of experts after the other; setting 0 is
            then without any, and what is not for experts runs under it.
    """

    settings: tuple[Circuits | None, ...]
    phase_setting: Array
    collective_setting: Array
    uses_circuits: Array
    circuits: tuple[Circuits | None, ...]
    is_by_layer: bool = False


def set_circuits(
    collectives: tuple[Collective, ...], num_runs: Array, fabric: Fabric, num_phases: int
) -> Light:  # fmt: skip
    """Set the OCS for the traffic of a step.

    Args:
        collectives: C patterns.
        num_runs: int64[C], how often each runs; the weights of the traffic matrix.
        fabric: where they run.
        num_phases: phases of a step.

    Raises:
        NotBuildableError: the circuits that the traffic needs cannot be.
    """
    planner = fabric.planner
    if isinstance(planner, HybridPlanner) and planner.per_layer:
        return _by_layer(collectives, num_runs, fabric, planner, num_phases)
    settings, phase_setting, uses_circuits = _by_phase(collectives, num_runs, fabric, num_phases)
    setting = phase_setting[np.array([collective.phase for collective in collectives], np.int64)].astype(np.int32)
    circuits = tuple(
        _split(settings[number], collective, fabric) for number, collective in zip(setting, collectives, strict=True)
    )
    return Light(settings, phase_setting, setting, uses_circuits, circuits)


def kept_while_switching(light: Light) -> dict[tuple[int, int], Circuits]:
    """Circuits that light stays on, for every change of setting in a step; a step follows on a step.

    Where layers have their own circuits, all of a stage go dark, and there is nothing to know here.
    """
    phase_setting, settings = light.phase_setting, light.settings
    changes = zip(np.roll(phase_setting, 1).tolist(), phase_setting.tolist(), strict=True)
    return {(old, new): _kept(settings[old], settings[new]) for old, new in changes if old != new}


def _kept(old: Circuits | None, new: Circuits | None) -> Circuits:
    """Circuits that both settings have."""
    assert old is not None
    assert new is not None
    return old.chosen(np.isin(old.ends, new.ends))


def _by_phase(
    collectives: tuple[Collective, ...], num_runs: Array, fabric: Fabric, num_phases: int
) -> tuple[tuple[Circuits | None, ...], Array, Array]:
    """(circuits of each setting, setting of each phase, whether each collective uses circuits)."""
    no_phase, uses = np.zeros(num_phases, np.int32), np.zeros(len(collectives), bool)
    if fabric.planner is None:
        return (None,), no_phase, uses
    demand = np.zeros((num_phases, fabric.num_pods, fabric.num_pods))
    for number, (collective, runs) in enumerate(zip(collectives, num_runs, strict=True)):
        sent = _demand(collective, fabric)
        uses[number] = sent.any()
        demand[collective.phase] += sent * runs
    if not fabric.planner.per_phase:
        return (fabric.planner.connect(demand.sum(axis=0)),), no_phase, uses
    settings: list[Circuits] = []
    phase_setting = np.full(num_phases, NONE, np.int32)
    for phase in np.flatnonzero(demand.any(axis=(1, 2))):
        phase_setting[phase] = _number(fabric.planner.connect(demand[phase]), settings)
    if not settings:
        return (fabric.planner.connect(demand.sum(axis=0)),), no_phase, uses
    return tuple(settings), _stay(phase_setting), uses


def _by_layer(
    collectives: tuple[Collective, ...], num_runs: Array, fabric: Fabric, planner: HybridPlanner, num_phases: int
) -> Light:  # fmt: skip
    """Circuits for what a layer sends to its experts and gets back, together; the rest goes without."""
    members: dict[tuple[int, int], list[int]] = {}
    for number, collective in enumerate(collectives):
        if collective.kind == EP:
            members.setdefault((collective.lane, collective.layer), []).append(number)
    settings = [planner.connect(np.zeros((fabric.num_pods, fabric.num_pods)))]
    setting = np.zeros(len(collectives), np.int32)
    users: list[Collective | None] = [None] * fabric.num_pods
    for numbers in members.values():
        demand = sum(_demand(collectives[number], fabric) * num_runs[number] for number in numbers)
        _claim(collectives[numbers[0]], demand, users)
        setting[numbers] = _number(planner.connect(demand), settings)
    circuits = tuple(_split(settings[at], c, fabric) for at, c in zip(setting, collectives, strict=True))
    return Light(tuple(settings), np.zeros(num_phases, np.int32), setting, setting > 0, circuits, True)


def _claim(collective: Collective, demand: Array, users: list[Collective | None]) -> None:
    """Note in ``users``, by pod, whose lane circuits follow; NotBuildableError if they follow another."""
    for pod in np.flatnonzero(demand.any(axis=0) | demand.any(axis=1)).tolist():
        other = users[pod]
        if other is not None and other.lane != collective.lane:
            lanes = " and ".join(user.name.rpartition(", ")[2] for user in (other, collective))
            raise NotBuildableError(
                (f"{lanes} both have experts in pod {pod}, whose circuits can follow the layers of one of them; let "
                 "stages (and replicas, where they differ) have pods of their own, or set reconfigure to per_job",)
            )  # fmt: skip
        users[pod] = collective


def _number(circuits: Circuits, settings: list[Circuits]) -> int:
    """Its number among the settings; a new one is added."""
    same = [number for number, known in enumerate(settings) if np.array_equal(known.ends, circuits.ends)]
    if not same:
        settings.append(circuits)
    return same[0] if same else len(settings) - 1


def _stay(phase_setting: Array) -> Array:
    """A phase without traffic between pods leaves the circuits as they are; a step follows on a step."""
    used = phase_setting[phase_setting != NONE]
    before, filled = used[-1], phase_setting.copy()
    for phase, setting in enumerate(phase_setting):
        filled[phase] = before if setting == NONE else setting
        before = filled[phase]
    return filled


def _split(circuits: Circuits | None, collective: Collective, fabric: Fabric) -> Circuits | None:
    """The same circuits, with the share of the collective's traffic that takes them where there is another way."""
    if circuits is None or not isinstance(fabric.planner, HybridPlanner) or not len(circuits):
        return circuits
    return replace(circuits, pair_ratio=fabric.planner.share(circuits, _demand(collective, fabric)))


def _demand(collective: Collective, fabric: Fabric) -> Array:
    """float64[pods, pods]: bytes from pod to pod in one run; what stays in a scale-up domain is nobody's demand."""
    pods = fabric.num_pods
    traffic = collective.traffic.written_out()
    pair = fabric.endpoint_pod[traffic.edge_src].astype(np.int64) * pods + fabric.endpoint_pod[traffic.edge_dst]
    is_sent = fabric.endpoint_domain[traffic.edge_src] != fabric.endpoint_domain[traffic.edge_dst]
    sent = np.where(is_sent, traffic.size_bytes[traffic.edge_transfer] * collective.size_bytes, 0.0)
    demand = np.bincount(pair, weights=sent, minlength=pods * pods).reshape(pods, pods)
    np.fill_diagonal(demand, 0.0)
    return demand
