"""Packing changes nothing but where things stand (S6, S7, S8, S10)."""

import math
import random
from itertools import pairwise

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from backend.domain.training import PretrainConfig
from tests.workers.training.tiny import FAMILIES, backbone_of, kept_for_backward, tokenizer_of
from workers.training import likelihood
from workers.training.backbone import Backbone
from workers.training.job import Job
from workers.training.likelihood import DocumentTask, negative_log_likelihood
from workers.training.packing import Document, microbatches, pack
from workers.training.supervised import Loop, Plan, learning_rate_share


def documents(count: int, seed: int = 0, longest: int = 20) -> list[Document]:
    """Random documents whose second half is learnt."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        length = rng.randint(2, longest)
        out.append(Document([rng.randint(3, 28) for _ in range(length)], ((max(1, length // 2), length),)))
    return out


def alone(backbone, ids) -> torch.Tensor:
    """Hidden states of one document by itself, by transformers' own attention."""
    row = torch.tensor([ids])
    hidden: torch.Tensor = backbone.hidden_states(row, torch.ones_like(row))
    return hidden[0]


def windowed() -> Backbone:
    """An architecture whose tokens see only the last five."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=29, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=96, sliding_window=5, initializer_range=0.2,
        pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    return Backbone(MistralForCausalLM(config), tokenizer_of(29))


@pytest.mark.parametrize("family", [*FAMILIES, "mistral"])
def test_a_packed_document_is_the_document_alone(family) -> None:
    backbone = windowed() if family == "mistral" else backbone_of(family)
    some = documents(12)
    batch = pack([[document] for document in some])
    with torch.no_grad():
        together = backbone.packed_hidden_states(batch)
        assert backbone._packs, "by the fast path"
        assert batch.ids.shape == (1, sum(len(document.ids) for document in some)), "without any padding"
        for document, segment in zip(some, batch.segments, strict=True):
            assert torch.allclose(alone(backbone, document.ids), together[segment.start : segment.end], atol=1e-5)


@pytest.mark.parametrize("family", [*FAMILIES, "mistral"])
def test_what_documents_share_is_computed_once_and_changes_nothing(family) -> None:
    backbone = windowed() if family == "mistral" else backbone_of(family)
    backbone.model.requires_grad_(True)
    prompts = [[3, 4, 5, 6, 7, 8, 9], [10], [11, 12]]
    groups = [
        [Document([*prompts[0], *tail]) for tail in ([13, 14, 15], [13, 14, 16, 17], [18], [13, 14, 15])],
        [Document([*prompts[1], *tail]) for tail in ([20, 21], [22])],
        [Document(prompts[2]), Document([*prompts[2], 23]), Document([23, 24])],
    ]
    flat = [document for group in groups for document in group]
    batch = pack(groups)
    assert batch.tokens == sum(len(d.ids) for d in flat) > batch.ids.shape[1]
    assert [s.prefix for s in batch.segments] == [0, 9, 7, 9, 0, 1, 0, 2, 0]
    weights = torch.randn(32, generator=torch.Generator().manual_seed(1))

    def gradients(last: torch.Tensor) -> torch.Tensor:
        backbone.model.zero_grad()
        ((last @ weights) * torch.arange(1.0, 10.0)).sum().backward()
        return torch.cat([p.grad.flatten() for p in backbone.model.parameters() if p.grad is not None])

    shared = backbone.packed_hidden_states(batch, batch.ends)
    apart = torch.stack([alone(backbone, document.ids)[-1] for document in flat])
    assert backbone._packs and torch.allclose(shared, apart, atol=1e-5)
    one, other = gradients(shared), gradients(apart)
    assert float((one - other).norm() / other.norm()) < 1e-5


def test_an_architecture_that_cannot_pack_is_found_out_and_read_padded() -> None:
    backbone = backbone_of("gpt2")
    some = [Document([3, 4, 5, 6]), Document([3, 4, 9]), Document([7, 8])]
    batch = pack([some[:2], some[2:]])
    expected = backbone.packed_hidden_states(batch)
    other = backbone_of("gpt2")
    other.model.set_attn_implementation("sdpa")  # which ignores segments
    found = other.packed_hidden_states(batch)
    assert other._packs is False and torch.allclose(found, expected, atol=1e-5)


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
        batches = list(microbatches(some, budget))
        assert sum(batch.learnt_tokens for batch in batches) == sum(d.learnt_tokens for d in some)
        assert sum(batch.tokens for batch in batches) == sum(len(d.ids) for d in some)
        assert all(batch.tokens <= budget or len(batch.segments) == 1 for batch in batches)
        total = sum(float(negative_log_likelihood(backbone, batch)) for batch in batches)
        assert math.isclose(total, expected, rel_tol=1e-5)


def test_a_first_token_is_never_learnt() -> None:
    batch = pack([[Document([3, 4, 5], ((0, 3),))], [Document([6, 7], ((0, 2),))]])
    assert batch.learnt_tokens == 3
    assert not batch.learnt[batch.positions == 0].any()


@pytest.mark.parametrize("family", FAMILIES)
def test_micro_batches_change_no_gradient(family, tmp_path) -> None:
    """The divisor is the token count of the whole step; a mean of means goes wrong where lengths are this unequal."""
    backbone = backbone_of(family)
    backbone.model.requires_grad_(True)
    some = [Document([5] * n, ((1, n),)) for n in (3, 40, 7, 50)]

    def gradient(tokens: int) -> torch.Tensor:
        backbone.model.zero_grad()
        config = PretrainConfig(tokens_per_microbatch=tokens)
        job = Job(tmp_path, "pretrain", config, {})
        task = DocumentTask(
            job, backbone, some, [], adapter=None, samples=lambda step: iter(()), tokens_per_microbatch=tokens
        )
        assert len(task.plan(range(4), tokens)) == (1 if tokens > 100 else 3)
        loop = Loop(job, config, task, Plan(4, 4, 1.0, None, 0), list(backbone.model.named_parameters()))
        loop._gradients()
        return torch.cat([p.grad.flatten() for p in backbone.model.parameters() if p.grad is not None])

    whole, parts = gradient(4096), gradient(16)
    (batch,) = microbatches(some, 4096)
    backbone.model.zero_grad()
    (negative_log_likelihood(backbone, batch) / (2 + 39 + 6 + 49)).backward()
    by_hand = torch.cat([p.grad.flatten() for p in backbone.model.parameters() if p.grad is not None])
    assert float((whole - by_hand).norm() / by_hand.norm()) < 1e-5
    assert float((parts - by_hand).norm() / by_hand.norm()) < 1e-5


def test_chunks_change_nothing(monkeypatch) -> None:
    """Logits are computed where something is learnt, and of several chunks none is kept for the backward pass."""
    backbone = backbone_of("llama")
    rows, project = [], backbone.logits

    def logits(states: torch.Tensor) -> torch.Tensor:
        rows.append(len(states))
        return project(states)

    monkeypatch.setattr(backbone, "logits", logits)
    backbone.model.requires_grad_(True)
    (batch,) = microbatches(documents(9), 4096)
    results = []
    for chunk in (10_000, 7):
        monkeypatch.setattr(likelihood, "CHUNK", chunk)
        backbone.model.zero_grad()
        rows.clear()
        with kept_for_backward() as kept:
            loss = negative_log_likelihood(backbone, batch)
        assert sum(rows) == batch.learnt_tokens < batch.tokens and max(rows) <= chunk
        assert any(shape[-1:] == (29,) and shape[0] != 32 for shape in kept) == (chunk == 10_000)
        loss.backward()
        results.append((float(loss.detach()), torch.cat([p.grad.flatten() for p in backbone.model.parameters()])))
    assert math.isclose(results[0][0], results[1][0], rel_tol=1e-6)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-6)


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
