"""Packing changes nothing but where things stand (S6, S7, S8, S10)."""

import math
import random
from itertools import pairwise

import pytest
import torch

from backend.domain.training import PretrainConfig
from tests.workers.training.tiny import FAMILIES, backbone_of
from workers.training import likelihood
from workers.training.likelihood import negative_log_likelihood
from workers.training.packing import Document, pack
from workers.training.supervised import Plan, learning_rate_share


def documents(count: int, seed: int = 0, longest: int = 20) -> list[Document]:
    """Random documents whose second half is learnt."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        length = rng.randint(2, longest)
        out.append(Document([rng.randint(3, 28) for _ in range(length)], ((max(1, length // 2), length),)))
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_document_is_the_document_alone(family) -> None:
    backbone = backbone_of(family)
    some = documents(12)
    (batch,) = pack(some, tokens_per_microbatch=4096, max_width=48)
    assert batch.ids.shape[1] <= 48 and batch.ids.shape[0] < 12
    together = backbone.packed_hidden_states(batch.ids, batch.positions)
    found = 0
    for row in range(batch.ids.shape[0]):
        starts = [i for i in range(batch.ids.shape[1]) if batch.positions[row, i] == 0]
        for start, end in zip(starts, [*starts[1:], batch.ids.shape[1]], strict=True):
            ids = batch.ids[row, start:end]
            document = next((d for d in some if list(d.ids) == ids[: len(d.ids)].tolist() and any(ids)), None)
            if document is None:
                continue
            found += 1
            alone = torch.tensor([document.ids])
            hidden = backbone.hidden_states(alone, torch.ones_like(alone))
            assert torch.allclose(hidden[0], together[row, start : start + len(document.ids)], atol=1e-5)
    assert found == 12


@pytest.mark.parametrize("family", FAMILIES)
def test_the_likelihood_is_that_of_each_document_by_hand(family) -> None:
    backbone = backbone_of(family)
    some = documents(7, seed=1)
    expected = 0.0
    for document in some:
        ids = torch.tensor([document.ids])
        logprobs = backbone.model(input_ids=ids).logits[0].double().log_softmax(-1)
        for start, end in document.learnt:
            for place in range(start, end):  # the token at t is predicted by the logits at t - 1
                expected -= float(logprobs[place - 1, document.ids[place]])
    for budget in (16, 64, 4096):
        batches = pack(some, tokens_per_microbatch=budget, max_width=40)
        assert sum(batch.learnt_tokens for batch in batches) == sum(d.learnt_tokens for d in some)
        assert sum(batch.tokens for batch in batches) == sum(len(d.ids) for d in some)
        total = sum(float(negative_log_likelihood(backbone, batch)) for batch in batches)
        assert math.isclose(total, expected, rel_tol=1e-5)


def test_a_first_token_is_never_learnt() -> None:
    (batch,) = pack([Document([3, 4, 5], ((0, 3),)), Document([6, 7], ((0, 2),))], tokens_per_microbatch=64)
    assert batch.learnt_tokens == 3
    assert not batch.learnt[batch.positions == 0].any()
    assert int(batch.ids.numel()) == 5, "no padding where rows are full"


def test_micro_batches_change_no_gradient() -> None:
    """The divisor is the token count of the whole step; a mean of means goes wrong where lengths are this unequal."""
    backbone = backbone_of("llama")
    backbone.model.requires_grad_(True)
    some = [Document([5] * n, ((1, n),)) for n in (3, 40, 7, 50)]

    def gradient(budget: int) -> torch.Tensor:
        backbone.model.zero_grad()
        batches = pack(some, tokens_per_microbatch=budget, max_width=50)
        count = sum(batch.learnt_tokens for batch in batches)
        for batch in batches:
            (negative_log_likelihood(backbone, batch) / count).backward()
        return torch.cat([p.grad.flatten() for p in backbone.model.parameters() if p.grad is not None])

    whole, parts = gradient(4096), gradient(16)
    assert len(pack(some, tokens_per_microbatch=16, max_width=50)) == 2
    assert float((whole - parts).norm() / whole.norm()) < 1e-5


def test_chunks_change_nothing(monkeypatch) -> None:
    backbone = backbone_of("llama")
    backbone.model.requires_grad_(True)
    (batch,) = pack(documents(9), tokens_per_microbatch=4096)
    results = []
    for chunk in (10_000, 7):
        monkeypatch.setattr(likelihood, "CHUNK", chunk)
        backbone.model.zero_grad()
        loss = negative_log_likelihood(backbone, batch)
        loss.backward()
        results.append((float(loss.detach()), torch.cat([p.grad.flatten() for p in backbone.model.parameters()])))
    assert math.isclose(results[0][0], results[1][0], rel_tol=1e-6)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-6)


def test_packing_wastes_little() -> None:
    rng = random.Random(3)
    some = [Document([3] * rng.randint(20, 70), ((1, 2),)) for _ in range(64)]
    batches = pack(some, tokens_per_microbatch=1 << 20, max_width=256)
    assert sum(b.tokens for b in batches) / sum(b.ids.numel() for b in batches) > 0.93


def test_an_epoch_sees_each_item_once_and_the_order_is_a_function_of_the_seed() -> None:
    plan = Plan(items=10, items_per_step=4, epochs=2.0, max_steps=None, seed=7)
    assert plan.steps == 5
    drawn = [item for step in range(plan.steps) for item in plan.step_items(step)]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10)) and drawn[:10] != drawn[10:]
    again = Plan(items=10, items_per_step=4, epochs=2.0, max_steps=None, seed=7)
    assert again.step_items(3) == plan.step_items(3), "whatever was asked before"
    assert Plan(10, 4, 2.0, None, 8).step_items(0) != plan.step_items(0)
    assert Plan(10, 4, 0.5, None, 0).steps == 2 and Plan(10, 4, 2.0, 3, 0).steps == 3


def test_the_learning_rate_rises_and_falls() -> None:
    config = PretrainConfig(warmup_share=0.1, schedule="cosine", final_learning_rate_share=0.1)
    shares = [learning_rate_share(config, step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(1 / 11) and shares[10] == 1.0 == max(shares)
    assert shares[55] == pytest.approx(0.1 + 0.9 * 0.5)
    assert all(a < b for a, b in pairwise(shares[:11]))
    assert all(a > b for a, b in pairwise(shares[10:])) and shares[-1] > 0.1
    linear = PretrainConfig(warmup_share=0.0, schedule="linear")
    assert [learning_rate_share(linear, step, 4) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]
