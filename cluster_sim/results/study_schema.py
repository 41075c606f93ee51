"""Columns of the tables that studies write besides those of their runs."""

import pyarrow as pa

from cluster_sim.results.columns import FLOAT, INT, SCENARIO, TEXT, column

INTERRUPTIONS = pa.schema(
    [
        SCENARIO,
        column("cause", TEXT, "", "what fails"),
        column("group", TEXT, "", "gpu, host, nic, link, flap, laser, switch, ocs or software"),
        column("part", TEXT, "", "name in the catalogue; empty for servers and software"),
        column("tier", TEXT, "", "where it is"),
        column("num_pieces", INT, "1", "pieces that the job depends on"),
        column("failures_per_year", FLOAT, "1/year", "of one piece"),
        column("effect", TEXT, "", "interrupts, degrades (also stops the job where rerouting is slow) or stalls"),
        column("repair_s", FLOAT, "s", "mean time until everything is as before"),
        column("failures_mean", FLOAT, "1", "failures in a history, felt or not; mean over histories"),
        column("interruptions_mean", FLOAT, "1", "of these, those that stopped the job; mean over histories"),
        column("interruptions_low", FLOAT, "1", "a twentieth of the histories has fewer"),
        column("interruptions_high", FLOAT, "1", "a twentieth of the histories has more"),
        column("share_ratio", FLOAT, "1", "of all interruptions"),
        column("lost_s", FLOAT, "s", "work lost, restart and waiting by it; mean over histories"),
    ]
)

GOODPUT = pa.schema(
    [
        SCENARIO,
        column(
            "part",
            TEXT,
            "",
            "useful, checkpoints, lost_work, restart (with detection), waiting (for servers), degraded or stalled",
        ),
        column("mean_s", FLOAT, "s", "of a history; the parts sum to its wall time"),
        column("low_s", FLOAT, "s", "a twentieth of the histories has less"),
        column("high_s", FLOAT, "s", "a twentieth of the histories has more"),
        column("share_ratio", FLOAT, "1", "of the wall time of all histories"),
    ]
)

VERIFY = pa.schema(
    [
        column("row_id", TEXT, "", "name of the measured row"),
        column("accelerator", TEXT, "", "as the table has it"),
        column("source_family", TEXT, "", "what it ran over: scale-up, or the kind of network"),
        column("split", TEXT, "", "calibrate: may have set parameters; test: a score only"),
        column("operation", TEXT, "", "collective"),
        column("algorithm", TEXT, "", "the fastest predicted, with its protocol; null if not simulated"),
        column("num_ranks", INT, "1", "accelerators that take part"),
        column("size_bytes", FLOAT, "B", "buffer, as nccl-tests counts it"),
        column("measured_s", FLOAT, "s", "time of one collective"),
        column("predicted_s", FLOAT, "s", "the same, simulated; null if not simulated"),
        column("error_ratio", FLOAT, "1", "predicted over measured, less 1; null if not simulated"),
        column("note", TEXT, "", "why a row could not be simulated, or what was assumed"),
    ]
)

VERIFY_STEPS = pa.schema(
    [
        column("row_id", TEXT, "", "name of the measured row"),
        column("accelerator", TEXT, "", "as the table has it"),
        column("source_family", TEXT, "", "whose measurement it is, as the table has it"),
        column("split", TEXT, "", "calibrate: may have set parameters; test: a score only"),
        column("model", TEXT, "", "as the table has it"),
        column("num_accelerators", INT, "1", "of the job"),
        column("software", TEXT, "", "whose habits the job has"),
        column("measured_s", FLOAT, "s", "time of one step"),
        column("predicted_s", FLOAT, "s", "the same, simulated; null if not simulated"),
        column("error_ratio", FLOAT, "1", "predicted over measured, less 1; null if not simulated"),
        column("compute_s", FLOAT, "s", "of the predicted time, on the stage that computes longest"),
        column("exposed_tp_s", FLOAT, "s", "waiting for tensor-parallel communication"),
        column("exposed_cp_s", FLOAT, "s", "waiting for keys and values of other context ranks"),
        column("exposed_ep_s", FLOAT, "s", "waiting for experts' communication"),
        column("exposed_pp_s", FLOAT, "s", "waiting for messages between stages"),
        column("exposed_dp_s", FLOAT, "s", "waiting for data-parallel communication"),
        column("bubble_s", FLOAT, "s", "waiting for work of other stages"),
        column("optimizer_s", FLOAT, "s", "optimiser"),
        column("mfu_ratio", FLOAT, "1", "model FLOPs over peak"),
        column("note", TEXT, "", "why a row could not be simulated, or what was assumed"),
    ]
)

#: What an estimate of a split consists of, and what it holds in memory.
_ESTIMATED = ("compute", "tp", "cp", "ep", "pp", "dp", "bubble", "optimizer")
_MEMORY = ("weights", "gradients", "optimizer", "activations", "buffers")

