"""The layers of a Llama, and of models built like it, in few operations: with small models a CPU spends as much time on
passes over memory as on products. Knows no roles and no losses.

Matrices with the same input share one autograd function, and a low-rank adapter is folded into its matrix when it is
used: that costs rank / rows of the product, less than x A' B' and its gradient would. The last layer is computed only
at positions whose states are needed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.cache_utils import Cache

from workers.training.lora import Factors
from workers.training.packing import Segment, attend

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""What the queries (n, heads, size) of a layer, by its number, read among keys and values: (n, heads size)."""


class _Products(torch.autograd.Function):
    """x (W + scale B A)' + bias for several matrices: weight, bias, A, B (or None) of each follow after `scale`.

    added: a tensor that a single product is added to.

    waves (n, 1, size / 2), complex: the first two products are queries and keys and are rotated by them (rotary
    positions, Su et al. 2021, arXiv:2104.09864), each number of a head together with the one half a head further. The
    two are stored side by side, so that one pass over memory rotates them instead of four; attention does not depend on
    the order of dimensions, as long as queries and keys share it.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, added: Tensor | None, waves: Tensor | None, scale: float, *parts: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, waves, *parts)
        ctx.scale = scale
        found = []
        for weight, bias, a, b, turn in _matrices(parts, waves):
            y = F.linear(x, _folded(weight, a, b, scale), bias)
            if turn is not None:
                _as_complex(y, turn).mul_(turn)
            found.append(y if added is None else y.add_(added))
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, waves, *parts = ctx.saved_tensors
        scale, needed = ctx.scale, list(_fours(ctx.needs_input_grad[4:]))
        matrices = list(_matrices(parts, None if waves is None else waves.conj_physical()))
        dys = [
            dy if turn is None else torch.view_as_real(_as_complex(dy, turn) * turn).view(dy.shape)
            for dy, (*_, turn) in zip(grads, matrices, strict=True)
        ]
        dx = None
        if ctx.needs_input_grad[0]:
            for (weight, _, a, b, _), dy in zip(matrices, dys, strict=True):
                folded = _folded(weight, a, b, scale)
                dx = dy @ folded if dx is None else dx.addmm_(dy, folded)
        # The adapters of all matrices are treated as one whose rank is the sum of theirs.
        adapted = [(a, b, dy) for (_, _, a, b, _), dy in zip(matrices, dys, strict=True) if a is not None]
        das: Iterator[Tensor] = iter(())
        inners: Iterator[Tensor] = iter(())
        if adapted:
            ranks = [a.shape[0] for a, _, _ in adapted]
            inners = iter((x @ torch.cat([a for a, _, _ in adapted]).t()).mul_(scale).split(ranks, 1))
            d_inner = torch.cat([dy @ b for _, b, dy in adapted], 1).mul_(scale)
            das = iter((d_inner.t() @ x).split(ranks))
        found: list[Tensor | None] = []
        for (_, _, a, _, turn), dy, (needs_w, needs_bias, _, _) in zip(matrices, dys, needed, strict=True):
            mine = [dy.t() @ x if needs_w else None, dy.sum(0) if needs_bias else None]
            # With the wide factor last: the other order takes twice as long.
            mine += [None, None] if a is None else [next(das), (next(inners).t() @ dy).t().contiguous()]
            if turn is not None:
                mine = [_unpaired(mine[0], turn), _unpaired(mine[1], turn), mine[2], _unpaired(mine[3], turn)]
            found += mine
        return dx, grads[0] if ctx.needs_input_grad[1] else None, None, None, *found


def _fours(parts: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    return (tuple(parts[start : start + 4]) for start in range(0, len(parts), 4))


def _matrices(parts: Sequence[Any], waves: Tensor | None) -> Iterator[tuple[Any, ...]]:
    """Weight, bias, A, B of each matrix and the waves that rotate its product, or None."""
    for place, (weight, bias, a, b) in enumerate(_fours(parts)):
        if waves is None or place > 1:
            yield weight, bias, a, b, None
        else:
            yield _paired(weight, waves), _paired(bias, waves), a, _paired(b, waves), waves


def _folded(weight: Tensor, a: Tensor | None, b: Tensor | None, scale: float) -> Tensor:
    return weight if a is None or b is None else torch.addmm(weight, b, a, alpha=scale)


def _paired(rows: Tensor | None, waves: Tensor) -> Tensor | None:
    """Rows (heads size, ...) reordered so that those half a head apart are neighbours."""
    half = waves.shape[-1]
    return None if rows is None else rows.view(-1, 2, half, *rows.shape[1:]).transpose(1, 2).flatten(0, 2)


def _unpaired(rows: Tensor | None, waves: Tensor) -> Tensor | None:
    """The opposite of `_paired`."""
    half = waves.shape[-1]
    return None if rows is None else rows.view(-1, half, 2, *rows.shape[1:]).transpose(1, 2).flatten(0, 2)


def _as_complex(paired: Tensor, waves: Tensor) -> Tensor:
    """(n, heads size) as (n, heads, size / 2) complex numbers in the same memory."""
    return torch.view_as_complex(paired.reshape(len(paired), -1, waves.shape[-1], 2))


class _Gated(torch.autograd.Function):
    """silu(gate) up (Shazeer 2020, arXiv:2002.05202)."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grads[0] * up, gate), F.silu(gate).mul_(grads[0])


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (n, heads, size) rotated as in `_Products`, but in transformers' order of dimensions."""
    one, other = x.chunk(2, -1)
    turned = torch.empty_like(x)
    first, second = turned.chunk(2, -1)
    torch.mul(one, cos, out=first).addcmul_(other, sin, value=-1)
    torch.mul(other, cos, out=second).addcmul_(one, sin)
    return turned


