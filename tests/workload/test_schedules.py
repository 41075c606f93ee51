"""Every schedule has its published bubble and holds its published number of microbatches."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cluster_sim.core import InputError
from cluster_sim.workload import SCHEDULES
from cluster_sim.workload.schedules import BACKWARD, FORWARD, INPUT, WEIGHT

TIME = st.integers(1, 12)
STAGES = st.integers(1, 8)


def orders(name, stages, microbatches, chunks=1):
    """Passes (kind, chunk, microbatch, joined) of every stage."""
    order = SCHEDULES[name].order
    return [[tuple(row) for row in order(s, stages, microbatches, chunks).tolist()] for s in range(stages)]


def idle(name, stages, microbatches, chunks=1, *, forward, inputs, weights, joined=0):
    """Time that each stage stands still in a step with free communication."""
    duration = {FORWARD: forward, BACKWARD: inputs + weights, INPUT: inputs, WEIGHT: weights}
    ways = SCHEDULES[name].ways(stages, chunks)
    before = {there: here for way in ways for here, there in pairwise(way)}
    after = {here: there for there, here in before.items()}
    todo = [together(order) for order in orders(name, stages, microbatches, chunks)]
    ends, now, busy = {}, [0] * stages, [0] * stages
    while any(todo):
        num_before = len(ends)
        for stage, groups in enumerate(todo):
            while groups:
                needed = [need for each in groups[0] for need in needs(each, stage, before, after)]
                if not all(need in ends for need in needed):
                    break
                group = groups.pop(0)
                takes = joined if len(group) == 2 else duration[group[0][0]]
                now[stage] = max([now[stage], *(ends[need] for need in needed)]) + takes
                busy[stage] += takes
                ends |= {gives(each, stage): now[stage] for each in group}
        assert len(ends) > num_before, "deadlock"
    return [max(now) - each for each in busy]


def together(order):
    """Passes in groups that run as one."""
    groups = []
    for each in order:
        if each[3]:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def needs(each, stage, before, after):
    """What a pass waits for: activations, or the gradients of its outputs, or what its first half left."""
    kind, chunk, microbatch, _ = each
    here = (stage, chunk)
    if kind == FORWARD:
        return [("activations", before[here], microbatch)] if here in before else []
    if kind == WEIGHT:
        return [("gradients", here, microbatch)]
    behind = [("gradients", after[here], microbatch)] if here in after else []
    return [("activations", here, microbatch), *behind]


def gives(each, stage):
    """What others may wait for."""
    what = {FORWARD: "activations", WEIGHT: "weights"}.get(each[0], "gradients")
    return what, (stage, each[1]), each[2]


def most_held(order, until):
    """Most (chunk, microbatch) whose forward is done and none of whose passes of the kinds ``until`` is."""
    held = most = 0
    for kind, *_ in order:
        held += (kind == FORWARD) - (kind in until)
        most = max(most, held)
    return most


@st.composite
def pipelines(draw):
    """(schedule, stages, microbatches, chunks) that exists."""
    name = draw(st.sampled_from(SCHEDULES.names))
    if name == "dualpipe":
        stages = 2 * draw(st.integers(1, 4))
        return name, stages, 2 * stages + 2 * draw(st.integers(0, 6)), 2
    if name == "interleaved":
        stages = draw(st.integers(2, 6))
        return name, stages, stages * draw(st.integers(1, 4)), draw(st.integers(2, 4))
    return name, draw(STAGES), draw(st.integers(1, 20)), 1


@given(pipelines())
def test_every_microbatch_makes_every_pass_of_its_way_once_and_in_order(pipeline):
    name, stages, microbatches, chunks = pipeline
    ways = SCHEDULES[name].ways(stages, chunks)
    for stage, order in enumerate(orders(*pipeline)):
        kinds = {}
        for kind, chunk, microbatch, _ in order:
            kinds.setdefault((chunk, microbatch), []).append(kind)
        goes_over = [
            (chunk, microbatch)
            for microbatch in range(microbatches)
            for at, chunk in ways[microbatch * len(ways) // microbatches]
            if at == stage
        ]
        assert sorted(kinds) == sorted(goes_over)
        assert all(made in ([FORWARD, BACKWARD], [FORWARD, INPUT, WEIGHT]) for made in kinds.values())


@given(pipelines())
def test_the_last_microbatch_of_a_chunk_completes_its_gradients(pipeline):
    for order in orders(*pipeline):
        for chunk in range(pipeline[3]):
            last = [microbatch for kind, at, microbatch, _ in order if at == chunk and kind in (BACKWARD, WEIGHT)][-1]
            assert last == max(microbatch for _, at, microbatch, _ in order if at == chunk)


@given(pipelines())
def test_joined_are_a_forward_and_a_whole_backward_of_opposite_ways(pipeline):
    for order in orders(*pipeline):
        pairs = [group for group in together(order) if len(group) > 1]
        assert all([kind for kind, *_ in pair] == [FORWARD, BACKWARD] for pair in pairs)
        assert all(one[1] != other[1] for one, other in pairs)
        assert pipeline[0] == "dualpipe" or not pairs


@given(st.sampled_from(["gpipe", "1f1b"]), STAGES, st.integers(1, 20), TIME, TIME, TIME)
def test_gpipe_and_1f1b_stand_still_for_p_less_1_microbatches(name, p, m, tf, ti, tw):
    """So bubble_ratio is (p-1)/(m+p-1) [Huang et al. 2019, Narayanan et al. 2021 sec. 2.2.1], whatever passes take."""
    assert idle(name, p, m, forward=tf, inputs=ti, weights=tw) == [(p - 1) * (tf + ti + tw)] * p


@given(st.integers(2, 6), st.integers(1, 4), st.integers(2, 4), TIME, TIME, TIME)
def test_interleaving_divides_the_bubble_by_the_chunks(p, groups, v, tf, ti, tw):
    """(p-1)/(v m) of the ideal time [Narayanan et al. 2021 sec. 2.2.2]; here a pass of a chunk is 1/v of a stage's."""
    m, chunk_s = p * groups, tf + ti + tw
    ideal = v * m * chunk_s
    assert idle("interleaved", p, m, v, forward=tf, inputs=ti, weights=tw) == [ideal * (p - 1) // (v * m)] * p


@given(STAGES, st.integers(0, 12), TIME, TIME, TIME)
def test_zb_h1_fills_the_bubble_with_weights(p, extra, tf, ti, tw):
    """(p-1)(TF+TB-TW), TB the input part [Qi et al. 2024 sec. 2]; for m >= p, and TW at most TF and TB."""
    bubble = idle("zb-h1", p, p + extra, forward=tf, inputs=ti, weights=tw)
    assert bubble == [(p - 1) * max(tf, ti, tf + ti - tw)] * p
    if tw <= min(tf, ti):
        assert bubble == [(p - 1) * (tf + ti - tw)] * p


@given(st.integers(1, 5), st.integers(0, 5), TIME, TIME, st.integers(0, 12))
def test_dualpipe_has_its_published_bubble(half, extra, tf, tw, saved):
    """(PP/2-1)(F&B + B - 3W), B a whole backward [DeepSeek-AI 2024 sec. 3.2.1]; if F = B - W >= W and F&B >= B."""
    assume(tw <= tf)
    p, m, tb, t_fb = 2 * half, 4 * half + 2 * extra, tf + tw, 2 * tf + tw - min(saved, tf)
    bubble = idle("dualpipe", p, m, 2, forward=tf, inputs=tf, weights=tw, joined=t_fb)
    published = (half - 1) * (t_fb + tb - 3 * tw)
    assert bubble[half - 1] == bubble[half] == max(bubble) == published
    if t_fb == tf + tb:
        assert bubble == [published] * p


@given(st.integers(1, 5), st.integers(0, 5), TIME, TIME, TIME, st.integers(0, 12))
def test_dualpipe_has_no_more_bubble_than_with_the_longer_of_forward_and_inputs(half, extra, tf, ti, tw, saved):
    """As published with F for B - W where forwards are the longer; less than published where inputs are."""
    assume(tw <= min(tf, ti))
    t_fb = tf + ti + tw - min(saved, tf, ti + tw)
    bubble = idle("dualpipe", 2 * half, 4 * half + 2 * extra, 2, forward=tf, inputs=ti, weights=tw, joined=t_fb)
    most = (half - 1) * (t_fb + max(tf, ti) - 2 * tw)
    assert max(bubble) == most if ti <= tf else max(bubble) <= most


@given(pipelines())
def test_a_stage_holds_the_published_number_of_microbatches(pipeline):
    """
    All in GPipe, p-s in 1F1B, p(1 + (p-1)/(p v)) of v chunks on the first stage when interleaved [Korthikanti et al.
    2022], p in ZB-H1 of which p-s wait for their inputs' gradients, p+1 in DualPipe.
    """
    name, p, m, v = pipeline
    for stage, order in enumerate(orders(*pipeline)):
        published = {
            "gpipe": m,
            "1f1b": min(p - stage, m),
            "interleaved": m * v if m == p else min(p * v + p - 1 - 2 * stage, m * v),
            "zb-h1": min(p, m),
            "dualpipe": p + 1,
        }[name]
        assert most_held(order, until=(BACKWARD, WEIGHT)) <= published
        if m >= 2 * p:
            assert most_held(order, until=(BACKWARD, WEIGHT)) == published
        if name == "zb-h1":
            assert most_held(order, until=(INPUT,)) == min(p - stage, m)


def test_zb_h1_of_four_stages():
    """Its last stage does the weights three microbatches late; letters with a microbatch each."""
    letters = ["".join("FBIW"[kind] for kind, *_ in order) for order in orders("zb-h1", 4, 5)]
    assert letters == ["FFFFIWFIWIWIWIW", "FFFIFIWFIWIWIWW", "FFIFIFIWFIWIWWW", "FIFIFIFIWFIWWWW"]


def test_dualpipe_joins_most_passes_in_the_middle():
    """
    8 stages, 10 microbatches from each end. The first stage joins 2 (10 - 8 + 1) in its main phase and 3 in the next;
    a stage further inside two more in the main phase and one less after it. The two in the middle leave one apart.
    """
    joined = [Counter(row[3] for row in order)[1] for order in orders("dualpipe", 8, 20, 2)]
    assert joined == [9, 10, 11, 11, 11, 11, 10, 9]


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("interleaved", (4, 6, 2), "multiples of the 4 stages"),
        ("interleaved", (4, 8, 1), "use '1f1b'"),
        ("1f1b", (4, 8, 2), "use 'interleaved'"),
        ("gpipe", (4, 8, 2), "use 'interleaved'"),
        ("zb-h1", (4, 8, 2), "use 'interleaved'"),
        ("dualpipe", (4, 8, 1), "two chunks .*virtual_stages: 2.* got 1; change"),
        ("dualpipe", (3, 8, 2), "even number of stages, got 3; change"),
        ("dualpipe", (4, 9, 2), "at least twice the 4 stages, got 9"),
        ("dualpipe", (4, 6, 2), "at least twice the 4 stages, got 6"),
        ("dualpipe", (5, 6, 1), "got 1, and .* got 5, and .* got 6"),
    ],
)
def test_a_schedule_says_what_it_needs(name, numbers, message):
    with pytest.raises(InputError, match=message):
        SCHEDULES[name].order(0, *numbers)
