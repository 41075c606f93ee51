"""Which layers each stage holds."""

from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism
from cluster_sim.workload.schedules import PipelineSchedule


class Layout:
    """Layers dealt to the chunks of stages (evenly; to be replaced)."""

    def __init__(self, model: Model, parallel: Parallelism, schedule: PipelineSchedule) -> None:
        self.ways = schedule.ways(parallel.pipeline, parallel.virtual_stages)
        self.per = model.layers // len(self.ways[0])
        self.at = {place: number for way in self.ways for number, place in enumerate(way)}

    def layers(self, stage: int, chunk: int) -> range:
        """Numbers of its layers."""
        number = self.at[stage, chunk]
        return range(number * self.per, (number + 1) * self.per)

    def has_input(self, stage: int, chunk: int) -> bool:
        """Whether it holds the input embedding."""
        return self.at[stage, chunk] == 0

    def has_output(self, stage: int, chunk: int) -> bool:
        """Whether it holds the output layer."""
        return self.at[stage, chunk] == len(self.ways[0]) - 1
