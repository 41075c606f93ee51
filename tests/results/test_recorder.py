import json
import os
import stat

import pyarrow as pa
import pytest

from cluster_sim.core import InputError, OutputError
from cluster_sim.results import Recorder, Run, claim_folder, read_table, table_of_rows


def events(num):
    return table_of_rows("events", [{"scenario": "s", "time_s": float(number), "event": "e"} for number in range(num)])


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_the_manifest_comes_last(tmp_path):
    with Recorder(tmp_path, {"versions": {}}) as recorder:
        recorder.write("events", events(2))
        assert names(tmp_path) == ["events.arrow"]
        recorder.note(seed=3)
    assert names(tmp_path) == ["events.arrow", "manifest.json"]
    assert json.loads((tmp_path / "manifest.json").read_text()) == {
        "versions": {},
        "seed": 3,
        "num_rows": {"events": 2},
    }


def test_a_crash_leaves_no_manifest_and_the_run_cannot_be_opened(tmp_path):
    def crash():
        with Recorder(tmp_path, {}) as recorder:
            recorder.write("events", events(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert names(tmp_path) == ["events.arrow"]
    with pytest.raises(InputError, match=r"incomplete; run it again"):
        Run.open(tmp_path)


def test_a_table_is_partial_until_it_is_whole(tmp_path, monkeypatch):
    """The disk fills up while the file is closed: only the partial file is left."""

    def fail(source, target):
        assert str(source).endswith("events.arrow.partial")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"), Recorder(tmp_path, {}) as recorder:
        recorder.write("events", events(2))
    assert names(tmp_path) == ["events.arrow.partial"]


def test_tables_are_arrow_files_with_zstd(tmp_path):
    with Recorder(tmp_path, {}) as recorder:
        recorder.write("events", events(1000))
    assert (tmp_path / "events.arrow").read_bytes()[:6] == b"ARROW1"
    assert read_table(tmp_path / "events.arrow") == events(1000)
    assert (tmp_path / "events.arrow").stat().st_size < 20_000


def test_the_manifest_is_text_that_people_can_read(tmp_path):
    with Recorder(tmp_path, {"b": "Größe", "a": 1}):
        pass
    text = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    assert text.index('"a"') < text.index('"b"')
    assert "Größe" in text
    assert text.endswith("}\n")


def test_folders_are_numbered_and_never_reused(tmp_path):
    root = tmp_path / "results"
    assert [claim_folder(None, "x", False, root).name for _ in range(3)] == ["x-001", "x-002", "x-003"]
    (root / "x-003").rmdir()
    (root / "x-007").mkdir()
    (root / "x-y-050").mkdir()
    (root / "xx-090").mkdir()
    assert claim_folder(None, "x", False, root).name == "x-008"
    (root / "x-1234").mkdir()
    assert claim_folder(None, "x", False, root).name == "x-1235"


def test_names_with_brackets_are_numbered_too(tmp_path):
    folders = []
    for _ in range(2):
        folders.append(claim_folder(None, "a[b]", False, tmp_path))
        (folders[-1] / "summary.arrow").touch()
    assert [folder.name for folder in folders] == ["a[b]-001", "a[b]-002"]


def test_two_runs_that_start_together_get_two_folders(tmp_path, monkeypatch):
    """The other run makes its folder after this one has looked for a free number."""
    from cluster_sim.results import recorder

    look = recorder._next_free
    others = []

    def look_and_lose(root, name):
        free = look(root, name)
        if not others:
            free.mkdir(parents=True)
            others.append(free)
        return free

    monkeypatch.setattr(recorder, "_next_free", look_and_lose)
    assert claim_folder(None, "x", False, tmp_path) not in others


def test_an_output_that_is_new_or_empty_is_taken(tmp_path):
    assert claim_folder(tmp_path / "a" / "b", "x", False) == tmp_path / "a" / "b"
    assert claim_folder(tmp_path / "a" / "b", "x", False).is_dir()
    assert names(tmp_path / "a" / "b") == []


def test_an_output_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "summary.arrow").touch()
    with pytest.raises(OutputError, match=r"is not empty; choose another --output, or add --overwrite"):
        claim_folder(tmp_path, "x", False)
    assert names(tmp_path) == ["summary.arrow"]


def test_overwrite_replaces_a_run_whole_or_incomplete(tmp_path):
    for name in ("summary.arrow", "tasks.arrow.partial", "manifest.json", "comparison.png", "comparison.svg"):
        (tmp_path / name).touch()
    claim_folder(tmp_path, "x", True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("foreign", ["data.csv", "my notes.txt", "sub/summary.arrow", ".git", "x.tar.gz"])
def test_overwrite_never_deletes_what_is_not_a_run(tmp_path, foreign):
    (tmp_path / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / foreign).touch()
    (tmp_path / "summary.arrow").touch()
    before = names(tmp_path)
    with pytest.raises(OutputError, match="holds other things"):
        claim_folder(tmp_path, "x", True)
    assert names(tmp_path) == before


@pytest.mark.parametrize("foreign", ["passwords.txt", "holiday.png", "logo.svg", "mydata.arrow", "album.png/1.jpg"])
def test_overwrite_never_deletes_pictures_and_notes(tmp_path, foreign):
    (tmp_path / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / foreign).touch()
    before = names(tmp_path)
    with pytest.raises(OutputError, match="holds other things"):
        claim_folder(tmp_path, "x", True)
    assert names(tmp_path) == before


def test_overwrite_replaces_a_run_that_died_while_writing_its_manifest(tmp_path):
    for name in ("summary.arrow", "manifest.json.partial"):
        (tmp_path / name).touch()
    claim_folder(tmp_path, "x", True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("below", [False, True])
def test_an_output_that_is_a_file_is_refused(tmp_path, below):
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(OutputError, match=r"cannot be written \(.*\); choose another --output"):
        claim_folder(file / "x" if below else file, "x", True)
    assert file.read_text() == "precious"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_an_output_without_permission_is_refused(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        for output in (tmp_path, tmp_path / "new"):
            with pytest.raises(OutputError, match="cannot be written"):
                claim_folder(output, "x", False)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_an_output_on_a_read_only_disk_is_refused(tmp_path, monkeypatch):
    def read_only(self, *args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.touch", read_only)
    with pytest.raises(OutputError, match=r"cannot be written \(Read-only file system\)"):
        claim_folder(tmp_path, "x", False)


def test_an_output_that_is_no_path_is_refused(tmp_path):
    with pytest.raises(OutputError):
        claim_folder(tmp_path / "a\0b", "x", False)


def test_empty_tables_keep_their_schema(tmp_path):
    with Recorder(tmp_path, {}) as recorder:
        recorder.write("events", events(0))
    table = Run.open(tmp_path).tables["events"]
    assert table.num_rows == 0
    assert table.schema.field("time_s").type == pa.float64()
