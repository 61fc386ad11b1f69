"""Log-probabilities of chosen tokens (P1, P3, P6, P7, P26)."""

import pytest
import torch

from tests.workers.training.tiny import (
    FAMILIES,
    backbone_of,
    gradient,
    kept_for_backward,
    left_padded,
    right_padded,
    shake,
)
from workers.training import likelihood
from workers.training.logprobs import state_logprobs, token_logprobs

ROWS = [[5, 6, 7, 8, 1], [3, 4, 5, 6, 7, 8, 9, 1], [11, 12]]
PROMPTS = [2, 5, 1]


def scored_of(mask: torch.Tensor, side: str) -> torch.Tensor:
    out = torch.zeros_like(mask, dtype=torch.bool)
    for row, (tokens, prompt) in enumerate(zip(ROWS, PROMPTS, strict=True)):
        start = 0 if side == "right" else mask.shape[1] - len(tokens)
        out[row, start + prompt : start + len(tokens)] = True
    return out


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_against_double_precision_for_either_padding(family: str, temperature: float) -> None:
    backbone = backbone_of(family)
    expected, entropies = [], []
    for row, prompt in zip(ROWS, PROMPTS, strict=True):
        logits = backbone.model(torch.tensor([row])).logits[0].double() / temperature
        logp = logits.log_softmax(-1)
        for place in range(prompt, len(row)):
            expected.append(float(logp[place - 1, row[place]]))
            entropies.append(float(-(logp[place - 1].exp() * logp[place - 1]).sum()))
    for side, (ids, mask) in (("right", right_padded(ROWS)), ("left", left_padded(ROWS))):
        with torch.no_grad():
            logprob, entropy = token_logprobs(backbone, ids, mask, scored_of(mask, side), temperature=temperature)
        assert logprob.dtype == entropy.dtype == torch.float32
        torch.testing.assert_close(logprob.double(), torch.tensor(expected, dtype=torch.double), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(entropy.double(), torch.tensor(entropies, dtype=torch.double), atol=1e-5, rtol=1e-5)


def test_logits_of_half_precision_are_normalised_in_single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same rounded logits in double precision."""
    backbone = backbone_of("llama")
    draws = torch.Generator().manual_seed(0)
    logits = (6 * torch.randn(50, 29, generator=draws)).bfloat16()
    monkeypatch.setattr(backbone, "logits", lambda states: logits)
    tokens = torch.randint(29, (50,), generator=draws)
    exact = logits.double().log_softmax(-1)
    chosen = exact.gather(1, tokens.unsqueeze(1)).squeeze(1)
    states = torch.zeros(50, 32)
    logprob, entropy = state_logprobs(backbone, states, tokens)
    torch.testing.assert_close(logprob.double(), chosen, atol=1e-5, rtol=0)
    torch.testing.assert_close(entropy.double(), -(exact.exp() * exact).sum(-1), atol=5e-5, rtol=0)
    loss = likelihood._cross_entropy(backbone, states, tokens)
    torch.testing.assert_close(loss.double(), -chosen.sum(), atol=1e-4, rtol=0)


def test_chunks_change_neither_values_nor_gradients() -> None:
    """And of the logits, the largest tensors of all, none is kept for the backward pass."""
    backbone = backbone_of("llama")
    backbone.add_adapter("policy", rank=2, alpha=4, seed=1)
    shake(backbone, "policy", 2)
    ids, mask = right_padded(ROWS)
    seen = []
    for chunk in (1000, 3):
        with backbone.role("policy"), kept_for_backward() as kept:
            logprob, entropy = token_logprobs(
                backbone, ids, mask, scored_of(mask, "right"), chunk=chunk, entropy_gradient=True
            )
        logits = [shape for shape in kept if shape[-1:] == (29,)]
        assert bool(logits) == (chunk == 1000)
        with backbone.role("policy"):
            (logprob.sum() + 0.1 * entropy.sum()).backward()
        seen.append((logprob.detach(), [gradient(p).clone() for p in backbone.parameters_of("policy")]))
        for parameter in backbone.parameters_of("policy"):
            parameter.grad = None
    torch.testing.assert_close(seen[0][0], seen[1][0], atol=1e-6, rtol=1e-6)
    for one, other in zip(seen[0][1], seen[1][1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
