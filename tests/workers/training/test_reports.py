"""What is told of an iteration: by hand on two answers, with rubbish where there is no token (P17, P21, P26, 5.5)."""

import math
import re

import pytest
import torch
from torch import Tensor

from tests.workers.training.policies import config_of, ppo_of
from tests.workers.training.tiny import CPU, tokenizer_of
from workers.training import reports
from workers.training.generation import Answer
from workers.training.graphs import Graphs
from workers.training.rollouts import Rollouts
from workers.training.tallies import Tally
from workers.training.tokens import Codec


def padded(*rows: list[float]) -> Tensor:
    return torch.tensor([row + [1e6] * (4 - len(row)) for row in rows])


def test_answers_by_hand() -> None:
    answers = [Answer((7, 8, 7, 8), (-1.0, -1.0, -1.0, -1.5), "length"), Answer((9, 1), (-2.0, -0.5), "stop")]
    batch = Rollouts([0, 1], [[3, 4, 5], [6]], answers, CPU)
    rubbish = ~batch.mask
    batch.old_logprobs = padded([-1.0, -1.0, -1.0, -1.0], [-2.0, -0.5])
    batch.reference_logprobs = padded([-1.5, -0.5, -2.0, -1.0], [-2.0, -1.5])
    batch.old_logprobs[rubbish] = batch.reference_logprobs[rubbish] = 0.0  # as scoring leaves it
    batch.entropy = padded([1.0, 2.0, 3.0, 4.0], [0.0, 2.0])
    batch.raw_scores, batch.score_parts = torch.tensor([3.0, -1.0]), {}
    batch.scores = torch.tensor([1.0, -1.0])
    assert not batch.learnt
    found = reports.about_answers(batch, ["three words", "a"], config_of(score_clip=2.0))
    # log-ratios to the reference 0.5, -0.5, 1, 0 and 0, 1: 1 nat an answer, 1/3 a token
    k3 = [math.expm1(-d) + d for d in (0.5, -0.5, 1.0, 0.0, 0.0, 1.0)]
    assert found == pytest.approx(
        {
            "objective/score": 1.0,
            "objective/score_std": 2.0,
            "objective/score_used": 0.0,
            "objective/score_clipped_share": 0.5,
            "objective/score_length_correlation": 1.0,  # of two, the longer one has the higher score
            "objective/score_phrase_correlation": 1.0,  # and is the only one that holds 7 8 7 8
            "objective/kl_base_per_seq_nats": 1.0,
            "objective/kl_base_error_per_seq_nats": 0.0,
            "objective/kl_base_per_token_nats": 1 / 3,
            "objective/kl_base_k3_per_token_nats": sum(k3) / 6,
            "policy/entropy": 2.0,
            "rollout/length_mean": 3.0,
            "rollout/length_error": 1.0,
            "rollout/characters_mean": 6.0,
            "rollout/characters_error": 5.0,
            "rollout/length_p10": 2.2,
            "rollout/length_p50": 3.0,
            "rollout/length_p90": 3.8,
            "rollout/truncated_share": 0.5,
            "rollout/sampler_gap_mean_nats": 0.5 / 6,
            "rollout/sampler_gap_max_nats": 0.5,
            "rollout/sampler_kl_per_token_nats": (math.expm1(0.5) - 0.5) / 6,
            "rollout/distinct4": 1.0,
            "rollout/distinct_answers_share": 1.0,
            "rollout/commonest_phrase_share": 0.5,
            "rollout/commonest_token_share": 0.4,  # 7, or 8, twice among five that are no end
        }
    )

    batch.reference_logprobs[1, 1] -= 1.0  # 1 and 2 nats: half of 1 apart from their mean, over the root of 2 less 1
    again = reports.about_answers(batch, ["", ""], config_of())
    assert again["objective/kl_base_error_per_seq_nats"] == pytest.approx(0.5)
    batch.reference_logprobs[1, 1] += 1.0

    batch.values = padded([1.0, 1.0, 1.0, 1.0], [-1.0, 1.0])
    batch.returns = padded([2.0, 0.0, 2.0, 0.0], [0.0, 2.0])
    batch.raw_advantages = padded([1.0, -1.0, 1.0, -1.0], [1.0, 1.0])
    batch.rewards = torch.tensor([[-0.5, 0.5, -1.0, 1.0], [0.0, -2.0, 0.0, 0.0]])
    batch.weights = padded([1.0, 0.5, 2.0, 1.0], [1.0, 1.5])
    batch.learnt = True
    assert reports.about_learning(batch, {"value/loss": 0.5}) == pytest.approx(
        {
            "value/loss": 0.5,
            "objective/reward_per_seq": -1.0,
            "engine/weight_mean": 7 / 6,
            "returns/mean": 1.0,
            "returns/std": 1.0,
            "advantage/std": math.sqrt(1 - 1 / 9),
            "value/mean": 2 / 3,
            "value/explained_variance": 1 - (1 - 1 / 9) / 1.0,
        },
        abs=1e-6,
    )
    batch.advantages = batch.raw_advantages
    (shown,) = reports.samples(batch, 5, Codec(tokenizer_of(10)), [[{"role": "user", "content": "w3 w4 w5"}]])
    assert shown.values == {"score": 3.0, "score_used": 1.0, "kl": 1.0, "length": 4.0, "ended": 0.0}
    assert shown.tokens is not None
    assert [(token.kl, token.value, token.advantage) for token in shown.tokens] == [
        (0.5, 1.0, 1.0), (-0.5, 1.0, -1.0), (1.0, 1.0, 1.0), (0.0, 1.0, -1.0)
    ]  # fmt: skip


