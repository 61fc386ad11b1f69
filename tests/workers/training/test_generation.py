"""The sampler: what it draws from, its cache, its order, its ends (P1, P2, P9-P11)."""

import pytest
import torch

from backend.errors import Invalid
from tests.workers.training.tiny import FAMILIES, backbone_of, right_padded, shake
from workers.training import generation
from workers.training.backbone import Backbone
from workers.training.generation import Answer, Sampling, cut, draw, generate
from workers.training.logprobs import token_logprobs

PROMPTS = [[5, 6, 7], [3, 4, 5, 6, 7, 8, 9], [11], [12, 13, 14], [20, 21], [9, 8, 7, 6, 5]]


def keys(count: int, seed: int = 0) -> list[tuple[int, int]]:
    return [(seed, i) for i in range(count)]


def scored(backbone: Backbone, prompt: list[int], answer: Answer, temperature: float) -> torch.Tensor:
    ids, mask = right_padded([prompt + list(answer.ids)])
    chosen = torch.arange(ids.shape[1]).unsqueeze(0) >= len(prompt)
    return token_logprobs(backbone, ids, mask, chosen, temperature=temperature)[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("merge", [True, False])
def test_behaviour_logprobs_are_those_of_the_training_forward(family: str, merge: bool) -> None:
    backbone = backbone_of(family)
    backbone.add_adapter("policy", rank=4, alpha=8, seed=1)
    shake(backbone, "policy", 2)
    sampling = Sampling(max_new_tokens=12, temperature=0.7)
    answers = generate(backbone, PROMPTS, sampling, adapter="policy", keys=keys(6), merge=merge)
    assert {a.finish_reason for a in answers} <= {"stop", "length"}
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        with torch.no_grad(), backbone.role("policy"):
            expected = scored(backbone, prompt, answer, 0.7)
        torch.testing.assert_close(torch.tensor(answer.logprobs), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_company_and_order_change_nothing(family: str) -> None:
    backbone = backbone_of(family)
    sampling = Sampling(max_new_tokens=15)
    named = keys(6, seed=4)
    together = generate(backbone, PROMPTS, sampling, keys=named)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = generate(backbone, [PROMPTS[i] for i in order], sampling, keys=[named[i] for i in order])
    assert [a.ids for a in shuffled] == [together[i].ids for i in order]
    apart = generate(backbone, PROMPTS, sampling, keys=named, tokens_per_microbatch=1)
    assert [a.ids for a in apart] == [a.ids for a in together]
    assert [a.ids for a in generate(backbone, PROMPTS, sampling, keys=keys(6, seed=5))] != [a.ids for a in together]
    same_prompt = generate(backbone, [PROMPTS[0]] * 8, sampling, keys=keys(8))
    assert len({a.ids for a in same_prompt}) > 1


def test_samples_follow_the_softmax_whatever_the_model_says_of_itself() -> None:
    """Chi-square of 40,000 draws from a vocabulary of 8, with a generation config that would cut, penalise and cool."""
    backbone = backbone_of("llama", vocabulary=8, hidden=16, layers=1)
    given = backbone.model.generation_config
    given.top_k, given.top_p, given.temperature, given.repetition_penalty, given.do_sample = 2, 0.5, 0.1, 1.5, True
    count, temperature = 40_000, 1.3
    answers = generate(
        backbone, [[5]] * count, Sampling(max_new_tokens=1, temperature=temperature), keys=keys(count),
        tokens_per_microbatch=1_000_000,
    )  # fmt: skip
    seen = torch.bincount(torch.tensor([a.ids[0] for a in answers]), minlength=8).double()
    ids, mask = right_padded([[5]])
    with torch.no_grad():
        logits = backbone.logits(backbone.hidden_states(ids, mask))[0, 0].double()
    expected = (logits / temperature).softmax(-1) * count
    assert float(((seen - expected).square() / expected).sum()) < 24.3  # 99.9 % point of chi-square with 7 degrees


def test_after_the_prompt_each_call_sees_one_token_and_ended_rows_leave() -> None:
    backbone = backbone_of("gpt2")
    widths, heights = [], []

    def look(module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        heights.append(kwargs["input_ids"].shape[0])
        widths.append(kwargs["input_ids"].shape[1])

    handle = backbone.model.base_model.register_forward_pre_hook(look, with_kwargs=True)
    stops = list(range(1, 15))
    answers = generate(backbone, [[5, 6, 7]] * 64, Sampling(max_new_tokens=12), keys=keys(64), stop_ids=stops)
    handle.remove()
    assert widths[0] == 3 and set(widths[1:]) == {1}
    assert heights[0] == 64 and heights[-1] < 32
    assert len(widths) == max(len(a.ids) for a in answers)
    for answer in answers:
        ended = [i for i, token in enumerate(answer.ids) if token in stops]
        assert ended == ([len(answer.ids) - 1] if answer.finish_reason == "stop" else [])
        assert len(answer.ids) == len(answer.logprobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("look_every", [2, 5, 16])
def test_how_often_one_looks_who_has_ended_changes_no_answer(
    family: str, look_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = backbone_of(family)
    stops, sampling = [1, 2], Sampling(max_new_tokens=20)
    before = generate(backbone, PROMPTS * 4, sampling, keys=keys(24), stop_ids=stops)
    monkeypatch.setitem(generation.LOOK_EVERY, "cpu", look_every)
    after = generate(backbone, PROMPTS * 4, sampling, keys=keys(24), stop_ids=stops)
    assert [(a.ids, a.finish_reason) for a in after] == [(a.ids, a.finish_reason) for a in before]
    for one, other in zip(before, after, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
    assert {a.finish_reason for a in before} == {"stop", "length"}
    assert len({len(a.ids) for a in before}) > 5


def test_every_way_to_end() -> None:
    backbone = backbone_of("llama")
    everything = list(range(29))
    first = generate(backbone, PROMPTS, Sampling(max_new_tokens=5), keys=keys(6), stop_ids=everything)
    assert all(len(a.ids) == 1 and a.finish_reason == "stop" for a in first)  # the terminator as the first token
    never = generate(backbone, PROMPTS, Sampling(max_new_tokens=5), keys=keys(6), stop_ids=[1000])
    assert all(len(a.ids) == 5 and a.finish_reason == "length" for a in never)
    other = never[0].ids[2]  # any token may be told to end answers
    ended = generate(backbone, PROMPTS, Sampling(max_new_tokens=5), keys=keys(6), stop_ids=[1000, other])[0]
    assert ended.ids == never[0].ids[: never[0].ids.index(other) + 1] and ended.finish_reason == "stop"


def test_greedy_takes_the_likeliest() -> None:
    backbone = backbone_of("gpt2")
    (answer,) = generate(backbone, [[5, 6]], Sampling(max_new_tokens=6, temperature=0.0), keys=[(0,)], stop_ids=[])
    ids = [5, 6]
    for token in answer.ids:
        assert token == int(backbone.model(torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)


def test_cut_distributions() -> None:
    logprobs = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()
    torch.testing.assert_close(cut(logprobs, 2, 1.0).exp(), torch.tensor([[0.0, 0.4 / 0.7, 0.0, 0.3 / 0.7]]))
    torch.testing.assert_close(cut(logprobs, 0, 0.69).exp(), torch.tensor([[0.0, 0.4 / 0.7, 0.0, 0.3 / 0.7]]))
    torch.testing.assert_close(cut(logprobs, 0, 0.71).exp(), torch.tensor([[0.0, 0.4, 0.2, 0.3]]) / 0.9)
    torch.testing.assert_close(cut(logprobs, 0, 1e-9).exp(), torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
    near_one = torch.tensor([1.0 - 2**-53], dtype=torch.float64)
    token, logprob = draw(logprobs, near_one, Sampling(max_new_tokens=1, top_k=2))
    assert int(token) == 3 and float(logprob) == pytest.approx(float(torch.tensor(0.3 / 0.7).log()))
    assert int(draw(logprobs, torch.zeros(1, dtype=torch.float64), Sampling(max_new_tokens=1, top_k=2))[0]) == 1


def test_what_cannot_be_sampled_is_refused() -> None:
    backbone = backbone_of("llama", positions=16)
    with pytest.raises(Invalid, match="16 positions"):
        generate(backbone, [[5] * 10], Sampling(max_new_tokens=7), keys=[(0,)])
    with pytest.raises(Invalid, match="without any token"):
        generate(backbone, [[]], Sampling(max_new_tokens=7), keys=[(0,)])
    with pytest.raises(Invalid):
        Sampling(max_new_tokens=0)


def test_a_gpu_writes_as_many_answers_at_once_as_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = backbone_of("llama")
    assert generation.tokens_at_once(backbone) == generation.TOKENS_AT_ONCE
    backbone.device = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 8 * 10**9))
    numbers = 2 * 2 * 16 + 4 * 64 + 8 * 32  # keys and values of two layers, a feed-forward layer, hidden states
    assert generation.tokens_at_once(backbone) == 10**9 // (4 * numbers)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 10**6))
    assert generation.tokens_at_once(backbone) == generation.TOKENS_AT_ONCE


def test_no_more_rows_at_once_than_their_logits_have_room() -> None:
    parts = list(generation._microbatches([4] * 10, 4, 10**6, 1, 3))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert sorted(row for part in parts for row in part) == list(range(10))
