"""What kernels of a generation of accelerators reach of its peaks."""

from cluster_sim.catalogue.entries import Entry
from cluster_sim.catalogue.figure import RatioFigure, SecondsFigure


class Compute(Entry):
    """Free parameters of the roofline, one set for each generation of accelerators.

    Attributes:
        gemm_efficiency, fp8_efficiency, fp4_efficiency: sustained over peak for very large matrices, under the clock
            that training leaves.
        attention_efficiency, flash_efficiency: sustained over the peak of 16 bit in attention without scores in memory,
            forward, with many keys and heads 128 wide: by kernels made for the generation (cuDNN, FlashAttention 3),
            and by portable ones (FlashAttention 1 and 2, Triton).
        wave_share: how much of the loss by part-filled tiles and waves of tiles a product really has.
        memory_efficiency: sustained over peak memory bandwidth; in training, kernels between the products and what
            they move besides the bytes counted; less than a benchmark that copies large arrays reaches.
        kernel_overhead: time a kernel takes beyond the roofline.
        launch_time: what the host needs to launch one of the kernels that ``workload.operations`` counts.
        step_overhead: what a step takes once, besides passes, communication and the optimiser's kernels.
        sm_slowdown: how much longer kernels take while a collective beside them holds processors and memory.
    """

    gemm_efficiency: RatioFigure
    fp8_efficiency: RatioFigure
    fp4_efficiency: RatioFigure
    attention_efficiency: RatioFigure
    flash_efficiency: RatioFigure
    wave_share: RatioFigure
    memory_efficiency: RatioFigure
    kernel_overhead: SecondsFigure
    launch_time: SecondsFigure
    step_overhead: SecondsFigure
    sm_slowdown: RatioFigure
