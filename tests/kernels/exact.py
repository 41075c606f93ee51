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
    start_s: Sequence[float],
    latency_s: Sequence[float],
    size_bytes: Sequence[float],
    changes: Sequence[tuple[float, Sequence[float]]] = (),
) -> list[float]:
    """When the last byte of each flow is sent; inf where that never happens.

    Args:
        flows: ``{row: weight}`` of each.
        capacity: of each row at first.
        start_s: when each flow starts.
        latency_s: between that and its first byte; counted anew for a flow that has sent nothing when its path,
            dark since before, gets light.
        size_bytes: of each flow.
        changes: (time, capacities from then on), ascending, at times when no flow starts.
    """
    now, left = Fraction(0), [Fraction(size) for size in size_bytes]
    pending = [(Fraction(time), list(amounts)) for time, amounts in changes]
    begin = [Fraction(start) + Fraction(latency) for start, latency in zip(start_s, latency_s, strict=True)]
    finish_s, flying = [INFINITY] * len(flows), set(range(len(flows)))
    while True:
        if pending and pending[0][0] <= now:
            before, capacity = capacity, pending.pop(0)[1]
            for f in flying:
                was_dark, is_dark = (any(amounts[row] == 0 for row in flows[f]) for amounts in (before, capacity))
                if was_dark and not is_dark and start_s[f] <= now and left[f] == size_bytes[f]:
                    begin[f] = now + Fraction(latency_s[f])
        sending = [f for f in flying if begin[f] <= now]
        rates = dict(zip(sending, exact_rates([flows[f] for f in sending], capacity), strict=True))
        moments = [begin[f] for f in flying if begin[f] > now] + [time for time, _ in pending[:1]]
        moments += [now if rate == INFINITY else now + left[f] / rate for f, rate in rates.items() if rate]
        if not moments:
            return finish_s
        then = min(moments)
        for f, rate in rates.items():
            left[f] = Fraction(0) if rate == INFINITY else left[f] - rate * (then - now)
            if left[f] == 0:
                finish_s[f] = float(then)
                flying.remove(f)
        now = then
