"""What one rank computes for a microbatch: kernels of every part of a layer, with their FLOPs and bytes.

Shapes are per rank: tokens split over the context ranks (and outside tensor-parallel parts over the tensor ranks, with
sequence parallelism), widths split over the tensor ranks. Times follow from these in ``roofline``.
"""

from dataclasses import dataclass
from typing import Literal

from cluster_sim.workload.model import Model
from cluster_sim.workload.parallel import Parallelism

#: Bytes of a number in the formats of matrix products; scales of blocks included.
PRECISION_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "mxfp8": 1.03125, "nvfp4": 0.5625}
Precision = Literal["bf16", "fp16", "fp8", "mxfp8", "nvfp4"]

_HALF, _FLOAT = 2, 4
#: Bytes that each number of a context rank's part of the attention moves when it is added to the other parts: read in
#: 16 bit, the sum read and written in 32.
_MERGED = _HALF + 2 * _FLOAT
#: Products of experts that one call of the host starts, as their shapes differ in nothing but rows.
_GROUPED = 8


@dataclass(frozen=True, slots=True)
class Matmul:
    """``count`` products of rows x inner by inner x columns.

    Attributes:
        precision: of the factors; the result has 16 bit.
        gradient: the result is added to gradients in 32 bit.
    """

    rows: float
    inner: float
    columns: float
    precision: Precision
    count: float = 1
    gradient: bool = False
    launches: float = 1

    @property
    def flop(self) -> float:
        """Two for each multiplication."""
        return 2 * self.count * self.rows * self.inner * self.columns

    @property
    def moved_bytes(self) -> float:
        """Factors read once, the result written once (gradients: read and written)."""
        factors = PRECISION_BYTES[self.precision] * self.inner * (self.rows + self.columns)
        return self.count * (factors + (2 * _FLOAT if self.gradient else _HALF) * self.rows * self.columns)


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention whose scores never leave the chip.

    Attributes:
        flop: what runs, with what is computed again.
        keys: that a query computes with, on average.
        head: width of a head.
        is_backward: of the backward pass, whose five products run slower than two.
    """

    flop: float
    moved_bytes: float
    kernel: Literal["flash", "fused"]
    keys: float
    head: float
    is_backward: bool = False
    launches: float = 1


@dataclass(frozen=True, slots=True)
class Stream:
    """Kernels bound by memory.

    Attributes:
        unfused: bytes over ``moved_bytes`` where each operation is a kernel of its own.
    """

    moved_bytes: float
    launches: float = 1
    unfused: float = 1


Operation = Matmul | Attention | Stream


@dataclass(frozen=True, slots=True)
class Work:
    """Kernels of a piece of a layer: forward; backward for its inputs; backward for its weights."""

    forward: tuple[Operation, ...]
    inputs: tuple[Operation, ...]
    weights: tuple[Operation, ...] = ()


def layer_work(
    model: Model,
    parallel: Parallelism,
    micro_batch: int,
    layer: int,
    precision: Precision,
    recomputed: frozenset[str] = frozenset(),
) -> dict[str, Work]:
    """Work of a layer's pieces, by name in the order of the forward pass.

    A piece lies between two communications: ``qkv`` (norm and projections), ``core`` (scores and weighted values),
    ``out`` (projection, residual), then ``up`` and ``down`` of a dense MLP, or ``route`` (router, sorting), ``shared``,
    ``experts`` and ``unroute`` (sorting back, residual).

    Args:
        model: the transformer.
        parallel: how it is split; a rank computes its share.
        micro_batch: sequences that go through together.
        precision: of the factors of products, but for router and output layer.
        layer: counted from 0.
        recomputed: parts whose forward work runs again before the backward pass of their piece: ``core``, ``latent``
            (projections up from it), ``norm``, ``activation`` (of MLP or experts), ``mlp``, ``experts``.
    """
    shape = _Shape(model, parallel, micro_batch, precision, recomputed)
    work = shape.attention(model.attended(layer), model.attention != "unfused")
    return work | (shape.mixture() if model.has_experts(layer) else shape.mlp())


def head_work(model: Model, parallel: Parallelism, micro_batch: int) -> Work:
    """Output layer and loss, in 16 bit; logits pass in 16 bit, and once in 32."""
    shape = _Shape(model, parallel, micro_batch, "bf16")
    columns = model.vocabulary / parallel.tensor
    product = shape.product(shape.tokens, model.hidden, columns)
    logits = shape.tokens * columns
    return Work(
        forward=(*product.forward, Stream(logits * (2 * _HALF + _FLOAT), 3)),
        inputs=(Stream(logits * (_FLOAT + _HALF), 2), *product.inputs),
        weights=product.weights,
    )


def mtp_work(model: Model, parallel: Parallelism, micro_batch: int) -> Work:
    """Before a layer for further tokens: norms of the last hidden state and the next embedding, and their product.

    The layer itself is like the model's last one, and the output layer and loss run once more.
    """
    shape = _Shape(model, parallel, micro_batch, "bf16")
    norm = shape.norm()
    return _joined(norm, norm, shape.product(shape.tokens, 2 * model.hidden, model.hidden / parallel.tensor))


def embedding_work(model: Model, parallel: Parallelism, micro_batch: int) -> Work:
    """Looking up the input embedding; backward its gradients are added up in 32 bit."""
    shape = _Shape(model, parallel, micro_batch, "bf16")
    values = shape.tokens * model.hidden
    return Work(forward=(Stream(values * 2 * _HALF, 2),), inputs=(Stream(values * (_HALF + 2 * _FLOAT), 2),))


def optimizer_work(parameters: float) -> Work:
    """Adam: gradient read twice (norm, step), moments and master weight read and written in 32 bit, weight in 16."""
    return Work(forward=(Stream(parameters * (2 * _FLOAT + 6 * _FLOAT + _HALF), 4),), inputs=())


class _Shape:
    """Builds the work of one rank."""

    def __init__(
        self,
        model: Model,
        parallel: Parallelism,
        micro_batch: int,
        precision: Precision,
        recomputed: frozenset[str] = frozenset(),
    ) -> None:
        self.model, self.parallel, self.precision, self.recomputed = model, parallel, precision, recomputed
        self.tensor = parallel.tensor
        self.tokens = micro_batch * model.sequence / parallel.context
        self.own_tokens = self.tokens / (parallel.tensor if parallel.sequence else 1)

    def product(self, rows: float, inner: float, columns: float, count: float = 1, launches: float = 1) -> Work:
        """A linear layer: forward, gradient of its input, gradient of its weights; casts where factors have 8 bit."""

        def one(m: float, k: float, n: float, gradient: bool = False) -> Matmul:
            return Matmul(m, k, n, self.precision, count, gradient, launches)

        return Work(
            forward=(*self._cast(count * rows * inner, launches), one(rows, inner, columns)),
            inputs=(*self._cast(count * rows * columns, launches), one(rows, columns, inner)),
            weights=(one(inner, rows, columns, gradient=True),),
        )

    def attention(self, attended: float, is_fused: bool) -> dict[str, Work]:
        """The pieces ``qkv``, ``core`` and ``out``."""
        model, tokens, tensor = self.model, self.tokens, self.tensor
        joined = model.query_width + model.key_width + model.value_width
        rotated = tokens * (model.query_width + model.key_width) / tensor
        if model.latent:
            qkv = _joined(self._again("norm", self.norm()), *self._latent())
        else:
            rotation = Stream(rotated * 2 * _HALF, 2)
            product = self.product(tokens, model.hidden, joined / tensor)
            qkv = _joined(self._again("norm", self.norm()), product, Work((rotation,), (rotation,)))
        out = _joined(self.product(tokens, model.context_width / tensor, model.hidden), self._residual())
        core = self._core(attended) if is_fused else self._unfused_core()
        return {"qkv": qkv, "core": self._again("core", core), "out": out}

    def mlp(self) -> dict[str, Work]:
        """The pieces ``up`` and ``down``."""
        model, width = self.model, self.model.mlp_width / self.tensor
        into = 2 if model.gated_mlp else 1
        activated = self._activation(self.tokens * width, model.gated_mlp)
        up = _joined(self.product(self.tokens, model.hidden, into * width), self._again("activation", activated))
        down = self.product(self.tokens, width, model.hidden)
        return {
            "up": _joined(self._again("norm", self.norm()), self._again("mlp", up)),
            "down": _joined(self._again("mlp", down), self._residual()),
        }

    def mixture(self) -> dict[str, Work]:
        """The pieces ``route``, ``shared``, ``experts`` and ``unroute``; every rank gets as many tokens as it sends."""
        model, parallel, experts = self.model, self.parallel, self.model.experts
        assert experts is not None, "the layer has experts"
        tokens = self.tokens / self.tensor
        sent = tokens * experts.per_token * model.hidden
        local = max(experts.count // parallel.expert, 1)
        rows = tokens * experts.per_token * parallel.expert_tensor / local
        width = experts.width / parallel.expert_tensor
        scores = Work(
            (Matmul(tokens, model.hidden, experts.count, "bf16"), Stream(tokens * experts.count * 6 * _FLOAT, 6)),
            (Matmul(tokens, experts.count, model.hidden, "bf16"), Stream(tokens * experts.count * 6 * _FLOAT, 6)),
            (Matmul(model.hidden, tokens, experts.count, "bf16", gradient=True),),
        )
        work = {"route": _joined(self._again("norm", self.norm()), scores, _stream(2 * sent * _HALF, 3))}
        if experts.shared:
            shared = experts.shared * experts.width / self.tensor
            work["shared"] = _joined(
                self.product(self.tokens, model.hidden, 2 * shared),
                self._again("activation", self._activation(self.tokens * shared)),
                self.product(self.tokens, shared, model.hidden),
            )
        launches = 1 + local / _GROUPED
        products = _joined(
            self.product(rows, model.hidden, 2 * width, local, launches),
            self._again("activation", self._activation(rows * local * width, passes=experts.activation_passes)),
            self.product(rows, width, model.hidden, local, launches),
        )
        sorting = _stream(2 * rows * local * model.hidden * _HALF, 2)
        work["experts"] = _joined(sorting, self._again("experts", products))
        work["unroute"] = _joined(_stream((sent + tokens * model.hidden) * _HALF, 2), self._residual())
        return work

    def _again(self, part: str, work: Work) -> Work:
        """Work whose forward part is repeated before the backward one, where the part is recomputed."""
        if part not in self.recomputed:
            return work
        return Work(work.forward, work.forward + work.inputs, work.weights)

    def _latent(self) -> tuple[Work, ...]:
        """Projections to the latent vectors and up from them, and what puts queries and keys together."""
        model, tokens, tensor, latent = self.model, self.tokens, self.tensor, self.model.latent
        assert latent is not None, "the model has latent attention"
        down = self.product(tokens, model.hidden, latent.query_rank + latent.kv_rank + latent.rope_head, launches=2)
        up_query = self.product(tokens, latent.query_rank or model.hidden, model.query_width / tensor)
        pairs = model.heads * (latent.nope_head + latent.value_head)
        up_pairs = self.product(tokens, latent.kv_rank, pairs / tensor)
        put_together = _stream(tokens * (2 * model.query_width + pairs) / tensor * 2 * _HALF, 4)
        return down, self._again("latent", _joined(up_query, up_pairs, put_together))

    def _core(self, attended: float) -> Work:
        """Two products of each score; backward five, one of which repeats the scores [Dao et al. 2022].

        Context ranks run one kernel for the keys of each of them, and add up what these give.
        """
        model, tokens, tensor = self.model, self.tokens, self.tensor
        per_key = model.query_width + model.context_width
        flop = 2 * tokens * attended * per_key / tensor
        pairs = model.key_width + model.value_width
        moved = tokens * (per_key + pairs) / tensor * _HALF
        kernel: Literal["flash", "fused"] = "flash" if model.attention == "flash" else "fused"
        head = (model.head_width + model.value_head_width) / 2
        steps = self.parallel.context
        merged = tokens * (steps - 1) * model.context_width / tensor * _MERGED
        merge = (Stream(merged, 4 * (steps - 1)),) if steps > 1 else ()
        forward = Attention(flop, moved, kernel, attended / steps, head, launches=steps)
        backward = Attention(2.5 * flop, 2 * moved, kernel, attended / steps, head, True, 3 * steps)
        return Work((forward, *merge), (backward, *merge))

    def _unfused_core(self) -> Work:
        """All scores through memory: product, scale and mask and softmax, dropout, product."""
        model, sequence = self.model, self.model.sequence / self.parallel.context
        count = self.tokens / sequence * model.heads / self.tensor
        head = model.query_width / model.heads
        scores = count * sequence * model.sequence
        softmax = _softmax(scores, count)
        dropout = Stream(scores * (2 * _HALF + 1))
        narrow = Matmul(sequence, head, model.sequence, "bf16", count)
        deep = Matmul(sequence, model.sequence, head, "bf16", count)
        deep_keys = Matmul(model.sequence, sequence, head, "bf16", count)
        ahead = (narrow, *softmax.forward, dropout, deep)
        return Work(ahead, (narrow, deep_keys, dropout, *softmax.inputs, deep, deep_keys))

    def norm(self) -> Work:
        """Read and write; backward gradient and input read, gradient written."""
        values = self.own_tokens * self.model.hidden * _HALF
        return Work((Stream(2 * values),), (Stream(3 * values, 2),))

    def _activation(self, values: float, is_gated: bool = True, passes: int = 3) -> Work:
        """In one kernel each way: what comes in and the result; backward both gradients besides.

        Gated, and operation by operation: five reads and writes for three, and backward thirteen for five. With more
        ``passes`` than three as many reads and writes, and backward in proportion.
        """
        if not is_gated:
            return _stream(2 * values * _HALF, 1)
        more = passes / 3
        return Work(
            (Stream(3 * more * values * _HALF, more, 5 / 3),), (Stream(5 * more * values * _HALF, more, 13 / 5),)
        )

    def _residual(self) -> Work:
        """Bias, dropout and sum: two read, one written; backward one read, one written."""
        values = self.own_tokens * self.model.hidden * _HALF
        return Work((Stream(3 * values),), (Stream(2 * values),))

    def _cast(self, values: float, launches: float) -> tuple[Operation, ...]:
        """16 bit to fewer, once as it lies and once transposed."""
        if self.precision in ("bf16", "fp16"):
            return ()
        return (Stream(values * (_HALF + 2 * PRECISION_BYTES[self.precision]), launches),)


def _softmax(scores: float, heads: float) -> Work:
    """Scale, mask and softmax: one kernel where heads come by four, element by element in 32 bit where not.

    [Megatron-LM, fused_softmax.py: the fused kernel takes whole blocks of heads.]
    """
    if heads % 4 == 0:
        return Work((Stream(scores * 2 * _HALF),), (Stream(scores * 3 * _HALF),))
    ahead = 5 * _HALF + 4 * _FLOAT  # scale and mask in place, to 32 bit, softmax, back to 16
    back = 3 * _HALF + 5 * _FLOAT
    return Work((Stream(scores * ahead, 5),), (Stream(scores * back, 5),))


def _stream(moved_bytes: float, launches: float) -> Work:
    """Element by element; backward moves half as much again."""
    return Work((Stream(moved_bytes, launches),), (Stream(1.5 * moved_bytes, launches),))


def _joined(*parts: Work) -> Work:
    """One after the other; backward the other way round."""
    return Work(
        forward=tuple(operation for part in parts for operation in part.forward),
        inputs=tuple(operation for part in reversed(parts) for operation in part.inputs),
        weights=tuple(operation for part in reversed(parts) for operation in part.weights),
    )