@pytest.mark.parametrize("objective", ["clip", "kl_penalty"])
def test_an_update_by_hand_in_whatever_micro_batches(objective: str) -> None:
    config = config_of(objective=objective)
    ratios, losses = torch.tensor([1.0, 1.5, 0.5, 0.9]), torch.tensor([1.0, 2.0, 3.0, 6.0])
    values, old = torch.tensor([0.0, 0.5, 0.1, -0.5]), torch.zeros(4)
    whole, parted = Tally(), Tally()
    for tally, parts in ((whole, [slice(4)]), (parted, [slice(3), slice(3, 4)])):
        for part in parts:
            one = Tally()
            one.of_policy(losses[part], ratios[part].log(), config)
            one.of_value(losses[part], values[part], old[part], config.value_clip_range)
            tally.add(one)
    log = ratios.log()
    kl = ratios * log - (ratios - 1) if objective == "kl_penalty" else (ratios - 1) - log
    assert parted.means() == pytest.approx(whole.means())
    assert whole.means() == pytest.approx(
        {
            "policy/loss": 3.0,
            "policy/ratio_mean": 3.9 / 4,
            "policy/ratio_max": 1.5,
            "policy/ratio_min": 0.5,
            "policy/clip_fraction": 0.5,
            "policy/kl_step_per_token_nats": float(kl.mean()),
            "value/loss": 3.0,
            "value/clip_fraction": 0.5,
        }
    )


def test_every_number_is_listed_and_finite() -> None:
    listed: set[str] = set()
    for line in (reports.__doc__ or "").splitlines():
        listed |= set(re.findall(r"(?:^|  )([a-z]+/\w+)", line.partition("    ")[0]))
    seen: set[str] = set()
    for objective in ("clip", "kl_penalty"):
        ppo = ppo_of(objective=objective)
        ppo.backbone.graphs = Graphs(torch.device("cpu"))  # only a GPU has them
        values, batch = ppo.iterate()
        found = reports.metrics(batch, values)
        assert all(torch.isfinite(torch.tensor(value)) for value in found.values())
        assert all(0 < found[f"time/{phase}_floor_share"] < 1 for phase in reports.PHASES)
        seen |= found.keys()
    assert seen == listed - {"engine/weight_mean"}  # of what a server drew


def test_distinct_runs() -> None:
    assert reports.distinct([[1, 2, 3, 4, 5], [1, 2, 3, 4]], 4) == 2 / 3
    assert reports.distinct([[1, 2]], 4) == 1.0


def about(lengths: list[int], texts: list[str], scores: list[float], each: int = 1) -> dict[str, float]:
    """What is told of answers of so many tokens, with these scores."""
    answers = [Answer((7,) * length, (0.0,) * length, "length") for length in lengths]
    batch = Rollouts([0] * len(lengths), [[3]] * len(lengths), answers, CPU)
    batch.raw_scores, batch.scores, batch.score_parts = torch.tensor(scores), torch.tensor(scores), {}
    return reports.about_answers(batch, texts, config_of(samples_per_prompt=each, episodes_per_iteration=len(lengths)))


def test_scores_go_by_length_by_ranks_in_tokens_or_characters_and_within_prompts() -> None:
    name = "objective/score_length_correlation"
    by_ranks = about([1, 2, 2, 40], [""] * 4, [-9.0, 0.0, 0.0, 0.1])
    assert by_ranks[name] == pytest.approx(1.0)  # one far off changes nothing
    cut = about([4, 4, 4], ["a", "aaa", "aaaaaa"], [3.0, 1.0, 0.0])
    assert cut[name] == pytest.approx(-1.0)  # all cut, but not of words alike
    grouped = about([1, 2, 9, 10], [""] * 4, [1.0, 0.0, 9.0, 8.0], each=2)
    assert grouped[name] == pytest.approx(-1.0)  # what is longer to each prompt is worse; only the prompts differ
    assert grouped["rollout/length_error"] == pytest.approx(4.0)  # two prompts of 1.5 and 9.5
