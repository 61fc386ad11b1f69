"""Log-probabilities of given tokens under a backbone, and entropies; knows no method.

The distribution is softmax(logits / temperature) in float32, the one that `generation` samples from. The projection to
the vocabulary runs at scored positions only, in chunks whose logits are not kept. Where the projection is frozen, the
gradient with respect to the states is computed together with each chunk; else the backward pass recomputes the logits.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from workers.training.backbone import Backbone

DEFAULT_CHUNK = 2048
_IN_CACHE = 2**20
"""Logits of a chunk on a CPU: so many stay in the core's cache while they are gone over several times."""


def token_logprobs(
    backbone: Backbone,
    ids: Tensor,
    mask: Tensor,
    scored: Tensor,
    *,
    temperature: float = 1.0,
    chunk: int = DEFAULT_CHUNK,
    entropy_gradient: bool = False,
) -> tuple[Tensor, Tensor]:
    """log p(token | the tokens before it in its row) and the entropy of that prediction, under the adapter that is on.

    ids, mask, scored: (B, S); scored is true where a token's log-probability is wanted, never at the first token of a
    row. Returns two float32 vectors (N,), N = scored.sum(), row by row.
    """
    states = before(backbone.hidden_states(ids, mask), scored)
    return state_logprobs(
        backbone, states, ids[scored], temperature=temperature, chunk=chunk, entropy_gradient=entropy_gradient
    )


def before(hidden: Tensor, scored: Tensor) -> Tensor:
    """(B, S, d) to (N, d): the state that predicts each scored token, that of the token before it."""
    return hidden[:, :-1][scored[:, 1:]]


def state_logprobs(
    backbone: Backbone,
    states: Tensor,
    tokens: Tensor,
    *,
    temperature: float = 1.0,
    chunk: int = DEFAULT_CHUNK,
    entropy_gradient: bool = False,
) -> tuple[Tensor, Tensor]:
    """states (N, d), tokens (N,) -> log-probabilities (N,) and entropies (N,), float32. Entropies carry a gradient only
    if asked for: it costs as much as all the rest.
    """
    count, weight = tokens.shape[0], backbone.frozen_head
    if weight is not None and not entropy_gradient:
        rows = chunk if states.device.type != "cpu" else min(chunk, max(64, _IN_CACHE // weight.shape[0]))
        return _FrozenHead.apply(states, weight, backbone.logits, tokens, temperature, rows)  # type: ignore[no-any-return,no-untyped-call]
    if count <= chunk:
        return _logprob_and_entropy(backbone, states, tokens, temperature, entropy_gradient)
    again_in_backward = torch.is_grad_enabled() and states.requires_grad
    logprobs, entropies = [], []
    for start in range(0, count, chunk):
        end = start + chunk
        part = (backbone, states[start:end], tokens[start:end], temperature, entropy_gradient)
        if again_in_backward:
            logprob, entropy = checkpoint(_logprob_and_entropy, *part, use_reentrant=False)
        else:
            logprob, entropy = _logprob_and_entropy(*part)
        logprobs.append(logprob)
        entropies.append(entropy)
    return torch.cat(logprobs), torch.cat(entropies)


def _logprob_and_entropy(
    backbone: Backbone, states: Tensor, tokens: Tensor, temperature: float, entropy_gradient: bool
) -> tuple[Tensor, Tensor]:
    logits = backbone.logits(states).float() / temperature
    total = logits.logsumexp(-1)
    logprob = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1) - total
    with torch.set_grad_enabled(torch.is_grad_enabled() and entropy_gradient):
        return logprob, total - ((logits - total.unsqueeze(-1)).exp() * logits).sum(-1)


class _FrozenHead(torch.autograd.Function):
    """log softmax(W h / temperature) at one token a row, and the row's entropy without a gradient.

    d log p / dh = (onehot - p) W / temperature needs nothing from the backward pass, so it is computed in the forward
    pass and no logits outlive their chunk.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        logits_of: Callable[[Tensor], Tensor],
        tokens: Tensor,
        temperature: float,
        rows: int,
    ) -> tuple[Tensor, Tensor]:
        logprob, entropy = (torch.empty(len(tokens), device=states.device) for _ in range(2))
        along = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        for start in range(0, len(tokens), rows):
            part = slice(start, start + rows)
            logits = logits_of(states[part]).float()
            if temperature != 1.0:
                logits = logits.div_(temperature)
            index = tokens[part].unsqueeze(-1)
            total = logits.logsumexp(-1, keepdim=True)
            logprob[part] = (logits.gather(-1, index) - total).squeeze(-1)
            probabilities = (logits - total).exp_()
            entropy[part] = total.squeeze(-1) - torch.linalg.vecdot(probabilities, logits)
            if along is not None:
                probabilities.scatter_add_(-1, index, torch.full_like(total, -1.0))
                along[part] = (probabilities.to(weight.dtype) @ weight).mul_(-1.0 / temperature)
        ctx.save_for_backward(*([] if along is None else [along]))
        ctx.mark_non_differentiable(entropy)
        return logprob, entropy

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        (along,) = ctx.saved_tensors
        return along * grads[0].unsqueeze(-1).to(along.dtype), None, None, None, None, None
