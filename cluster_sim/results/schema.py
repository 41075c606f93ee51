"""Columns of every results table: name, type, unit, meaning. The unit stands in each field's metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cluster_sim.results.columns import FLOAT, INT, SCENARIO, TEXT, column
from cluster_sim.results.study_schema import (
    DRIVERS,
    GOODPUT,
    INTERRUPTIONS,
    PLANS,
    SCALE,
    UNCERTAINTY,
    VERIFY,
    VERIFY_STEPS,
)

SUMMARY = pa.schema(
    [
        SCENARIO,
        column("job", TEXT, "", "name of the job"),
        column("interconnect", TEXT, "", "name of the interconnect option"),
        column("topology", TEXT, "", "name of the topology"),
        column("line_rate_bytes_per_s", FLOAT, "B/s", "line rate of an accelerator's port, per direction"),
        column("accelerator", TEXT, "", "name in the catalogue"),
        column("num_accelerators", INT, "1", "accelerators of the job"),
        column("num_parameters", INT, "1", "parameters of the model"),
        column("status", TEXT, "", "ok, not_buildable or failed"),
        column("reason", TEXT, "", "why it is not ok"),
        column("step_time_s", FLOAT, "s", "time of one optimiser step"),
        column(
            "mfu_ratio", FLOAT, "1", "model FLOPs without recomputation over the peak of the number format of products"
        ),
        column("hfu_ratio", FLOAT, "1", "FLOPs with recomputation over that peak"),
        column("compute_s", FLOAT, "s", "step time spent computing"),
        column("exposed_tp_s", FLOAT, "s", "step time waiting for tensor-parallel collectives"),
        column("exposed_cp_s", FLOAT, "s", "step time waiting for context-parallel collectives"),
        column("exposed_ep_s", FLOAT, "s", "step time waiting for expert-parallel collectives"),
        column("exposed_pp_s", FLOAT, "s", "step time waiting for activations of other pipeline stages"),
        column("exposed_dp_s", FLOAT, "s", "step time waiting for gradients and parameters"),
        column("bubble_s", FLOAT, "s", "step time waiting for the compute of other pipeline stages"),
        column("bubble_ratio", FLOAT, "1", "bubble over step time; (p-1)/(m+p-1) for 1F1B with free communication"),
        column("switching_s", FLOAT, "s", "step time waiting for OCS circuits"),
        column("optimizer_s", FLOAT, "s", "step time in the optimiser"),
        column("checkpoint_s", FLOAT, "s", "waiting for checkpoints, on average for each step, on top of the step"),
        column("network_energy_j", FLOAT, "J", "energy of the network per step, without cooling"),
        column("cluster_energy_j", FLOAT, "J", "energy of servers and network per step, without cooling"),
        column("network_power_w", FLOAT, "W", "modules, switches, NICs and OCS, without cooling"),
        column("capex_usd", FLOAT, "USD", "price of the network"),
        column("num_modules", INT, "1", "optical modules and engines"),
        column("rank", INT, "1", "1 is best of its group; null if not ok, or without what the ranking is by"),
        column("is_tie", pa.bool_(), "", "ties with the next better in what the ranking is by: other things decided"),
        column("unverified", TEXT, "", "figures it rests on for which no source was retrieved"),
        column("score_ratio", FLOAT, "1", "times the best of its group in what the ranking is by; null without rank"),
        column("is_pareto_cost", pa.bool_(), "", "no other of its group is as good in price and time, and better"),
        column("is_pareto_energy", pa.bool_(), "", "no other of its group is as good in energy and time, and better"),
        column("network_share_ratio", FLOAT, "1", "power of the network over that of servers and network"),
        column("facility_energy_j", FLOAT, "J", "energy of servers, network and cooling per step"),
        column("energy_per_token_j", FLOAT, "J", "energy of servers, network and cooling per trained token"),
        column("network_energy_per_token_j", FLOAT, "J", "energy of the network per trained token, without cooling"),
        column("cooling", TEXT, "", "air, or liquid where something needs it"),
        column("cooling_reason", TEXT, "", "what needs liquid cooling"),
        column("server_capex_usd", FLOAT, "USD", "price of the servers"),
        column("energy_usd_per_year", FLOAT, "USD/year", "of servers, network and cooling, step after step"),
        column("network_energy_usd_per_year", FLOAT, "USD/year", "of the network and its cooling, step after step"),
        column("network_usd_per_mtoken", FLOAT, "USD", "network and its energy over the lifetime, per million tokens"),
        column(
            "cluster_usd_per_mtoken", FLOAT, "USD", "servers, network, energy over the lifetime, per million tokens"
        ),
        column(
            "supply_months",
            FLOAT,
            "month",
            "of the known supply of the scarcest part; null where one has no known volume",
        ),
        column("earliest_year", INT, "1", "year in which all parts can be had whose years are known"),
        column("goodput_ratio", FLOAT, "1", "useful over wall time under failures; a token is then a useful one"),
        column("goodput_low_ratio", FLOAT, "1", "of the histories of failures a twentieth has less"),
        column("goodput_high_ratio", FLOAT, "1", "of the histories of failures a twentieth has more"),
        column("availability_ratio", FLOAT, "1", "share of the wall time in which the job runs, useful or not"),
        column("interruptions_per_day", FLOAT, "1/day", "failures that stop the job"),
        column("time_to_train_s", FLOAT, "s", "all tokens under failures; null where nobody asks for any"),
        column("checkpoint_every", INT, "1", "steps from one checkpoint to the next under failures"),
    ]
)

TASKS = pa.schema(
    [
        SCENARIO,
        column("task", INT, "1", "row number of the schedule"),
        column("kind", TEXT, "", "compute, optimizer, tp, cp, ep, pp or dp"),
        column("stage", INT, "1", "pipeline stage"),
        column("chunk", INT, "1", "virtual stage, -1 where there is none"),
        column("microbatch", INT, "1", "-1 where there is none"),
        column("pass", TEXT, "", "forward, backward, or its halves input and weight; empty outside passes"),
        column("start_s", FLOAT, "s", "start"),
        column("end_s", FLOAT, "s", "end"),
        column("fused_s", FLOAT, "s", "communication fused into a compute task"),
        column("released_by", INT, "1", "task whose end let it start, -1 where nothing did"),
    ]
)

#: A further column of tasks where replicas are simulated apart.
REPLICA = column(
    "replica", INT, "1",
    "class of data-parallel replicas that are simulated as one, in the order of their first data ranks; 0 also for "
    "what all classes do together",
)  # fmt: skip

#: A further column of tasks where several jobs share the cluster.
NEIGHBOUR = column("neighbour", TEXT, "", "name of the neighbour whose task it is; empty for the main job")

COLLECTIVES = pa.schema(
    [
        SCENARIO,
        column("task", INT, "1", "row number of the schedule"),
        column("collective", TEXT, "", "name"),
        column("kind", TEXT, "", "tp, cp, ep, pp or dp"),
        column("algorithm", TEXT, "", "name in the registry; what was chosen for auto"),
        column("num_ranks", INT, "1", "ranks of a group"),
        column("size_bytes", FLOAT, "B", "buffer"),
        column("start_s", FLOAT, "s", "start"),
        column("end_s", FLOAT, "s", "last byte arrives"),
        column("stalled_s", FLOAT, "s", "time without any bandwidth"),
        column("bottleneck_link", TEXT, "", "a link that held it back at its end"),
    ]
)

LINKS = pa.schema(
    [
        SCENARIO,
        column("link", INT, "1", "row number of the fabric"),
        column("tier", TEXT, "", "tier"),
        column("src", INT, "1", "node it leaves"),
        column("dst", INT, "1", "node it enters"),
        column("technology", TEXT, "", "what carries it"),
        column("length_m", FLOAT, "m", "cable or fibre"),
        column("latency_s", FLOAT, "s", "ends, FEC, propagation, and the switch or NIC it enters"),
        column("capacity_bytes_per_s", FLOAT, "B/s", "payload rate"),
        column("window_start_s", FLOAT, "s", "start of the window"),
        column("window_end_s", FLOAT, "s", "end of the window"),
        column("carried_bytes", FLOAT, "B", "in the window"),
        column("busy_s", FLOAT, "s", "time with any load"),
        column("full_s", FLOAT, "s", "time at capacity"),
        column("peak_ratio", FLOAT, "1", "highest utilisation"),
        column("mean_ratio", FLOAT, "1", "mean utilisation"),
    ]
)

EVENTS = pa.schema(
    [
        SCENARIO,
        column("time_s", FLOAT, "s", "when it began"),
        column("end_s", FLOAT, "s", "when it was over"),
        column(
            "event",
            TEXT,
            "",
            "ocs_switching, neighbour_step, replica; under failures interruption (until the job runs again), degraded, "
            "outage (that transports outlast) or down (while the job did not run)",
        ),
        column("hidden_s", FLOAT, "s", "time of an OCS switching in which nobody stood still for its circuits"),
        column("detail", TEXT, "", "in words"),
    ]
)

BOM = pa.schema(
    [
        SCENARIO,
        column("part", TEXT, "", "name in the catalogue"),
        column("kind", TEXT, "", "cable, module, engine, laser, switch, nic, ocs or fibre"),
        column("tier", TEXT, "", "where it is used"),
        column("count", INT, "1", "pieces"),
        column("unit_power_w", FLOAT, "W", "of one piece, all its ends"),
        column("unit_price_usd", FLOAT, "USD", "of one piece; of engines without their external lasers"),
        column("power_w", FLOAT, "W", "of all"),
        column("price_usd", FLOAT, "USD", "of all"),
        column("mean_length_m", FLOAT, "m", "of cables and fibres; 0 for others"),
        column(
            "power_status",
            TEXT,
            "",
            "V1 read in the original, V2 cited, V3 weak, D derived, M unverified, G given by the user",
        ),
        column(
            "price_status",
            TEXT,
            "",
            "V1 read in the original, V2 cited, V3 weak, D derived, M unverified, G given by the user",
        ),
        column("length_class_m", FLOAT, "m", "of cables and fibres: the length to order; 0 for others"),
        column("unit_idle_w", FLOAT, "W", "of one piece without traffic, all its ends"),
        column("utilisation_ratio", FLOAT, "1", "of its tier, on average; null where it is not known"),
    ]
)

POWER = pa.schema(
    [
        SCENARIO,
        column("kind", TEXT, "", "module, engine, laser, cable, switch, nic, ocs, scale_up, server or cooling"),
        column("power_w", FLOAT, "W", "of all, at full load"),
        column("energy_j", FLOAT, "J", "of all, in a step, as busy as their tiers are on average"),
        column("share_ratio", FLOAT, "1", "of the facility's power at full load"),
    ]
)

SUPPLY = pa.schema(
    [
        SCENARIO,
        column("part", TEXT, "", "name in the catalogue"),
        column("kind", TEXT, "", "cable, module, engine, laser, switch or ocs"),
        column("supply", TEXT, "", "what is known of its supply, by name; parts that share one compete for it"),
        column("count", INT, "1", "pieces that are needed"),
        column("per_year", FLOAT, "1/year", "pieces that the world is known to make; null if nothing is known"),
        column("months", FLOAT, "month", "of that, for all parts that share the supply"),
        column("largest_share_ratio", FLOAT, "1", "of one supplier"),
        column("first_year", INT, "1", "of volume"),
        column("order_count", FLOAT, "1", "pieces of a known order, not delivered yet"),
        column("order_usd", FLOAT, "USD", "price of that order; no price that anybody else gets"),
        column("earliest_year", INT, "1", "in which the pieces can be had"),
        column("note", TEXT, "", "why not earlier"),
    ]
)

FLOWS = pa.schema(
    [
        column("flow", INT, "1", "row number of the problem"),
        column("start_s", FLOAT, "s", "start; it sends after the latency of its links"),
        column("finish_s", FLOAT, "s", "last byte sent"),
        column("size_bytes", FLOAT, "B", "sent"),
    ]
)

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
