import pyarrow as pa
import pytest

from cluster_sim.results import SCHEMAS, table_of_columns, table_of_rows

SUMMARY = [
    "scenario", "job", "interconnect", "topology", "status", "reason", "step_time_s", "mfu_ratio", "hfu_ratio",
    "compute_s", "exposed_tp_s", "exposed_cp_s", "exposed_ep_s", "exposed_pp_s", "exposed_dp_s", "bubble_s",
    "switching_s", "optimizer_s", "network_energy_j", "cluster_energy_j", "network_power_w", "capex_usd",
    "num_modules", "rank",
]  # fmt: skip

ENDINGS = {"_s": "s", "_bytes": "B", "_bytes_per_s": "B/s", "_ratio": "1", "_j": "J", "_w": "W", "_usd": "USD",
           "_m": "m"}  # fmt: skip

COLUMNS = [(name, field) for name, schema in SCHEMAS.items() for field in schema]


def test_the_summary_has_every_promised_column():
    assert [name for name in SCHEMAS["summary"].names if name in SUMMARY] == SUMMARY


def test_the_other_tables_have_what_is_promised():
    assert "released_by" in SCHEMAS["tasks"].names
    assert {"algorithm", "bottleneck_link"} <= set(SCHEMAS["collectives"].names)
    assert {"carried_bytes", "busy_s", "full_s", "peak_ratio", "mean_ratio"} <= set(SCHEMAS["links"].names)
    assert {"events", "bom"} <= set(SCHEMAS)
    assert all(
        "scenario" in schema.names
        for name, schema in SCHEMAS.items()
        if name not in ("flows", "verify", "verify_steps")
    )
    assert SCHEMAS["flows"].names == ["flow", "start_s", "finish_s", "size_bytes"]


@pytest.mark.parametrize(("table", "field"), COLUMNS, ids=[f"{table}.{field.name}" for table, field in COLUMNS])
def test_every_column_says_its_unit_and_meaning(table, field):
    unit, meaning = field.metadata[b"unit"].decode(), field.metadata[b"meaning"].decode()
    assert meaning
    ending = max((ending for ending in ENDINGS if field.name.endswith(ending)), key=len, default=None)
    if ending and pa.types.is_floating(field.type):
        assert unit == ENDINGS[ending]
    if pa.types.is_integer(field.type):
        assert unit == "1"
    if pa.types.is_string(field.type) or pa.types.is_boolean(field.type):
        assert unit == ""
    else:
        assert unit != ""


def test_missing_values_of_a_row_are_null():
    row = table_of_rows("summary", [{"scenario": "x"}]).to_pylist()[0]
    assert row.pop("scenario") == "x"
    assert set(row.values()) == {None}


def test_missing_columns_are_an_error():
    with pytest.raises(KeyError):
        table_of_columns("events", {"scenario": ["x"]})


def test_no_rows_make_an_empty_table_with_all_columns():
    assert table_of_rows("bom", []).schema.equals(SCHEMAS["bom"], check_metadata=True)
