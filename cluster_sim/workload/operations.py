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
    """Attention whose scores never leave the chip. ``flop`` is what runs, with what is computed again."""

    flop: float
    moved_bytes: float
    kernel: Literal["flash", "fused"]
    launches: float = 1


@dataclass(frozen=True, slots=True)
class Stream:
    """Kernels bound by memory."""

    moved_bytes: float
    launches: float = 1


Operation = Matmul | Attention | Stream


@dataclass(frozen=True, slots=True)
class Work:
    """Kernels of a piece of a layer: forward; backward for its inputs; backward for its weights."""

    forward: tuple[Operation, ...]
    inputs: tuple[Operation, ...]
    weights: tuple[Operation, ...] = ()


def layer_work(
    model: Model, parallel: Parallelism, micro_batch: int, layer: int, precision: Precision
) -> dict[str, Work]:
    """Work of a layer's pieces, by name in the order of the forward pass.

    A piece lies between two communications: ``qkv`` (norm and projections), ``core`` (scores and weighted values),
    ``out`` (projection, residual), then ``up`` and ``down`` of a dense MLP, or ``route`` (router, sorting), ``shared``,
    ``experts`` and ``unroute`` (sorting back, residual).
    """
    shape = _Shape(model, parallel, micro_batch, precision)
    work = shape.attention(model.attended(layer), model.attention != "unfused")
    return work | (shape.mixture() if model.has_experts(layer) else shape.mlp())


def head_work(model: Model, parallel: Parallelism, micro_batch: int) -> Work:
    """Output layer and loss, in 16 bit; logits in 32 bit."""
    shape = _Shape(model, parallel, micro_batch, "bf16")
    columns = model.vocabulary / parallel.tensor
    product = shape.product(shape.tokens, model.hidden, columns)
    logits = shape.tokens * columns
    return Work(
        forward=(*product.forward, Stream(logits * (_HALF + 3 * _FLOAT), 4)),
        inputs=(Stream(logits * (2 * _FLOAT + _HALF), 2), *product.inputs),
        weights=product.weights,
    )


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

    def __init__(self, model: Model, parallel: Parallelism, micro_batch: int, precision: Precision) -> None:
        self.model, self.parallel, self.precision = model, parallel, precision
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
        model, tokens = self.model, self.tokens
        heads, tensor = model.heads, self.tensor
        norm, residual = self._norm(), self._residual()
        joined = model.query_width + model.key_width + model.value_width
        rotated = tokens * (model.query_width + model.key_width) / tensor
        rotation = Stream(rotated * 2 * _HALF, 2)
        if model.latent:
            latent = model.latent
            down = self.product(tokens, model.hidden, latent.query_rank + latent.kv_rank + latent.rope_head, launches=2)
            query = latent.query_rank or model.hidden
            up_query = self.product(tokens, query, model.query_width / tensor)
            pairs = heads * (latent.nope_head + latent.value_head)
            up_pairs = self.product(tokens, latent.kv_rank, pairs / tensor)
            moved = tokens * (2 * model.query_width + pairs) / tensor
            qkv = _joined(norm, down, up_query, up_pairs, _stream(moved * 2 * _HALF, 4))
        else:
            qkv = _joined(norm, self.product(tokens, model.hidden, joined / tensor), Work((rotation,), (rotation,)))
        out = _joined(self.product(tokens, model.context_width / tensor, model.hidden), residual)
        return {"qkv": qkv, "core": self._core(attended) if is_fused else self._unfused_core(), "out": out}

    def mlp(self) -> dict[str, Work]:
        """The pieces ``up`` and ``down``."""
        model, width = self.model, self.model.mlp_width / self.tensor
        into = 2 if model.gated_mlp else 1
        activated = _stream(self.tokens * width * (into + 1) * _HALF, 1)
        return {
            "up": _joined(self._norm(), self.product(self.tokens, model.hidden, into * width), activated),
            "down": _joined(self.product(self.tokens, width, model.hidden), self._residual()),
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
        work = {"route": _joined(self._norm(), scores, _stream(2 * sent * _HALF, 3))}
        if experts.shared:
            shared = experts.shared * experts.width / self.tensor
            work["shared"] = _joined(
                self.product(self.tokens, model.hidden, 2 * shared),
                _stream(self.tokens * shared * 3 * _HALF, 1),
                self.product(self.tokens, shared, model.hidden),
            )
        work["experts"] = _joined(
            _stream(2 * rows * local * model.hidden * _HALF, 2),
            self.product(rows, model.hidden, 2 * width, local, local),
            _stream(rows * local * width * 3 * _HALF, 1),
            self.product(rows, width, model.hidden, local, local),
        )
        work["unroute"] = _joined(_stream((sent + tokens * model.hidden) * _HALF, 2), self._residual())
        return work

    def _core(self, attended: float) -> Work:
        """Two products of each score; backward five, one of which repeats the scores [Dao et al. 2022]."""
        model, tokens, tensor = self.model, self.tokens, self.tensor
        per_key = model.query_width + model.context_width
        flop = 2 * tokens * attended * per_key / tensor
        pairs = model.key_width + model.value_width
        moved = tokens * (per_key + pairs) / tensor * _HALF
        kernel: Literal["flash", "fused"] = "flash" if model.attention == "flash" else "fused"
        return Work((Attention(flop, moved, kernel),), (Attention(2.5 * flop, 2 * moved, kernel, 3),))

    def _unfused_core(self) -> Work:
        """All scores through memory: product, scale and mask and softmax, dropout, product."""
        model, sequence = self.model, self.model.sequence / self.parallel.context
        count = self.tokens / sequence * model.heads / self.tensor
        head = model.query_width / model.heads
        scores = count * sequence * model.sequence
        ahead = (
            Matmul(sequence, head, model.sequence, "bf16", count),
            Stream(scores * 2 * _HALF, 1),
            Stream(scores * (2 * _HALF + 1), 1),
            Matmul(sequence, model.sequence, head, "bf16", count),
        )
        back = (
            Matmul(sequence, head, model.sequence, "bf16", count),
            Matmul(model.sequence, sequence, head, "bf16", count),
            Stream(scores * (2 * _HALF + 1), 1),
            Stream(scores * 3 * _HALF, 1),
            Matmul(sequence, model.sequence, head, "bf16", count),
            Matmul(model.sequence, sequence, head, "bf16", count),
        )
        return Work(ahead, back)

    def _norm(self) -> Work:
        """Read and write; backward gradient and input read, gradient written."""
        values = self.own_tokens * self.model.hidden * _HALF
        return Work((Stream(2 * values),), (Stream(3 * values, 2),))

    def _residual(self) -> Work:
        """Bias, dropout and sum: two read, one written; backward one read, one written."""
        values = self.own_tokens * self.model.hidden * _HALF
        return Work((Stream(3 * values),), (Stream(2 * values),))

    def _cast(self, values: float, launches: float) -> tuple[Operation, ...]:
        """16 bit to fewer, once as it lies and once transposed."""
        if self.precision in ("bf16", "fp16"):
            return ()
        return (Stream(values * (_HALF + 2 * PRECISION_BYTES[self.precision]), launches),)


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
