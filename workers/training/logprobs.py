"""Log-probabilities and entropies of chosen tokens of a batch under a backbone; knows no method.

The distribution is softmax(logits / temperature) in float32, the same that `generation` samples from. The vocabulary
projection runs at scored positions only and in chunks; in training a chunk's logits are computed again in the backward
pass instead of being kept.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from workers.training.backbone import Backbone

DEFAULT_CHUNK = 2048


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
    """log p(token | what stands before it in its row) and the entropy of that prediction, under the adapter that is
    on.

    ids, mask, scored: (B, S); scored is true where a token's log-probability is wanted, never in the first place of a
    row. Returns two float32 vectors (N,), N = scored.sum(), row by row.
    """
    states = before(backbone.hidden_states(ids, mask), scored)
    return state_logprobs(
        backbone, states, ids[scored], temperature=temperature, chunk=chunk, entropy_gradient=entropy_gradient
    )


def before(hidden: Tensor, scored: Tensor) -> Tensor:
    """(B, S, d) to (N, d): the state that predicts each scored token, the one in the place before it."""
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
    """states (N, d), tokens (N,) -> log-probabilities and entropies (N,), float32. Unless asked, entropies carry no
    gradient: they cost as much as all the rest and are mostly only looked at."""
    count = tokens.shape[0]
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
    logits = backbone.logits(states).float()
    if temperature != 1.0:
        logits = logits / temperature
    if not entropy_gradient:
        logprob, entropy = _TokenLogprob.apply(logits, tokens)  # type: ignore[no-untyped-call]
        return logprob, entropy
    total = logits.logsumexp(-1)
    logprob = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1) - total
    return logprob, total - ((logits - total.unsqueeze(-1)).exp() * logits).sum(-1)


class _TokenLogprob(torch.autograd.Function):
    """log softmax at one token a row, and the entropy of the row without a gradient. Written out because the logits are
    the largest tensors of all: one copy is made of them, and the backward pass turns that copy into the gradient.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        total = logits.logsumexp(-1, keepdim=True)
        probabilities = (logits - total).exp_()
        index = tokens.unsqueeze(-1)
        logprob = (logits.gather(-1, index) - total).squeeze(-1)
        entropy = total.squeeze(-1) - torch.linalg.vecdot(probabilities, logits)
        ctx.save_for_backward(probabilities, index)
        ctx.mark_non_differentiable(entropy)
        return logprob, entropy

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        probabilities, index = ctx.saved_tensors
        up = grads[0].unsqueeze(-1)
        return probabilities.mul(-up).scatter_add_(-1, index, up), None
