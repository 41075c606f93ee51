import json

import pytest

from cluster_sim.core import InputError
from cluster_sim.results import Recorder, Run, read_table, table_of_rows


@pytest.fixture
def folder(tmp_path):
    """A whole run with 500 events."""
    rows = [{"scenario": f"s{number}", "time_s": float(number)} for number in range(500)]
    with Recorder(tmp_path, {"seed": 1}) as recorder:
        recorder.write("events", table_of_rows("events", rows))
        recorder.write("summary", table_of_rows("summary", [{"scenario": "s", "status": "ok"}]))
    return tmp_path


def test_a_whole_run_opens(folder):
    run = Run.open(folder)
    assert set(run.tables) == {"events", "summary"}
    assert run.tables["events"].num_rows == 500
    assert run.summary.to_pylist()[0]["status"] == "ok"
    assert run.manifest["seed"] == 1


def test_a_run_without_manifest_is_incomplete(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="incomplete; run it again"):
        Run.open(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        Run.open(tmp_path / "nowhere")


def test_a_manifest_cut_off_is_refused(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match="incomplete"):
        Run.open(folder)


@pytest.mark.parametrize("content", [{}, [], 5, None, {"num_rows": 3}, {"num_rows": None}])
def test_a_manifest_of_something_else_is_refused(folder, content):
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"manifest\.json"):
        Run.open(folder)


def test_a_missing_table_is_refused(folder):
    (folder / "events.arrow").unlink()
    with pytest.raises(InputError, match=r"events\.arrow: cannot be read .*; run it again"):
        Run.open(folder)


def test_a_table_with_other_rows_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["num_rows"]["events"] = 501
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"events\.arrow: 500 rows, expected 501"):
        Run.open(folder)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.99])
def test_a_table_cut_off_is_refused(folder, share):
    content = (folder / "events.arrow").read_bytes()
    (folder / "events.arrow").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"events\.arrow: cannot be read"):
        Run.open(folder)


def test_a_table_that_is_something_else_is_refused(folder):
    (folder / "events.arrow").write_bytes(b"scenario,time_s\n" * 100)
    with pytest.raises(InputError, match="cannot be read"):
        read_table(folder / "events.arrow")