PLANS = pa.schema(
    [
        column("scenario", TEXT, "", "name of the split, as in the summary"),
        column("place", INT, "1", "by estimate, 1 is best"),
        column("tensor", INT, "1", "tensor-parallel ranks"),
        column("context", INT, "1", "context-parallel ranks"),
        column("pipeline", INT, "1", "pipeline stages"),
        column("data", INT, "1", "data-parallel ranks"),
        column("expert", INT, "1", "expert-parallel ranks"),
        column("expert_tensor", INT, "1", "ranks that share an expert"),
        column("virtual_stages", INT, "1", "chunks of layers of a stage"),
        column("micro_batch", INT, "1", "sequences that go through the pipeline together"),
        column("schedule", TEXT, "", "of the pipeline"),
        column("recompute", TEXT, "", "activations computed again"),
        column("sharding", TEXT, "", "of what replicas hold alike"),
        column("estimate_s", FLOAT, "s", "step time in closed form"),
        *(column(f"estimate_{part}_s", FLOAT, "s", f"part of the estimate: {part}") for part in _ESTIMATED),
        column("memory_bytes", FLOAT, "B", "needed on the fullest stage"),
        *(column(f"memory_{kind}_bytes", FLOAT, "B", f"of that: {kind}") for kind in _MEMORY),
        column("verdict", TEXT, "", "best, simulated, failed or estimated"),
        column("step_time_s", FLOAT, "s", "simulated; null if not"),
        column("reason", TEXT, "", "why it is not the best"),
    ]
)

SCALE = pa.schema(
    [
        SCENARIO,
        column("job", TEXT, "", "name of the job, without its size"),
        column("interconnect", TEXT, "", "name of the interconnect option"),
        column("topology", TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("num_accelerators", INT, "1", "accelerators of the job"),
        column("status", TEXT, "", "ok, not_buildable or failed"),
        column("reason", TEXT, "", "why it is not ok"),
        column("step_time_s", FLOAT, "s", "time of one optimiser step"),
        column("exposed_s", FLOAT, "s", "step time waiting for communication and circuits"),
        column("exposed_ratio", FLOAT, "1", "of the step time"),
        column(
            "efficiency_ratio", FLOAT, "1", "throughput of an accelerator over that at the smallest size that works"
        ),
        column("is_enough", pa.bool_(), "", "works, and at most as much of a step waits as was said"),
        column("enough_accelerators", INT, "1", "largest size at which this option is enough; null where it never is"),
    ]
)

UNCERTAINTY = pa.schema(
    [
        SCENARIO,
        column("job", TEXT, "", "name of the job"),
        column("interconnect", TEXT, "", "name of the interconnect option"),
        column("topology", TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("group", TEXT, "", "options that stand against each other"),
        column("rank", INT, "1", "with typical figures"),
        column("quantity", TEXT, "", "column of the summary"),
        column("unit", TEXT, "", "of the four that follow"),
        column("typical", FLOAT, "unit", "with typical figures"),
        column("low", FLOAT, "unit", "5 % of the draws are below"),
        column("median", FLOAT, "unit", "half of the draws are below"),
        column("high", FLOAT, "unit", "95 % of the draws are below"),
        column(
            "wins_ratio", FLOAT, "1", "share of the draws in which any of its group can be built that it is first in"
        ),
        column("mean_rank", FLOAT, "1", "mean place in its group, over draws in which it has one"),
        column("buildable_ratio", FLOAT, "1", "share of the draws in which it can be built"),
        column("draws", INT, "1", "of all figures at once"),
        column("method", TEXT, "", "step times: response (few simulations, piecewise linear between) or simulated"),
    ]
)

DRIVERS = pa.schema(
    [
        column("scenario", TEXT, "", "first of its group with typical figures"),
        column("group", TEXT, "", "options that stand against each other"),
        column("second", TEXT, "", "scenario that is second of it; null where there is none"),
        column("figure", TEXT, "", "entry of the catalogue and its figure"),
        column("status", TEXT, "", "V1 V2 V3 sourced, D derived, M unverified"),
        column("low", FLOAT, "figure_unit", "end of the figure's range"),
        column("typical", FLOAT, "figure_unit", "what runs use"),
        column("high", FLOAT, "figure_unit", "end of the figure's range"),
        column("figure_unit", TEXT, "", "of the three"),
        column("quantity", TEXT, "", "column of the summary that it parts the two in; rank: who is first"),
        column(
            "influence", FLOAT, "1",
            "rank correlation of the figure with the gap, over all draws; for rank: share of draws that the first wins "
            "in the figure's upper half, less that in its lower half",
        ),
        column("gap_low_ratio", FLOAT, "1", "second over first, less 1, with the figure low and all others typical"),
        column("gap_ratio", FLOAT, "1", "second over first, less 1, with typical figures"),
        column("gap_high_ratio", FLOAT, "1", "second over first, less 1, with the figure high and all others typical"),
        column("winner_low", TEXT, "", "for rank: who is first with the figure low and all others typical"),
        column("winner_high", TEXT, "", "for rank: who is first with the figure high and all others typical"),
    ]
)  # fmt: skip
