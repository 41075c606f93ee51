"""Columns of every results table: name, type, unit, meaning. The unit stands in each field's metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa


def column(name: str, kind: pa.DataType, unit: str, meaning: str) -> pa.Field:
    """A field that says its unit and meaning in its metadata."""
    return pa.field(name, kind, metadata={"unit": unit, "meaning": meaning})


_TEXT, _FLOAT, _INT = pa.string(), pa.float64(), pa.int64()
_SCENARIO = column("scenario", _TEXT, "", "job / interconnect / topology")

SUMMARY = pa.schema(
    [
        _SCENARIO,
        column("job", _TEXT, "", "name of the job"),
        column("interconnect", _TEXT, "", "name of the interconnect option"),
        column("topology", _TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", _FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("accelerator", _TEXT, "", "name in the catalogue"),
        column("num_accelerators", _INT, "1", "accelerators of the job"),
        column("num_parameters", _INT, "1", "parameters of the model"),
        column("status", _TEXT, "", "ok, not_buildable or failed"),
        column("reason", _TEXT, "", "why it is not ok"),
        column("step_time_s", _FLOAT, "s", "time of one optimiser step"),
        column(
            "mfu_ratio", _FLOAT, "1", "model FLOPs without recomputation over the peak of the number format of products"
        ),
        column("hfu_ratio", _FLOAT, "1", "FLOPs with recomputation over that peak"),
        column("compute_s", _FLOAT, "s", "step time spent computing"),
        column("exposed_tp_s", _FLOAT, "s", "step time waiting for tensor-parallel collectives"),
        column("exposed_cp_s", _FLOAT, "s", "step time waiting for context-parallel collectives"),
        column("exposed_ep_s", _FLOAT, "s", "step time waiting for expert-parallel collectives"),
        column("exposed_pp_s", _FLOAT, "s", "step time waiting for activations of other pipeline stages"),
        column("exposed_dp_s", _FLOAT, "s", "step time waiting for gradients and parameters"),
        column("bubble_s", _FLOAT, "s", "step time waiting for the compute of other pipeline stages"),
        column("bubble_ratio", _FLOAT, "1", "bubble over step time; (p-1)/(m+p-1) for 1F1B with free communication"),
        column("switching_s", _FLOAT, "s", "step time waiting for OCS circuits"),
        column("optimizer_s", _FLOAT, "s", "step time in the optimiser"),
        column("checkpoint_s", _FLOAT, "s", "waiting for checkpoints, on average for each step, on top of the step"),
        column("network_energy_j", _FLOAT, "J", "energy of the network per step, without cooling"),
        column("cluster_energy_j", _FLOAT, "J", "energy of servers and network per step, without cooling"),
        column("network_power_w", _FLOAT, "W", "modules, switches, NICs and OCS, without cooling"),
        column("capex_usd", _FLOAT, "USD", "price of the network"),
        column("num_modules", _INT, "1", "optical modules and engines"),
        column("rank", _INT, "1", "1 is best of its group; null if not ok, or without what the ranking is by"),
        column("is_tie", pa.bool_(), "", "ties with the next better in what the ranking is by: other things decided"),
        column("unverified", _TEXT, "", "figures it rests on for which no source was retrieved"),
        column("score_ratio", _FLOAT, "1", "times the best of its group in what the ranking is by; null without rank"),
        column("is_pareto_cost", pa.bool_(), "", "no other of its group is as good in price and time, and better"),
        column("is_pareto_energy", pa.bool_(), "", "no other of its group is as good in energy and time, and better"),
        column("network_share_ratio", _FLOAT, "1", "power of the network over that of servers and network"),
        column("facility_energy_j", _FLOAT, "J", "energy of servers, network and cooling per step"),
        column("energy_per_token_j", _FLOAT, "J", "energy of servers, network and cooling per trained token"),
        column("network_energy_per_token_j", _FLOAT, "J", "energy of the network per trained token, without cooling"),
        column("cooling", _TEXT, "", "air, or liquid where something needs it"),
        column("cooling_reason", _TEXT, "", "what needs liquid cooling"),
        column("server_capex_usd", _FLOAT, "USD", "price of the servers"),
        column("energy_usd_per_year", _FLOAT, "USD/year", "of servers, network and cooling, step after step"),
        column("network_energy_usd_per_year", _FLOAT, "USD/year", "of the network and its cooling, step after step"),
        column("network_usd_per_mtoken", _FLOAT, "USD", "network and its energy over the lifetime, per million tokens"),
        column(
            "cluster_usd_per_mtoken", _FLOAT, "USD", "servers, network, energy over the lifetime, per million tokens"
        ),
        column(
            "supply_months",
            _FLOAT,
            "month",
            "of the known supply of the scarcest part; null where one has no known volume",
        ),
        column("earliest_year", _INT, "1", "year in which all parts can be had whose years are known"),
        column("goodput_ratio", _FLOAT, "1", "useful over wall time under failures"),
        column("goodput_low_ratio", _FLOAT, "1", "of the histories of failures a twentieth has less"),
        column("goodput_high_ratio", _FLOAT, "1", "of the histories of failures a twentieth has more"),
        column("availability_ratio", _FLOAT, "1", "share of the wall time in which the job runs, useful or not"),
        column("interruptions_per_day", _FLOAT, "1/day", "failures that stop the job"),
        column("time_to_train_s", _FLOAT, "s", "all tokens under failures; null where nobody asks for any"),
        column("checkpoint_every", _INT, "1", "steps from one checkpoint to the next under failures"),
    ]
)

TASKS = pa.schema(
    [
        _SCENARIO,
        column("task", _INT, "1", "row number of the schedule"),
        column("kind", _TEXT, "", "compute, optimizer, tp, cp, ep, pp or dp"),
        column("stage", _INT, "1", "pipeline stage"),
        column("chunk", _INT, "1", "virtual stage, -1 where there is none"),
        column("microbatch", _INT, "1", "-1 where there is none"),
        column("pass", _TEXT, "", "forward, backward, or its halves input and weight; empty outside passes"),
        column("start_s", _FLOAT, "s", "start"),
        column("end_s", _FLOAT, "s", "end"),
        column("fused_s", _FLOAT, "s", "communication fused into a compute task"),
        column("released_by", _INT, "1", "task whose end let it start, -1 where nothing did"),
    ]
)

#: A further column of tasks where replicas are simulated apart.
REPLICA = column(
    "replica", _INT, "1",
    "class of data-parallel replicas that are simulated as one, in the order of their first data ranks; 0 also for "
    "what all classes do together",
)  # fmt: skip

#: A further column of tasks where several jobs share the cluster.
NEIGHBOUR = column("neighbour", _TEXT, "", "name of the neighbour whose task it is; empty for the main job")

COLLECTIVES = pa.schema(
    [
        _SCENARIO,
        column("task", _INT, "1", "row number of the schedule"),
        column("collective", _TEXT, "", "name"),
        column("kind", _TEXT, "", "tp, cp, ep, pp or dp"),
        column("algorithm", _TEXT, "", "name in the registry; what was chosen for auto"),
        column("num_ranks", _INT, "1", "ranks of a group"),
        column("size_bytes", _FLOAT, "B", "buffer"),
        column("start_s", _FLOAT, "s", "start"),
        column("end_s", _FLOAT, "s", "last byte arrives"),
        column("stalled_s", _FLOAT, "s", "time without any bandwidth"),
        column("bottleneck_link", _TEXT, "", "a link that held it back at its end"),
    ]
)

LINKS = pa.schema(
    [
        _SCENARIO,
        column("link", _INT, "1", "row number of the fabric"),
        column("tier", _TEXT, "", "tier"),
        column("src", _INT, "1", "node it leaves"),
        column("dst", _INT, "1", "node it enters"),
        column("technology", _TEXT, "", "what carries it"),
        column("length_m", _FLOAT, "m", "cable or fibre"),
        column("latency_s", _FLOAT, "s", "ends, FEC, propagation, and the switch or NIC it enters"),
        column("capacity_bytes_per_s", _FLOAT, "B/s", "payload rate"),
        column("window_start_s", _FLOAT, "s", "start of the window"),
        column("window_end_s", _FLOAT, "s", "end of the window"),
        column("carried_bytes", _FLOAT, "B", "in the window"),
        column("busy_s", _FLOAT, "s", "time with any load"),
        column("full_s", _FLOAT, "s", "time at capacity"),
        column("peak_ratio", _FLOAT, "1", "highest utilisation"),
        column("mean_ratio", _FLOAT, "1", "mean utilisation"),
    ]
)

EVENTS = pa.schema(
    [
        _SCENARIO,
        column("time_s", _FLOAT, "s", "when it began"),
        column("end_s", _FLOAT, "s", "when it was over"),
        column(
            "event",
            _TEXT,
            "",
            "ocs_switching, neighbour_step, replica; under failures interruption (until the job runs again), degraded, "
            "outage (that transports outlast) or down (while the job did not run)",
        ),
        column("hidden_s", _FLOAT, "s", "time of an OCS switching in which nobody stood still for its circuits"),
        column("detail", _TEXT, "", "in words"),
    ]
)

BOM = pa.schema(
    [
        _SCENARIO,
        column("part", _TEXT, "", "name in the catalogue"),
        column("kind", _TEXT, "", "cable, module, engine, laser, switch, nic, ocs or fibre"),
        column("tier", _TEXT, "", "where it is used"),
        column("count", _INT, "1", "pieces"),
        column("unit_power_w", _FLOAT, "W", "of one piece, all its ends"),
        column("unit_price_usd", _FLOAT, "USD", "of one piece"),
        column("power_w", _FLOAT, "W", "of all"),
        column("price_usd", _FLOAT, "USD", "of all"),
        column("mean_length_m", _FLOAT, "m", "of cables and fibres; 0 for others"),
        column("power_status", _TEXT, "", "V1 V2 V3 sourced, D derived, M unverified"),
        column("price_status", _TEXT, "", "V1 V2 V3 sourced, D derived, M unverified"),
        column("length_class_m", _FLOAT, "m", "of cables and fibres: the length to order; 0 for others"),
        column("unit_idle_w", _FLOAT, "W", "of one piece without traffic, all its ends"),
        column("utilisation_ratio", _FLOAT, "1", "of its tier, on average; null where it is not known"),
    ]
)

POWER = pa.schema(
    [
        _SCENARIO,
        column("kind", _TEXT, "", "module, engine, laser, cable, switch, nic, ocs, scale_up, server or cooling"),
        column("power_w", _FLOAT, "W", "of all, at full load"),
        column("energy_j", _FLOAT, "J", "of all, in a step, as busy as their tiers are on average"),
        column("share_ratio", _FLOAT, "1", "of the facility's power at full load"),
    ]
)

INTERRUPTIONS = pa.schema(
    [
        _SCENARIO,
        column("cause", _TEXT, "", "what fails"),
        column("group", _TEXT, "", "gpu, host, nic, link, flap, laser, switch, ocs or software"),
        column("part", _TEXT, "", "name in the catalogue; empty for servers and software"),
        column("tier", _TEXT, "", "where it is"),
        column("num_pieces", _INT, "1", "pieces that the job depends on"),
        column("failures_per_year", _FLOAT, "1/year", "of one piece"),
        column("effect", _TEXT, "", "interrupts, degrades (also stops the job where rerouting is slow) or stalls"),
        column("repair_s", _FLOAT, "s", "mean time until everything is as before"),
        column("failures_mean", _FLOAT, "1", "failures in a history, felt or not; mean over histories"),
        column("interruptions_mean", _FLOAT, "1", "of these, those that stopped the job; mean over histories"),
        column("interruptions_low", _FLOAT, "1", "a twentieth of the histories has fewer"),
        column("interruptions_high", _FLOAT, "1", "a twentieth of the histories has more"),
        column("share_ratio", _FLOAT, "1", "of all interruptions"),
        column("lost_s", _FLOAT, "s", "work lost, restart and waiting by it; mean over histories"),
    ]
)

GOODPUT = pa.schema(
    [
        _SCENARIO,
        column(
            "part",
            _TEXT,
            "",
            "useful, checkpoints, lost_work, restart (with detection), waiting (for servers), degraded or stalled",
        ),
        column("mean_s", _FLOAT, "s", "of a history; the parts sum to its wall time"),
        column("low_s", _FLOAT, "s", "a twentieth of the histories has less"),
        column("high_s", _FLOAT, "s", "a twentieth of the histories has more"),
        column("share_ratio", _FLOAT, "1", "of the wall time of all histories"),
    ]
)

SUPPLY = pa.schema(
    [
        _SCENARIO,
        column("part", _TEXT, "", "name in the catalogue"),
        column("kind", _TEXT, "", "cable, module, engine, laser, switch or ocs"),
        column("supply", _TEXT, "", "what is known of its supply, by name; parts that share one compete for it"),
        column("count", _INT, "1", "pieces that are needed"),
        column("per_year", _FLOAT, "1/year", "pieces that the world is known to make; null if nothing is known"),
        column("months", _FLOAT, "month", "of that, for all parts that share the supply"),
        column("largest_share_ratio", _FLOAT, "1", "of one supplier"),
        column("first_year", _INT, "1", "of volume"),
        column("order_count", _FLOAT, "1", "pieces of a known order, not delivered yet"),
        column("order_usd", _FLOAT, "USD", "price of that order; no price that anybody else gets"),
        column("earliest_year", _INT, "1", "in which the pieces can be had"),
        column("note", _TEXT, "", "why not earlier"),
    ]
)

FLOWS = pa.schema(
    [
        column("flow", _INT, "1", "row number of the problem"),
        column("start_s", _FLOAT, "s", "start; it sends after the latency of its links"),
        column("finish_s", _FLOAT, "s", "last byte sent"),
        column("size_bytes", _FLOAT, "B", "sent"),
    ]
)

VERIFY = pa.schema(
    [
        column("row_id", _TEXT, "", "name of the measured row"),
        column("accelerator", _TEXT, "", "as the table has it"),
        column("source_family", _TEXT, "", "what it ran over: scale-up, or the kind of network"),
        column("split", _TEXT, "", "calibrate: may have set parameters; test: a score only"),
        column("operation", _TEXT, "", "collective"),
        column("algorithm", _TEXT, "", "the fastest predicted, with its protocol; null if not simulated"),
        column("num_ranks", _INT, "1", "accelerators that take part"),
        column("size_bytes", _FLOAT, "B", "buffer, as nccl-tests counts it"),
        column("measured_s", _FLOAT, "s", "time of one collective"),
        column("predicted_s", _FLOAT, "s", "the same, simulated; null if not simulated"),
        column("error_ratio", _FLOAT, "1", "predicted over measured, less 1; null if not simulated"),
        column("note", _TEXT, "", "why a row could not be simulated, or what was assumed"),
    ]
)

VERIFY_STEPS = pa.schema(
    [
        column("row_id", _TEXT, "", "name of the measured row"),
        column("accelerator", _TEXT, "", "as the table has it"),
        column("source_family", _TEXT, "", "whose measurement it is, as the table has it"),
        column("split", _TEXT, "", "calibrate: may have set parameters; test: a score only"),
        column("model", _TEXT, "", "as the table has it"),
        column("num_accelerators", _INT, "1", "of the job"),
        column("software", _TEXT, "", "whose habits the job has"),
        column("measured_s", _FLOAT, "s", "time of one step"),
        column("predicted_s", _FLOAT, "s", "the same, simulated; null if not simulated"),
        column("error_ratio", _FLOAT, "1", "predicted over measured, less 1; null if not simulated"),
        column("compute_s", _FLOAT, "s", "of the predicted time, on the stage that computes longest"),
        column("exposed_tp_s", _FLOAT, "s", "waiting for tensor-parallel communication"),
        column("exposed_cp_s", _FLOAT, "s", "waiting for keys and values of other context ranks"),
        column("exposed_ep_s", _FLOAT, "s", "waiting for experts' communication"),
        column("exposed_pp_s", _FLOAT, "s", "waiting for messages between stages"),
        column("exposed_dp_s", _FLOAT, "s", "waiting for data-parallel communication"),
        column("bubble_s", _FLOAT, "s", "waiting for work of other stages"),
        column("optimizer_s", _FLOAT, "s", "optimiser"),
        column("mfu_ratio", _FLOAT, "1", "model FLOPs over peak"),
        column("note", _TEXT, "", "why a row could not be simulated, or what was assumed"),
    ]
)

#: What an estimate of a split consists of, and what it holds in memory.
_ESTIMATED = ("compute", "tp", "cp", "ep", "pp", "dp", "bubble", "optimizer")
_MEMORY = ("weights", "gradients", "optimizer", "activations", "buffers")

PLANS = pa.schema(
    [
        column("scenario", _TEXT, "", "name of the split, as in the summary"),
        column("place", _INT, "1", "by estimate, 1 is best"),
        column("tensor", _INT, "1", "tensor-parallel ranks"),
        column("context", _INT, "1", "context-parallel ranks"),
        column("pipeline", _INT, "1", "pipeline stages"),
        column("data", _INT, "1", "data-parallel ranks"),
        column("expert", _INT, "1", "expert-parallel ranks"),
        column("expert_tensor", _INT, "1", "ranks that share an expert"),
        column("virtual_stages", _INT, "1", "chunks of layers of a stage"),
        column("micro_batch", _INT, "1", "sequences that go through the pipeline together"),
        column("schedule", _TEXT, "", "of the pipeline"),
        column("recompute", _TEXT, "", "activations computed again"),
        column("sharding", _TEXT, "", "of what replicas hold alike"),
        column("estimate_s", _FLOAT, "s", "step time in closed form"),
        *(column(f"estimate_{part}_s", _FLOAT, "s", f"part of the estimate: {part}") for part in _ESTIMATED),
        column("memory_bytes", _FLOAT, "B", "needed on the fullest stage"),
        *(column(f"memory_{kind}_bytes", _FLOAT, "B", f"of that: {kind}") for kind in _MEMORY),
        column("verdict", _TEXT, "", "best, simulated, failed or estimated"),
        column("step_time_s", _FLOAT, "s", "simulated; null if not"),
        column("reason", _TEXT, "", "why it is not the best"),
    ]
)

SCALE = pa.schema(
    [
        _SCENARIO,
        column("job", _TEXT, "", "name of the job, without its size"),
        column("interconnect", _TEXT, "", "name of the interconnect option"),
        column("topology", _TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", _FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("num_accelerators", _INT, "1", "accelerators of the job"),
        column("status", _TEXT, "", "ok, not_buildable or failed"),
        column("reason", _TEXT, "", "why it is not ok"),
        column("step_time_s", _FLOAT, "s", "time of one optimiser step"),
        column("exposed_s", _FLOAT, "s", "step time waiting for communication and circuits"),
        column("exposed_ratio", _FLOAT, "1", "of the step time"),
        column(
            "efficiency_ratio", _FLOAT, "1", "throughput of an accelerator over that at the smallest size that works"
        ),
        column("is_enough", pa.bool_(), "", "works, and at most as much of a step waits as was said"),
        column("enough_accelerators", _INT, "1", "largest size at which this option is enough; null where it never is"),
    ]
)

UNCERTAINTY = pa.schema(
    [
        _SCENARIO,
        column("job", _TEXT, "", "name of the job"),
        column("interconnect", _TEXT, "", "name of the interconnect option"),
        column("topology", _TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", _FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("group", _TEXT, "", "options that stand against each other"),
        column("rank", _INT, "1", "with typical figures"),
        column("quantity", _TEXT, "", "column of the summary"),
        column("unit", _TEXT, "", "of the four that follow"),
        column("typical", _FLOAT, "unit", "with typical figures"),
        column("low", _FLOAT, "unit", "5 % of the draws are below"),
        column("median", _FLOAT, "unit", "half of the draws are below"),
        column("high", _FLOAT, "unit", "95 % of the draws are below"),
        column(
            "wins_ratio", _FLOAT, "1", "share of the draws in which any of its group can be built that it is first in"
        ),
        column("mean_rank", _FLOAT, "1", "mean place in its group, over draws in which it has one"),
        column("buildable_ratio", _FLOAT, "1", "share of the draws in which it can be built"),
        column("draws", _INT, "1", "of all figures at once"),
        column("method", _TEXT, "", "step times: response (few simulations, piecewise linear between) or simulated"),
    ]
)

DRIVERS = pa.schema(
    [
        column("scenario", _TEXT, "", "first of its group with typical figures"),
        column("group", _TEXT, "", "options that stand against each other"),
        column("second", _TEXT, "", "scenario that is second of it"),
        column("figure", _TEXT, "", "entry of the catalogue and its figure"),
        column("status", _TEXT, "", "V1 V2 V3 sourced, D derived, M unverified"),
        column("low", _FLOAT, "figure_unit", "end of the figure's range"),
        column("typical", _FLOAT, "figure_unit", "what runs use"),
        column("high", _FLOAT, "figure_unit", "end of the figure's range"),
        column("figure_unit", _TEXT, "", "of the three"),
        column("quantity", _TEXT, "", "column of the summary that it parts the two in; rank: who is first"),
        column(
            "influence", _FLOAT, "1",
            "rank correlation of the figure with the gap, over all draws; for rank: share of draws that the first wins "
            "in the figure's upper half, less that in its lower half",
        ),
        column("gap_low_ratio", _FLOAT, "1", "second over first, less 1, with the figure low and all others typical"),
        column("gap_ratio", _FLOAT, "1", "second over first, less 1, with typical figures"),
        column("gap_high_ratio", _FLOAT, "1", "second over first, less 1, with the figure high and all others typical"),
        column("winner_low", _TEXT, "", "for rank: who is first with the figure low and all others typical"),
        column("winner_high", _TEXT, "", "for rank: who is first with the figure high and all others typical"),
    ]
)  # fmt: skip

SCHEMAS: dict[str, pa.Schema] = {
    "summary": SUMMARY,
    "scale": SCALE,
    "plans": PLANS,
    "tasks": TASKS,
    "collectives": COLLECTIVES,
    "links": LINKS,
    "events": EVENTS,
    "bom": BOM,
    "power": POWER,
    "interruptions": INTERRUPTIONS,
    "goodput": GOODPUT,
    "supply": SUPPLY,
    "uncertainty": UNCERTAINTY,
    "drivers": DRIVERS,
    "flows": FLOWS,
    "verify": VERIFY,
    "verify_steps": VERIFY_STEPS,
}

Rows = Sequence[Mapping[str, Any]]


def table_of_rows(name: str, rows: Rows) -> pa.Table:
    """A table of schema ``name`` from one mapping per row; missing keys are null."""
    schema = SCHEMAS[name]
    return pa.table(
        {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema},
        schema=schema,
    )


def table_of_columns(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """A table of schema ``name`` from columns; all must be there."""
    schema = SCHEMAS[name]
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema)
