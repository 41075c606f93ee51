import io

import pytest
from rich.console import Console

from cluster_sim.reports import draw_reliability, failures

ROW = {
    "scenario": "job / dsp / clos", "status": "ok", "reason": "", "goodput_ratio": 0.912, "goodput_low_ratio": 0.9,
    "goodput_high_ratio": 0.92, "availability_ratio": 0.95, "interruptions_per_day": 7.5, "checkpoint_every": 1234,
    "time_to_train_s": 86400.0 * 20, "unverified": "reroute_time",
}  # fmt: skip
PARTS = [
    {"part": part, "mean_s": share * 36000.0, "low_s": 0.0, "high_s": 36000.0, "share_ratio": share}
    for part, share in (("useful", 0.912), ("checkpoints", 0.01), ("lost_work", 0.02), ("restart", 0.04),
                        ("waiting", 0.01), ("degraded", 0.005), ("stalled", 0.003))
]  # fmt: skip


def cause(name, group, interruptions, part="", low=0.0, high=9.0):
    return {
        "cause": name, "group": group, "part": part, "num_pieces": 16384, "failures_per_year": 0.123,
        "failures_mean": 10.0, "interruptions_mean": interruptions, "interruptions_low": low,
        "interruptions_high": high, "share_ratio": interruptions / 8, "lost_s": 7200.0,
    }  # fmt: skip


CAUSES = [cause("core switch", "switch", 0.0, "tomahawk6"), cause("accelerator", "gpu", 7.0), cause("flaps", "flap", 1)]


def printed(row=ROW, causes=CAUSES):
    out = io.StringIO()
    Console(file=out, width=160).print(failures(row, causes, PARTS))
    return out.getvalue()


def test_most_interruptions_come_first():
    lines = printed().splitlines()
    place = {name: next(n for n, line in enumerate(lines) if name in line) for name in ("accelerator", "core switch")}
    assert place["accelerator"] < place["core switch"]
    row = lines[place["accelerator"]].split()
    assert row[1:5] == ["16,384", "12.3", "10.0", "7.0"]
    assert row[-1] == "2.0"


def test_what_comes_of_it_is_told():
    text = printed()
    for words in ("goodput 91.2 %", "90.0 % to 92.0 %", "7.50 interruptions a day", "every 1,234 steps", "20.0 days"):
        assert words in text
    assert "reroute_time" in text


def test_no_progress_is_told():
    assert "failed: no progress" in printed(ROW | {"status": "failed", "reason": "no progress: ..."})


def test_without_tokens_and_assumptions_nothing_is_said_of_them():
    text = printed(ROW | {"time_to_train_s": None, "unverified": ""})
    assert "days" not in text
    assert "source" not in text


@pytest.mark.parametrize("causes", [CAUSES, []])
def test_the_figure_is_the_same_every_time(tmp_path, causes):
    png, svg = draw_reliability(ROW, causes, PARTS, tmp_path)
    first = png.read_bytes(), svg.read_bytes()
    assert len(first[0]) > 5000
    draw_reliability(ROW, causes, PARTS, tmp_path)
    assert (png.read_bytes(), svg.read_bytes()) == first
