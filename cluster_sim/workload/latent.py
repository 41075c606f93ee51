"""Attention with compressed keys and values."""

from pydantic import Field

from cluster_sim.core import Spec


class Latent(Spec):
    """Multi-head latent attention: keys and values of all heads from one narrow vector a token [DeepSeek-V2 2024].

    Attributes:
        query_rank: width that queries are compressed to; 0: they are not.
        kv_rank: width that keys and values are compressed to together.
        nope_head: part of a head's queries and keys without positions.
        rope_head: part with (rotary) positions; its key is one for all heads.
        value_head: width of a head's values.
    """

    query_rank: int = Field(0, ge=0)
    kv_rank: int = Field(ge=1)
    nope_head: int = Field(ge=1)
    rope_head: int = Field(ge=0)
    value_head: int = Field(ge=1)
