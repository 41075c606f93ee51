"""The slow truth: progressive filling and the passage of time in rational numbers, without a rounding error.

Shares no line with the kernels: here all rates grow together until a row is full, its flows stop, and the rest go on.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

INFINITY = float("inf")

Hops = Mapping[int, float]


def exact_rates(flows: Sequence[Hops], capacity: Sequence[float | Fraction]) -> list[Fraction | float]:
    """Max-min fair rates; inf for a flow without hops."""
    rate: list[Fraction | float] = [Fraction(0) if hops else INFINITY for hops in flows]
    growing = [f for f, hops in enumerate(flows) if hops]
    left = [Fraction(amount) for amount in capacity]
    while growing:
        weight = [sum(Fraction(flows[f].get(row, 0)) for f in growing) for row in range(len(left))]
        more = min(left[row] / weight[row] for row in range(len(left)) if weight[row])
        for f in growing:
            rate[f] += more
        left = [amount - more * load for amount, load in zip(left, weight, strict=True)]
        growing = [f for f in growing if all(left[row] > 0 for row in flows[f])]
    return rate


def exact_finish_s(
    flows: Sequence[Hops],
    capacity: Sequence[float],
    begin_s: Sequence[float],
    size_bytes: Sequence[float],
    changes: Sequence[tuple[float, Sequence[float]]] = (),
) -> list[float]:
    """When the last byte of each flow is sent; inf where that never happens.

    Args:
        flows: ``{row: weight}`` of each.
        capacity: of each row at first.
        begin_s: when each flow starts to send.
        size_bytes: of each flow.
        changes: (time, capacities from then on), ascending.
    """
    now, left = Fraction(0), [Fraction(size) for size in size_bytes]
    pending = [(Fraction(time), list(amounts)) for time, amounts in changes]
    finish_s, waiting = [INFINITY] * len(flows), {f: Fraction(time) for f, time in enumerate(begin_s)}
    sending: list[int] = []
    while True:
        sending += [f for f, time in waiting.items() if time <= now]
        waiting = {f: time for f, time in waiting.items() if time > now}
        if pending and pending[0][0] <= now:
            capacity = pending.pop(0)[1]
        rates = exact_rates([flows[f] for f in sending], capacity)
        ends = [now if rate == INFINITY else now + left[f] / rate for f, rate in zip(sending, rates, strict=True) if rate]
        moments = [*ends, *waiting.values(), *(time for time, _ in pending[:1])]
        if not moments:
            return finish_s
        then = min(moments)
        for f, rate in zip(sending, rates, strict=True):
            left[f] = Fraction(0) if rate == INFINITY else left[f] - rate * (then - now)
            finish_s[f] = float(then) if left[f] == 0 else INFINITY
        sending = [f for f in sending if left[f]]
        now = then
