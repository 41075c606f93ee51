"""Fields of a model that cannot stand together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from cluster_sim.core import Problem

if TYPE_CHECKING:  # a model checks itself with this
    from cluster_sim.workload.model import Model


def contradictions(model: Model, known: Collection[str]) -> list[Problem]:
    """What contradicts what in a model of which only the fields ``known`` can be relied on."""
    return [
        (tuple(field.split(".")), why)
        for needs, field, check in _CHECKS
        if needs.issubset(known) and (why := check(model))
    ]


def _uneven_heads(m: Model) -> str:
    if m.latent or m.head_dim or m.hidden % m.heads == 0:
        return ""
    return f"hidden {m.hidden} is not a multiple of heads {m.heads}; change one or give head_dim"


def _uneven_kv_heads(m: Model) -> str:
    if m.latent or m.heads % m.num_kv_heads == 0:
        return ""
    return f"heads {m.heads} is not a multiple of kv_heads {m.kv_heads}; change one of them"


def _kv_heads_of_latent(m: Model) -> str:
    return "with latent all heads have keys of their own; leave kv_heads out" if m.latent and m.kv_heads else ""


def _head_dim_of_latent(m: Model) -> str:
    if not (m.latent and m.head_dim):
        return ""
    return "latent has nope_head, rope_head and value_head in its place; leave head_dim out"


def _period_without_window(m: Model) -> str:
    return "is given, but no window; give window or leave it out" if m.window_every > 1 and not m.window else ""


def _all_dense(m: Model) -> str:
    first = getattr(m.experts, "first_dense", 0)
    if first < m.layers:
        return ""
    return f"first_dense {first} leaves none of {m.layers} layers with experts; lower it or leave experts out"


def _too_rare(m: Model) -> str:
    first, every = getattr(m.experts, "first_dense", 0), getattr(m.experts, "every", 1)
    if first >= m.layers or first + every <= m.layers:
        return ""
    return f"every {every} behind first_dense {first} leaves none of {m.layers} layers with experts; lower one of them"


#: Fields that a check reads (those of latent and experts have defaults), the field at fault, and what is wrong or "".
_CHECKS: tuple[tuple[frozenset[str], str, Callable[[Model], str]], ...] = (
    (frozenset({"hidden", "heads", "head_dim", "latent"}), "heads", _uneven_heads),
    (frozenset({"heads", "kv_heads"}), "kv_heads", _uneven_kv_heads),
    (frozenset({"kv_heads", "latent"}), "kv_heads", _kv_heads_of_latent),
    (frozenset({"head_dim", "latent"}), "head_dim", _head_dim_of_latent),
    (frozenset({"window", "window_every"}), "window_every", _period_without_window),
    (frozenset({"layers", "experts"}), "experts.first_dense", _all_dense),
    (frozenset({"layers", "experts"}), "experts.every", _too_rare),
)