def _usual(layer: Any) -> bool:
    """Whether a layer has full causal attention with the usual scaling and rotary positions, and a SiLU gate."""
    attention, some = layer.self_attn, torch.linspace(-4, 4, 9)
    scaled = math.isclose(attention.scaling, attention.head_dim**-0.5)
    whole = not getattr(attention, "sliding_window", None) and getattr(attention, "use_rope", True)
    return bool(scaled and whole and torch.equal(layer.mlp.act_fn(some), F.silu(some)))


class Llama:
    """The layers of a model that is built as a Llama."""

    def __init__(self, model: Any, factors: Callable[[nn.Module], Factors]) -> None:
        """model: without its language head. factors: weight, bias, A, B and scale of a linear layer as it is now."""
        self.model, self._factors = model, factors
        self._size: int = model.layers[0].self_attn.head_dim

    @classmethod
    def of(cls, model: Any, factors: Callable[[nn.Module], Factors]) -> "Llama | None":
        """None where the model computes something else: tried out on a few tokens."""
        weight = next(model.parameters())
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            return None
        ids = torch.arange(3, 11).remainder(model.get_input_embeddings().weight.shape[0])
        try:
            # Checked apart, because with weights near zero the comparison below would not show it.
            if getattr(model.config, "clip_qkv", None) or not all(map(_usual, model.layers)):
                return None
            made = cls(model, factors)
            with torch.no_grad():
                theirs = model(input_ids=ids[None], use_cache=False).last_hidden_state[0]
                mine = made.states(ids, torch.arange(len(ids)), packed([Segment(0, len(ids))]))
        except (AttributeError, KeyError, TypeError, RuntimeError, ValueError):
            return None
        return made if torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4) else None

    def states(
        self, ids: Tensor, positions: Tensor, attend: Attend, at: Tensor | None = None, *, few: bool = False
    ) -> Tensor:
        """Last hidden states (n, d) of ids (n) at positions (n), or (N, d) at the indices `at` only. With `few` ids
        weights are not reordered, which would cost more than it saves.
        """
        model = self.model
        x = model.embed_tokens(ids)
        cos, sin = (wave[0, :, None, : self._size // 2] for wave in model.rotary_emb(x, positions[None]))
        waves = None if few else torch.complex(cos, sin)
        for number, layer in enumerate(model.layers):
            attention, feed_forward = layer.self_attn, layer.mlp
            reading = (attention.q_proj, attention.k_proj, attention.v_proj)
            read = self._products(layer.input_layernorm(x), *reading, waves=waves)
            q, k, v = (states.view(len(ids), -1, self._size) for states in read)
            if few:
                q, k = _turned(q, cos, sin), _turned(k, cos, sin)
            seen = attend(number, q, k, v)
            if at is not None and number == len(model.layers) - 1:
                x, seen = x.index_select(0, at), seen.index_select(0, at)
            (x,) = self._products(seen, attention.o_proj, added=x)
            gates = self._products(layer.post_attention_layernorm(x), feed_forward.gate_proj, feed_forward.up_proj)
            (x,) = self._products(_Gated.apply(*gates), feed_forward.down_proj, added=x)  # type: ignore[no-untyped-call]
        return model.norm(x)  # type: ignore[no-any-return]

    def _products(
        self, x: Tensor, *layers: nn.Module, added: Tensor | None = None, waves: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        parts = [self._factors(layer) for layer in layers]
        flat = [tensor for part in parts for tensor in part[:4]]
        return _Products.apply(x, added, waves, parts[0].scale, *flat)  # type: ignore[no-any-return,no-untyped-call]


def packed(segments: Sequence[Segment]) -> Attend:
    """Attention within the documents of a packed row."""

    def read(_: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (states.transpose(0, 1)[None] for states in (q, k, v))
        return attend(q, k, v, segments).flatten(2)[0]

    return read


def cached(cache: Cache, shape: torch.Size, mask: Tensor | None) -> Attend:
    """Attention of rows of ids (B, n) that follow those in the cache; n is 1 except for the prompts. mask (B, past + n)
    is 1 on tokens, with padding on the left.
    """
    new, hidden = shape[1], None
    if mask is not None:
        seen = mask[:, None, None, :].bool()
        if new > 1:  # padding sees itself, or it would have nothing to see
            seen = (seen & torch.ones(new, new, dtype=torch.bool).tril()) | torch.eye(new, dtype=torch.bool)
        hidden = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)  # once, and not in every layer

    def read(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (states.view(*shape, *states.shape[1:]).transpose(1, 2) for states in (q, k, v))
        k, v = cache.update(k, v, number)
        causal, grouped = hidden is None and new > 1, q.shape[1] > k.shape[1]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=hidden, is_causal=causal, enable_gqa=grouped)
        return out.transpose(1, 2).flatten(2).flatten(0, 1)

    return read
