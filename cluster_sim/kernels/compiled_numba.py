"""Compiled with Numba: an event costs what it changes, not what exists. The specification is ``kernels.advance``.

*Local update.* After a departure, an arrival or a change of capacity, only flows whose rates change are solved again.
A flow is *open* while its rate is looked for; all others are load. Rows are filled in the order of their *level*, the
rate at which their open flows, and the others that are faster, fill what the rest leaves. The row with the least level
is a bottleneck: its open flows, and the faster ones, get that rate. Where that makes a flow slower, its other rows have
room again, so the flows that they held back open in turn. Everything that a level changes happens above it, so no row
is filled twice, and what stays closed to the end keeps its rate and its time of finishing.

*Departures.* Flows held back by one row are a group; a heap holds the earliest finish of every row. Where a flow has
left its group the entry may be too early, never too late, and is put right when it comes up.

All that is compiled stands in one file because Numba's cache looks only at the file of the function it caches: with the
solver in another file, an edited solver would go on running as it was.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.core.options import DefaultOptions
from numba.extending import intrinsic

from cluster_sim.kernels.net import AT, ENTRY, HOP, MEMBER, Net
from cluster_sim.kernels.state import CARRIED, CLASS, IDLE, PAST, PATTERN, ROW, SENDING, WAITING
from cluster_sim.tables import NONE

# mypy: disable-error-code="no-untyped-def, assignment"

# Everything here works on memory that others own, so nobody has to count references, which would cost more than the
# work. And ``net`` has so many fields that to pass it on costs more than most functions do.
_FLAGS = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_KNOWN = {name: value for name, value in _FLAGS.items() if hasattr(DefaultOptions, name)}
_called_from_python = njit(
    cache=True, nogil=True, error_model="numpy", **{name: value for name, value in _KNOWN.items() if name == "_nrt"}
)
_compiled = njit(nogil=True, error_model="numpy", **_KNOWN)
_inlined = njit(nogil=True, error_model="numpy", forceinline=True, **_KNOWN)

_TIE_RATIO = 1e-12
_ABOVE_TIE = 1.0 + _TIE_RATIO


@intrinsic
def _column(typing: Any, address: Any, length: Any, dtype: Any) -> Any:
    """The array at an address; whoever calls keeps it alive."""
    array = types.Array(dtype.dtype, 1, "C")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        item_bytes = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(dtype.dtype)))
        view = context.make_array(array)(context, builder)
        data = builder.inttoptr(arguments[0], view.data.type)
        shape, strides = [arguments[1]], [item_bytes]
        context.populate_array(view, data=data, shape=shape, strides=strides, itemsize=item_bytes, meminfo=None)
        return view._getvalue()

    return array(types.int64, types.int64, dtype), code


@_inlined
def _net_at(at):
    """The net again, from the addresses of its columns: to hand over one array takes a tenth of the time of all."""
    return Net(
        _column(at.flows_at, at.flows_length, CLASS), _column(at.rate_at, at.rate_length, np.float64),
        _column(at.bottleneck_at, at.bottleneck_length, np.int32),
        _column(at.begin_s_at, at.begin_s_length, np.float64), _column(at.past_at, at.past_length, PAST),
        _column(at.patterns_at, at.patterns_length, PATTERN), _column(at.rows_at, at.rows_length, ROW),
        _column(at.carried_at, at.carried_length, CARRIED), _column(at.hops_at, at.hops_length, HOP),
        _column(at.members_at, at.members_length, MEMBER), _column(at.waiting_at, at.waiting_length, ENTRY),
        _column(at.noted_at, at.noted_length, np.uint32), _column(at.levels_at, at.levels_length, ENTRY),
        _column(at.level_at, at.level_length, np.float64),
        _column(at.ends_at, at.ends_length, ENTRY), _column(at.end_s_at, at.end_s_length, np.float64),
        _column(at.next_end_s_at, at.next_end_s_length, np.float64),
        _column(at.least_at, at.least_length, np.float64), _column(at.begun_at, at.begun_length, np.uint32),
        _column(at.open_at, at.open_length, np.uint32), _column(at.changed_at, at.changed_length, np.uint32),
        _column(at.finished_at, at.finished_length, np.uint32), _column(at.touched_at, at.touched_length, np.uint32),
        _column(at.filled_at, at.filled_length, np.uint32), _column(at.above_at, at.above_length, np.uint32),
        _column(at.held_at, at.held_length, np.uint32),
        _column(at.due_at, at.due_length, np.uint32), _column(at.at_at, at.at_length, AT),
    )  # fmt: skip


# Time


@_called_from_python
def wait(at_array, first, last):
    """Classes ``first`` to ``last`` - 1 are put in flight."""
    at = at_array[0]
    net = _net_at(at)
    for f in range(np.uint32(first), np.uint32(last)):
        at.num_waiting = _push(net.waiting, net.begin_s, at.num_waiting, f, net.begin_s[f])


@_called_from_python
def go_on(at_array):
    """Whatever waits or sends goes on, on rows that know of nobody yet."""
    at = at_array[0]
    net = _net_at(at)
    for f in range(np.uint32(len(net.flows))):
        if net.flows[f].phase == WAITING:
            at.num_waiting = _push(net.waiting, net.begin_s, at.num_waiting, f, net.begin_s[f])
        elif net.flows[f].phase == SENDING:
            _enter(net, at, f)


@_called_from_python
def wait_anew(at_array, flows):
    """Classes, uint32[...], wait for another time than before."""
    at = at_array[0]
    net = _net_at(at)
    for f in flows:
        at.num_waiting = _push(net.waiting, net.begin_s, at.num_waiting, f, net.begin_s[f])


@_called_from_python
def run(at_array, now_s, until_s):
    """See ``kernels.advance``: (last instant, next instant, patterns that have finished)."""
    at = at_array[0]
    net = _net_at(at)
    at.num_finished = 0
    at.now_s = max(at.now_s, now_s)
    while True:
        num_before = at.num_steps
        _begin(net, at)
        _finish(net, at)
        if at.num_steps > num_before:
            at.num_events += 1
        if at.num_finished > 0:
            at.next_s = at.now_s
            return at.now_s, at.next_s, at.num_finished
        if at.num_touched + at.num_begun > 0:
            _solve(net, at)
        at.next_s = min(_next_begin_s(net, at), _next_end_s(net, at))
        if at.next_s > until_s or at.next_s == np.inf:
            return at.now_s, at.next_s, at.num_finished
        at.now_s = at.next_s


@_called_from_python
def begin_all(at_array):
    """Everything that waits begins at once; for a single solve."""
    at = at_array[0]
    net = _net_at(at)
    for f in range(np.uint32(len(net.flows))):
        _enter(net, at, f)
    _solve(net, at)


@_inlined
def _tick_s(now_s):
    return 4.0 * np.spacing(max(now_s, 1e-9))


@_inlined
def _begin(net, at):
    """Classes whose latency is over start to send."""
    soon_s = at.now_s + _tick_s(at.now_s)
    while _next_begin_s(net, at) <= soon_s:
        f = net.waiting[0].row
        at.num_waiting = _pop(net.waiting, at.num_waiting)
        if net.flows[f].phase == WAITING:
            _enter(net, at, f)


@_inlined
def _enter(net, at, f):
    flow = net.flows[f]
    at.num_steps += 1
    flow.phase = SENDING
    flow.since_s = at.now_s
    net.rate[f] = 0.0
    flow.end_s = np.inf
    net.bottleneck[f] = NONE
    at.first_begin_s = min(at.first_begin_s, at.now_s)
    first, last = flow.first_hop, flow.last_hop
    if first == last or flow.left_bytes <= 0.0:
        _end(net, at, f)
        return
    for h in range(first, last):
        r = net.hops[h].row
        row = net.rows[r]
        slot = net.rows[r].first_member + row.num_members
        net.members[slot].flow = f
        net.members[slot].weight = net.hops[h].weight
        net.members[slot].hop = h
        net.hops[h].slot = slot
        row.num_members += 1
    at.num_sending += 1
    net.begun[at.num_begun] = f
    at.num_begun += 1


@_inlined
def _finish(net, at):
    """Take out every class that has less than a tick of sending left, or little enough for the tolerance.

    Waiting for less than a tick would not move the clock, and the simulation would never end.
    """
    soon_s = at.now_s + _tick_s(at.now_s)
    share = at.time_tolerance
    bound_s = max(soon_s, (at.now_s - share * at.first_begin_s) / (1.0 - share)) if share > 0.0 else soon_s
    at.num_ends = _drop_stale(net.ends, net.end_s, at.num_ends)
    if at.num_ends == 0 or net.ends[0].key > bound_s:
        return
    _collect_due(net, at, bound_s)
    for i in range(at.num_due):
        r = net.due[i]
        next_s = np.inf
        slot = net.rows[r].first_member
        while slot < net.rows[r].first_member + net.rows[r].num_members:
            f = net.members[slot].flow
            flow = net.flows[f]
            if net.bottleneck[f] == r:
                early_s = flow.end_s - at.now_s
                if flow.end_s <= soon_s or early_s <= share * (flow.end_s - net.begin_s[f]):
                    if flow.end_s > soon_s:
                        at.largest_shift_s = max(at.largest_shift_s, early_s)
                    _leave(net, at, f)
                    _end(net, at, f)
                    continue  # the last member now stands in its slot
                next_s = min(next_s, flow.end_s)
            slot += 1
        at.num_ends = _push(net.ends, net.end_s, at.num_ends, r, next_s)


@_inlined
def _collect_due(net, at, bound_s):
    """Rows whose earliest finish is not after ``bound_s``: the top of the heap, parents before children."""
    net.due[0] = 0
    num_found, i = 1, 0
    at.num_due = 0
    while i < num_found:
        place = net.due[i]
        for child in range(4 * place + 1, min(4 * place + 5, at.num_ends)):
            if net.ends[child].key <= bound_s:
                net.due[num_found] = child
                num_found += 1
        i += 1
    for i in range(num_found):
        entry = net.ends[net.due[i]]
        if net.end_s[entry.row] == entry.key:
            net.due[at.num_due] = entry.row
            at.num_due += 1


@_inlined
def _end(net, at, f):
    """A class has finished; perhaps its pattern too."""
    flow, pattern = net.flows[f], net.patterns[net.flows[f].pattern]
    at.num_steps += 1
    flow.phase = IDLE
    flow.left_bytes = 0.0
    flow.end_s = at.now_s
    if pattern.last_s != at.now_s or f > pattern.last:
        pattern.last = f
    pattern.last_s = at.now_s
    pattern.left -= 1
    if pattern.left == 0:
        net.finished[at.num_finished] = net.flows[f].pattern
        at.num_finished += 1


@_compiled
def _leave(net, at, f):
    """Take a sending class off its rows."""
    at.num_sending -= 1
    _settle_flow(net, at, f)
    for h in range(net.flows[f].first_hop, net.flows[f].last_hop):
        r = net.hops[h].row
        row = net.rows[r]
        _settle_row(net, at, r)
        row.num_members -= 1
        slot, last = net.hops[h].slot, row.first_member + row.num_members
        net.members[slot].flow = net.members[last].flow
        net.members[slot].weight = net.members[last].weight
        net.members[slot].hop = net.members[last].hop
        net.hops[net.members[slot].hop].slot = slot
        row.load -= net.rate[f] * net.hops[h].weight
        if net.rate[f] > 0.0:
            row.num_flowing -= 1
        if row.num_flowing == 0:
            row.load = 0.0
        if row.num_members == 0:
            row.fastest = 0.0
        _touch(net, at, r)
    if net.bottleneck[f] != NONE:
        net.rows[net.bottleneck[f]].num_held -= 1


@_inlined
def _touch(net, at, r):
    if not net.rows[r].is_touched:
        net.rows[r].is_touched = 1
        net.touched[at.num_touched] = r
        at.num_touched += 1


@_inlined
def _next_begin_s(net, at):
    at.num_waiting = _drop_stale(net.waiting, net.begin_s, at.num_waiting)
    return net.waiting[0].key if at.num_waiting > 0 else np.inf


@_inlined
def _next_end_s(net, at):
    """The earliest finish; entries that were too early are put right."""
    at.num_ends = _drop_stale(net.ends, net.end_s, at.num_ends)
    while at.num_ends > 0:
        r, key = net.ends[0].row, net.ends[0].key
        next_s = np.inf
        for slot in range(net.rows[r].first_member, net.rows[r].first_member + net.rows[r].num_members):
            f = net.members[slot].flow
            if net.bottleneck[f] == r:
                next_s = min(next_s, net.flows[f].end_s)
        if next_s <= key:
            return max(next_s, at.now_s)
        at.num_ends = _push(net.ends, net.end_s, at.num_ends, r, next_s)
        at.num_ends = _drop_stale(net.ends, net.end_s, at.num_ends)
    return np.inf


# What has been sent and carried


@_inlined
def _settle_flow(net, at, f):
    flow = net.flows[f]
    dt_s = at.now_s - flow.since_s
    if dt_s > 0.0:
        flow.left_bytes -= net.rate[f] * dt_s
        if net.rate[f] == 0.0:
            net.past[f].stalled_s += dt_s
        flow.since_s = at.now_s


@_inlined
def _settle_row(net, at, r):
    if len(net.carried) == 0:
        return
    row, carried = net.rows[r], net.carried[r]
    dt_s = at.now_s - carried.since_s
    if dt_s > 0.0:
        if row.load > 0.0:
            carried.bytes += row.load * dt_s
            carried.busy_s += dt_s
            if row.load >= row.capacity * (1.0 - 1e-9):
                carried.full_s += dt_s
            carried.peak = max(carried.peak, row.load)
        carried.since_s = at.now_s


@_called_from_python
def settle_all(at_array, now_s):
    """See ``kernels.settle``."""
    at = at_array[0]
    net = _net_at(at)
    at.now_s = max(at.now_s, now_s)
    for f in range(np.uint32(len(net.flows))):
        if net.flows[f].phase == SENDING:
            _settle_flow(net, at, f)
    for r in range(np.uint32(len(net.rows))):
        _settle_row(net, at, r)


@_called_from_python
def withdraw(at_array, flows):
    """Take sending classes, uint32[...], off their rows."""
    at = at_array[0]
    net = _net_at(at)
    for f in flows:
        _leave(net, at, f)


@_called_from_python
def change_capacity(at_array, capacity):
    """Everything is settled."""
    at = at_array[0]
    net = _net_at(at)
    for r in range(np.uint32(len(net.rows))):
        if net.rows[r].capacity != capacity[r]:
            net.rows[r].capacity = capacity[r]
            _touch(net, at, r)


# Rates


@_compiled
def _solve(net, at):
    """New rates for whatever the classes that begin, the classes that have left and the new capacities change."""
    at.num_solves += 1
    _gather(net, at)
    if at.num_open == at.num_sending:
        _fill_in_rounds(net, at)
    _fill_all(net, at)
    _commit(net, at)


@_inlined
def _gather(net, at):
    """Open what has to be looked at in any case."""
    for i in range(at.num_begun):
        _open(net, at, net.begun[i])
    if 2 * at.num_begun >= at.num_sending and 8 * at.num_begun >= len(net.flows):
        for f in range(np.uint32(len(net.flows))):
            if net.flows[f].phase == SENDING and not np.isnan(net.rate[f]):
                _open(net, at, f)
    for i in range(at.num_touched):
        r = net.touched[i]
        row = net.rows[r]
        row.is_touched = 0
        _settle_row(net, at, r)
        if row.num_members > 0:
            _release(net, at, r, -1.0)
            if row.load > row.capacity and net.level[r] == np.inf:
                _note(net, at, r)
    at.num_begun = 0
    at.num_touched = 0


@_inlined
def _note(net, at, r):
    """The row is to be filled; ``_order_noted`` will say at what level."""
    net.level[r] = -np.inf
    net.noted[at.num_noted] = r
    at.num_noted += 1


@_inlined
def _order_noted(net, at):
    """Put what has been noted in the heap, each row with a level that its own is not below."""
    is_first = at.num_levels == 0
    for i in range(at.num_noted):
        r = net.noted[i]
        row = net.rows[r]
        level = _room(row, row.load) / row.open_weight if row.num_open > 0 else 0.0
        if is_first:
            net.level[r] = level
            net.levels[i].row, net.levels[i].key = r, level
        else:
            at.num_levels = _push(net.levels, net.level, at.num_levels, r, level)
    if is_first:
        at.num_levels = at.num_noted
        _order(net.levels, at.num_levels)
    at.num_noted = 0


@_inlined
def _fill_in_rounds(net, at):
    """When everything is open: fill at once all rows whose level is the least on all rows of each of their flows.

    As long as that freezes many flows at a time it is faster than a heap.
    """
    num_before = at.num_open
    for i in range(num_before):
        net.open[i] = net.changed[i]
    while at.num_open > 0:
        for i in range(at.num_noted):
            r = net.noted[i]
            row = net.rows[r]
            net.level[r] = _room(row, row.load) / row.open_weight
            net.least[r] = np.inf
        _least_of_rows(net, num_before)
        for i in range(at.num_noted):
            r = net.noted[i]
            if net.rows[r].num_open > 0 and net.least[r] * _ABOVE_TIE >= net.level[r]:
                _fill(net, at, r, net.level[r])
        _forget_filled(net, at, num_before)
        if 4 * at.num_open > 3 * num_before:
            return
        num_before = at.num_open


@_inlined
def _least_of_rows(net, num_open):
    for i in range(num_open):
        flow = net.flows[net.open[i]]
        least = np.inf
        for h in range(flow.first_hop, flow.last_hop):
            least = min(least, net.level[net.hops[h].row])
        for h in range(flow.first_hop, flow.last_hop):
            r = net.hops[h].row
            net.least[r] = min(net.least[r], least)


@_inlined
def _forget_filled(net, at, num_before):
    """Rows without open flows have no level; flows that are not open are not looked at again."""
    num_rows, num_flows = 0, 0
    for i in range(at.num_noted):
        r = net.noted[i]
        if net.rows[r].num_open > 0:
            net.noted[num_rows] = r
            num_rows += 1
        else:
            net.level[r] = np.inf
    for i in range(num_before):
        f = net.open[i]
        if np.isnan(net.rate[f]):
            net.open[num_flows] = f
            num_flows += 1
    at.num_noted = num_rows


@_inlined
def _fill_all(net, at):
    while True:
        if at.num_noted > 0:
            _order_noted(net, at)
        if at.num_open == 0:
            _keep_overloaded(net, at)
        at.num_levels = _drop_stale(net.levels, net.level, at.num_levels)
        if at.num_levels == 0:
            return
        _fill_lowest(net, at)


@_inlined
def _open(net, at, f):
    """Look for a new rate: the flow is no load, and its rows get a level, which is not below its rate so far."""
    _change(net, at, f)
    rate = net.rate[f]
    net.rate[f] = np.nan
    at.num_open += 1
    for h in range(net.flows[f].first_hop, net.flows[f].last_hop):
        r, weight = net.hops[h].row, net.hops[h].weight
        row = net.rows[r]
        _settle_row(net, at, r)
        row.open_weight += weight
        row.num_open += 1
        row.load = row.load - rate * weight if row.num_open < row.num_members else 0.0
        if net.level[r] > rate:
            _note(net, at, r)


@_inlined
def _change(net, at, f):
    """Remember the rate before this solve."""
    flow = net.flows[f]
    if not flow.is_changed:
        _settle_flow(net, at, f)
        flow.is_changed = 1
        flow.rate_before = net.rate[f]
        net.changed[at.num_changed] = f
        at.num_changed += 1


@_inlined
def _release(net, at, r, level):
    """A row has room again: open the flows that it held back above ``level``."""
    row = net.rows[r]
    if row.num_held == 0 or row.released_at == at.num_solves:
        return
    row.released_at = at.num_solves
    num_found, above, fastest = 0, level * _ABOVE_TIE, 0.0
    for slot in range(row.first_member, row.first_member + row.num_members):
        f = net.members[slot].flow
        net.above[num_found] = f  # no branch, which nobody could predict
        is_released = np.int64(net.rate[f] > above) & np.int64(net.bottleneck[f] == r)
        num_found += is_released
        rate = 0.0 if is_released else net.rate[f]
        fastest = rate if rate > fastest else fastest
    row.fastest = fastest
    for i in range(num_found):
        _open(net, at, net.above[i])


@_inlined
def _fill_lowest(net, at):
    """Fill the row with the least level, or find that its level is not the least."""
    r = net.levels[0].row
    row = net.rows[r]
    level = 0.0
    if row.num_open > 0:
        level = _room(row, row.load) / row.open_weight
        if _is_not_lowest(net, at, r, level):
            return
    elif row.load <= row.capacity * _ABOVE_TIE:
        net.level[r] = np.inf
        return
    if row.num_open == 0 or row.fastest > level * _ABOVE_TIE:
        level = _level(net, r, level)
        if _is_not_lowest(net, at, r, level):
            return
    net.level[r] = np.inf
    at.num_levels = _pop(net.levels, at.num_levels)
    _fill(net, at, r, level)


@_inlined
def _room(row, load):
    """What a load leaves, not below 0; nothing on a row without capacity, whatever the last bit of the load says."""
    return max(row.capacity - load, 0.0) if row.capacity > 0.0 else 0.0


@_inlined
def _is_not_lowest(net, at, r, level):
    """Is another row nearer to the top? Then the first one goes to its place."""
    others = np.inf
    for child in range(1, min(5, at.num_levels)):
        others = min(others, net.levels[child].key)
    if level <= others * _ABOVE_TIE:
        return False
    net.level[r] = level
    _sink(net.levels, at.num_levels, 0, r, level)
    return True


@_inlined
def _level(net, r, level):
    """The rate, not below ``level``, at which open flows and others that are faster fill the row; sums are taken anew.

    Newton's method from below, on a function that is concave and consists of straight lines: it ends on the root.
    """
    row = net.rows[r]
    load, open_weight, fastest, num_above = 0.0, 0.0, level, 0
    for slot in range(row.first_member, row.first_member + row.num_members):
        rate, weight = net.rate[net.members[slot].flow], net.members[slot].weight
        is_open = np.isnan(rate)
        closed_rate = 0.0 if is_open else rate
        load += closed_rate * weight
        open_weight += weight if is_open else 0.0
        net.above[num_above] = slot
        num_above += np.int64(closed_rate > level)
    load_above, weight_above = 0.0, 0.0
    for i in range(num_above):
        rate, weight = net.rate[net.members[net.above[i]].flow], net.members[net.above[i]].weight
        load_above += rate * weight
        weight_above += weight
        fastest = rate if rate > fastest else fastest
    row.load, row.open_weight, row.fastest = load, open_weight, fastest
    while num_above > 0:
        higher = _room(row, load - load_above) / (open_weight + weight_above)
        if higher <= level * _ABOVE_TIE:
            break
        level, num_before, num_above, load_above, weight_above = higher, num_above, 0, 0.0, 0.0
        for i in range(num_before):
            slot = net.above[i]
            rate, weight = net.rate[net.members[slot].flow], net.members[slot].weight
            if rate > level:
                net.above[num_above] = slot
                num_above += 1
                load_above += rate * weight
                weight_above += weight
    if num_above == 0 and open_weight > 0.0:
        level = max(level, _room(row, load) / open_weight)
    return level


@_inlined
def _fill(net, at, r, level):
    """The row is a bottleneck: its open flows and the faster ones get its level."""
    row = net.rows[r]
    if np.isnan(net.next_end_s[r]):
        net.filled[at.num_filled] = r
        at.num_filled += 1
    num_found, above, next_end_s = 0, level * _ABOVE_TIE, np.inf
    for slot in range(row.first_member, row.first_member + row.num_members):
        f = net.members[slot].flow
        stays = np.int64(net.rate[f] <= above)  # not the open ones, which have none
        net.held[num_found] = f
        num_found += 1 - stays
        if stays & np.int64(net.bottleneck[f] == r):
            next_end_s = min(next_end_s, net.flows[f].end_s)
    net.next_end_s[r] = next_end_s
    for i in range(num_found):
        _freeze(net, at, net.held[i], r, level)
    row.fastest = level


@_inlined
def _freeze(net, at, f, r, level):
    """Give a flow its rate, or the one it had where they are the same; rows that held it back have room if it falls."""
    _change(net, at, f)
    flow = net.flows[f]
    was_open = np.isnan(net.rate[f])
    before = flow.rate_before if was_open else net.rate[f]
    rate = before if abs(level - before) <= _TIE_RATIO * before else level
    if was_open:
        at.num_open -= 1
        for h in range(flow.first_hop, flow.last_hop):
            row, weight = net.rows[net.hops[h].row], net.hops[h].weight
            row.num_open -= 1
            row.load += rate * weight
            row.open_weight = row.open_weight - weight if row.num_open > 0 else 0.0
            row.fastest = max(row.fastest, rate)
    else:
        for h in range(flow.first_hop, flow.last_hop):
            _settle_row(net, at, net.hops[h].row)
            net.rows[net.hops[h].row].load += (rate - before) * net.hops[h].weight
    if net.bottleneck[f] != r:
        if net.bottleneck[f] != NONE:
            net.rows[net.bottleneck[f]].num_held -= 1
        net.bottleneck[f] = r
        net.rows[r].num_held += 1
    net.rate[f] = rate
    if rate < before:
        for h in range(net.flows[f].first_hop, net.flows[f].last_hop):
            if net.hops[h].row != r:
                _release(net, at, net.hops[h].row, level)


@_inlined
def _keep_overloaded(net, at):
    """Nobody is open: only rows that carry too much are left to look at."""
    for i in range(at.num_levels):
        r = net.levels[i].row
        if net.rows[r].load <= net.rows[r].capacity * _ABOVE_TIE:
            net.level[r] = np.inf
    at.num_levels = _compact(net.levels, net.level, at.num_levels)


@_inlined
def _commit(net, at):
    """When everybody finishes at the new rates."""
    num_stopped = 0
    for i in range(at.num_changed):
        f = net.changed[i]
        flow = net.flows[f]
        rate, before = net.rate[f], flow.rate_before
        flow.is_changed = 0
        if rate != before:
            flow.end_s = at.now_s + max(flow.left_bytes, 0.0) / rate if rate > 0.0 else np.inf
            if before == 0.0:
                _count_flowing(net, f, 1)
            elif rate == 0.0:
                net.changed[num_stopped] = f
                num_stopped += 1
        r = net.bottleneck[f]
        net.next_end_s[r] = min(net.next_end_s[r], flow.end_s)
    for i in range(num_stopped):  # last, because a row on which nothing flows any more has no load at all
        _count_flowing(net, net.changed[i], -1)
    for i in range(at.num_filled):
        r = net.filled[i]
        if net.next_end_s[r] != net.end_s[r]:
            at.num_ends = _push(net.ends, net.end_s, at.num_ends, r, net.next_end_s[r])
        net.next_end_s[r] = np.nan
    at.num_changed = 0
    at.num_filled = 0


@_compiled
def _count_flowing(net, f, change):
    for h in range(net.flows[f].first_hop, net.flows[f].last_hop):
        row = net.rows[net.hops[h].row]
        row.num_flowing += change
        if row.num_flowing == 0:
            row.load = 0.0


# Parts that share no row


@_called_from_python
def join(hop_starts, hop_row, lowest, row):
    """Union-find: ``lowest`` points towards the lowest row that a row is joined with."""
    for f in range(len(row)):
        first = hop_starts[f]
        for h in range(first + 1, hop_starts[f + 1]):
            one, other = _root(lowest, hop_row[first]), _root(lowest, hop_row[h])
            lowest[max(one, other)] = min(one, other)
    for f in range(len(row)):
        if hop_starts[f] < hop_starts[f + 1]:
            row[f] = _root(lowest, hop_row[hop_starts[f]])


@_inlined
def _root(lowest, r):
    while lowest[r] != r:
        lowest[r] = lowest[lowest[r]]
        r = lowest[r]
    return r


# Heaps of rows with four children to a parent. ``key[r]`` is the key of row r, inf while it is not there; an entry with
# another key is stale and drops out when it comes up. So nobody has to know where a row stands.


@_inlined
def _push(heap, key, size, r, new_key):
    """Insert row ``r``, or give it another key; inf takes it out. Returns the new size, stale entries included."""
    key[r] = new_key
    if new_key == np.inf:
        return size
    if size == len(heap):
        size = _compact(heap, key, size)
    _rise(heap, size, r, new_key)
    return size + 1


@_inlined
def _drop_stale(heap, key, size):
    """Make the first entry a valid one, if there is any. Returns the new size."""
    while size > 0 and key[heap[0].row] != heap[0].key:
        size = _pop(heap, size)
    return size


@_inlined
def _pop(heap, size):
    """Take out the first entry. Returns the new size."""
    size -= 1
    _sink(heap, size, 0, heap[size].row, heap[size].key)
    return size


@_compiled
def _compact(heap, key, size):
    """Drop all stale entries and order the rest anew. Returns the new size."""
    kept = 0
    for i in range(size):
        r = heap[i].row
        if key[r] == heap[i].key:
            heap[kept].row, heap[kept].key = r, key[r]
            kept += 1
    _order(heap, kept)
    return kept


@_compiled
def _order(heap, size):
    for i in range((size - 2) // 4, -1, -1):
        _sink(heap, size, i, heap[i].row, heap[i].key)


@_inlined
def _rise(heap, i, r, key):
    """Row ``r`` gets place ``i``, or one nearer to the top."""
    while i > 0:
        parent = (i - 1) >> 2
        if heap[parent].key <= key:
            break
        heap[i].row, heap[i].key = heap[parent].row, heap[parent].key
        i = parent
    heap[i].row, heap[i].key = r, key


@_inlined
def _sink(heap, size, i, r, key):
    """Row ``r`` gets place ``i``, or one further down."""
    while 4 * i + 4 < size:
        least = 4 * i + 1  # sums instead of branches, which nobody could predict
        least += heap[least + 1].key < heap[least].key
        other = 4 * i + 3
        other += heap[other + 1].key < heap[other].key
        least += (other - least) * (heap[other].key < heap[least].key)
        if heap[least].key >= key:
            heap[i].row, heap[i].key = r, key
            return
        heap[i].row, heap[i].key = heap[least].row, heap[least].key
        i = least
    if 4 * i + 1 < size:
        least = 4 * i + 1
        for child in range(least + 1, size):
            if heap[child].key < heap[least].key:
                least = child
        if heap[least].key < key:
            heap[i].row, heap[i].key = heap[least].row, heap[least].key
            i = least
    heap[i].row, heap[i].key = r, key
