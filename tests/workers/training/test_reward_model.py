"""The reward model: losses by hand, whole groups, one encoding, what it learns and what it must not."""

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain.training_rows import ChatMessage, RewardGroup
from backend.errors import Conflict, Invalid
from tests.workers.training.language import COLOURS, SHAPE, dialogues, job, metrics, say, sentences, write
from tests.workers.training.tiny import FAMILIES, gradient, model_of
from workers.training import batches, pretrain, reward_model
from workers.training.backbone import Backbone
from workers.training.digests import digest_of
from workers.training.events import Result
from workers.training.generation import Sampling, generate
from workers.training.heads import ScalarHead
from workers.training.packing import Document
from workers.training.reward_groups import Group, batch_of, choices_of, read_group
from workers.training.reward_model import best_of, bradley_terry, centred_squared_error
from workers.training.scoring import RewardModel
from workers.training.supervised import Loop, Plan
from workers.training.tokens import Codec

CPU = torch.device("cpu")
WORTH = {colour: 1.5 - i * 3 / 7 for i, colour in enumerate(COLOURS)}


@pytest.fixture(scope="module", name="base")
def _base(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("backbone")
    texts = write(folder / "texts.jsonl", [{"text": text} for text in sentences(100) + dialogues(300)])
    config = SHAPE | {"epochs": 4.0, "held_out_share": 0.0, "learning_rate": 1e-2}
    one = job(folder, "pretrain", config, texts=texts)
    list(pretrain.train(one))
    return one.output


def fresh(base: Path, family: str) -> Backbone:
    """The pretrained Llama, or a GPT-2 of random weights that reads the same ids."""
    llama = Backbone.load(base, device=CPU, dtype=torch.float32)
    if family == "llama":
        return llama
    return Backbone(model_of(family, vocabulary=llama.vocabulary_size, positions=64), llama.tokenizer)


@pytest.fixture(scope="module", name="backbone", params=FAMILIES)
def _backbone(request, base):
    return fresh(base, request.param)


def groups(
    count: int, *, seed: int = 0, held_out: int = 0, shuffled: bool = False, judgments: int = 2, noise: float = 1.0
):
    """Prompts with four answers each; people prefer some colours to others, as Bradley and Terry would have it."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        colours = rng.sample(COLOURS, 4)
        lean = rng.choice((0.0, 2.0))
        texts = [f"It is {colour}." for colour in colours]
        outcomes = []
        for judgment in range(judgments):
            for a in range(4):
                for b in range(a + 1, 4):
                    lead = (WORTH[colours[a]] - WORTH[colours[b]]) / noise
                    score = 0.5 if abs(lead) < 0.2 else float(rng.random() < 1 / (1 + math.exp(-2 * lead)))
                    if shuffled:
                        score = float(rng.random() < 0.5)
                    outcomes.append({"a": a, "b": b, "score": score, "judgment": f"{number}-{judgment}"})
        worth = [WORTH[colour] + lean for colour in colours]
        mean = sum(worth) / 4
        rows.append(
            {
                "prompt_id": str(number),
                "prompt": say(f"What colour is number {rng.randint(0, 99)}?"),
                "split": "held_out" if number < held_out else "train",
                "scale": 2.0,
                "completions": [
                    {
                        "id": f"{number}{i}",
                        "text": text,
                        "reward": (w - mean) / 2.0,
                        "weight": 1.0,
                        "judgments": judgments,
                    }
                    for i, (text, w) in enumerate(zip(texts, worth, strict=True))
                ],
                "outcomes": outcomes,
            }
        )
    return rows


CONFIG = {"model": "a/b", "reward_set": "r", "learning_rate": 1e-2, "prompts_per_step": 8, "bootstrap_rounds": 100}


def trained(folder, base, rows, **config):
    one = job(folder, "reward_model", CONFIG | config, model=base, groups=write(folder / "groups.jsonl", rows))
    return one, list(reward_model.train(one))


def result(events) -> dict[str, float]:
    assert isinstance(events[-1], Result)
    return dict(events[-1].values)


# -- losses by hand ---------------------------------------------------------------------------------------------------


def test_bradley_terry_by_hand() -> None:
    def loss(lead: float, score: float, margin: float = 0.0) -> tuple[float, float]:
        x = torch.tensor([lead], requires_grad=True)
        value = bradley_terry(x, torch.tensor([score]), margin)
        value.sum().backward()
        assert x.grad is not None
        return float(value.detach()), float(x.grad)

    assert loss(0.0, 1.0) == pytest.approx((math.log(2), -0.5))
    assert loss(-200.0, 1.0) == pytest.approx((200.0, -1.0))  # and not infinite
    assert loss(200.0, 1.0) == pytest.approx((0.0, 0.0))
    assert loss(0.0, 0.5) == pytest.approx((math.log(2), 0.0)), "a tie at equal scores has nothing to say"
    assert loss(1.3, 0.7)[0] == pytest.approx(0.7 * math.log(1 + math.exp(-1.3)) + 0.3 * math.log(1 + math.exp(1.3)))
    assert loss(1.0, 1.0, margin=1.0)[0] == pytest.approx(math.log(2))
    assert loss(-1.0, 0.0, margin=1.0)[0] == pytest.approx(math.log(2))
    assert loss(0.4, 0.5, margin=1.0) == loss(0.4, 0.5)


def test_centred_regression_by_hand() -> None:
    group_of = torch.tensor([0, 0, 1, 1, 1])
    rewards = torch.tensor([1.0, -1.0, 2.0, 0.0, -2.0])
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0, 3.0])
    offset = torch.tensor([10.0, 10.0, -7.0, -7.0, -7.0])
    assert float(centred_squared_error(rewards + offset, rewards, weights, group_of, 2)) == pytest.approx(0.0, abs=1e-9)
    scores = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])
    # weighted means of the rewards: -1/3 and -4/5
    by_hand = 1 * (4 / 3) ** 2 + 2 * (2 / 3) ** 2 + 1 * 2.8**2 + 1 * 0.8**2 + 3 * 1.2**2
    assert float(centred_squared_error(scores, rewards, weights, group_of, 2)) == pytest.approx(by_hand)


def test_a_rating_of_one_game_moves_nothing_that_many_games_have_settled() -> None:
    """Scores that are right for three completions of 200 games, and a fourth whose only game went astray by 4: how hard
    all of them together are pulled is what one game weighs."""
    rewards = torch.tensor([1.0, 0.0, -1.0, 4.0])
    scores = torch.tensor([1.0, 0.0, -1.0, 0.0], requires_grad=True)
    weights = torch.tensor([200.0, 200.0, 200.0, 1.0])
    centred_squared_error(scores, rewards, weights, torch.zeros(4, dtype=torch.long), 1).backward()
    pull = 2 * 1 * 4 * 600 / 601
    torch.testing.assert_close(gradient(scores), torch.tensor([pull / 3, pull / 3, pull / 3, -pull]))


def test_the_loss_of_a_ranking_and_a_tie_by_hand(backbone, monkeypatch) -> None:
    """A ranking is the mean of its pairs, as heavy as the tie; the margin is in the loss and not in the accuracy."""
    rows = groups(2)
    rows[0]["outcomes"] = [{"a": a, "b": b, "score": 1.0, "judgment": "r"} for a, b in ((0, 1), (0, 2), (1, 2))]
    rows[1]["outcomes"] = [{"a": 3, "b": 1, "score": 0.5, "judgment": "t"}]
    for margin in (0.0, 3.0):
        task, _ = task_of(backbone, rows, margin=margin, centre_coefficient=0.25)
        (batch,) = task.plan(range(2), 10**6)
        monkeypatch.setattr(task, "scores", lambda batch: torch.tensor([2.0, 1.0, 1.5, 0.0, 1.0, 0.0, -1.0, 2.0]))
        loss, seen = task.loss(batch)
        ranking = sum(math.log1p(math.exp(margin - lead)) for lead in (1.0, 0.5, -0.5)) / 3
        tie = (math.log1p(math.exp(2.0)) + math.log1p(math.exp(-2.0))) / 2
        assert float(loss) == pytest.approx(ranking + tie + 0.25 * (1.125**2 + 0.5**2))
        assert seen["train/accuracy"] == (2.0, 3.0)


def test_the_winner_should_lead_by_as_much_as_people_said(backbone, monkeypatch) -> None:
    """The margin times the strength of a judgment of two; of a ranking nobody knows which pair was meant."""
    rows = groups(2)
    rows[0]["outcomes"] = [
        {"a": 0, "b": 1, "score": 1.0, "judgment": "slightly", "strength": 0.25},
        {"a": 1, "b": 0, "score": 1.0, "judgment": "much", "strength": 1.0},
        {"a": 0, "b": 1, "score": 0.5, "judgment": "tie", "strength": 0.5},
    ]
    rows[1]["outcomes"] = [
        {"a": a, "b": b, "score": 1.0, "judgment": "r", "strength": 0.5} for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    task, _ = task_of(backbone, rows, margin=2.0, centre_coefficient=0.0)
    (batch,) = task.plan(range(2), 10**6)
    monkeypatch.setattr(task, "scores", lambda batch: torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    loss, _ = task.loss(batch)
    two = math.log1p(math.exp(0.5 - 1.0)) + math.log1p(math.exp(2.0 + 1.0))
    tie = (math.log1p(math.exp(1.0)) + math.log1p(math.exp(-1.0))) / 2
    ranking = math.log1p(math.exp(2.0))
    assert float(loss) == pytest.approx((two + tie + ranking) / 2)  # four judgments of two prompts


def test_the_best_of_three_by_hand() -> None:
    scores = torch.tensor([9.0, 2.0, 1.0, 0.5], requires_grad=True)
    choices = torch.tensor([[2, 1, 3], [1, 2, -1]])
    losses, leads = best_of(scores, choices)
    of_three = torch.tensor([1.0, 2.0, 0.5]).softmax(0).tolist()
    assert losses.tolist() == pytest.approx([-math.log(of_three[0]), math.log1p(math.exp(-1))])
    assert leads.tolist() == [[-1.0, 0.5], [1.0, math.inf]]
    losses[0].backward()
    assert gradient(scores).tolist() == pytest.approx([0.0, of_three[1], of_three[0] - 1, of_three[2]])
    with_margin = best_of(scores.detach(), choices, margin=0.7)[0]
    assert float(with_margin[1]) == pytest.approx(float(bradley_terry(torch.tensor(1.0), torch.tensor(1.0), 0.7)))


def test_naming_the_best_ones_is_a_choice_among_all(backbone) -> None:
    """A judgment of the two best of four weighs as one, and as one choice after the other; where all was ranked, or the
    best tie, it stays a matter of pairs."""
    best_two = [(3, 0, 1.0), (1, 3, 0.0), (3, 2, 1.0), (1, 0, 1.0), (1, 2, 1.0)]
    assert choices_of(best_two) == [[3, 0, 1, 2], [1, 0, 2]]
    assert choices_of([*best_two, (0, 2, 1.0)]) == choices_of(best_two[:1]) == []
    assert choices_of([(0, 2, 1.0), (0, 3, 1.0), (1, 2, 1.0), (1, 3, 1.0), (0, 1, 0.5)]) == []
    row = groups(1)[0]
    row["outcomes"] = [{"a": a, "b": b, "score": s, "judgment": "j", "weight": 0.5} for a, b, s in best_two]
    row["outcomes"] += [{"a": 0, "b": 1, "score": 0.0, "judgment": "k"}]
    task, (group,) = task_of(backbone, [row], centre_coefficient=0.0)
    assert group.choices == [([3, 0, 1, 2], 0.25), ([1, 0, 2], 0.25)] and group.pairs == [(0, 1, 0.0, 1.0)]
    assert sorted(one[:3] for one in group.outcomes) == sorted(
        [(0, 1, 0.0), (3, 0, 1.0), (3, 1, 1.0), (3, 2, 1.0), (1, 0, 1.0), (1, 2, 1.0)]
    )
    (batch,) = task.plan([0], 10**6)
    task.scores = lambda batch: torch.tensor([0.0, 1.0, 2.0, 3.0])
    loss, seen = task.loss(batch)
    first = math.log(sum(math.exp(s - 3) for s in range(4)))
    second = math.log(1 + math.exp(-1) + math.exp(1))
    assert float(loss) == pytest.approx((0.25 * first + 0.25 * second + math.log1p(math.exp(-1))) / 1.5)
    assert seen["train/accuracy"] == (5.0, 6.0)


def test_a_ranking_weighs_as_one_judgment(backbone) -> None:
    """1 / C(K, 2) for the pairs of a ranking of K: its loss is the mean of the losses of its pairs."""
    row = RewardGroup.model_validate(groups(1, judgments=3)[0])
    group, dropped = read_group(Codec(backbone.tokenizer), row, 64)
    assert dropped == 0 and len(group.pairs) == 18
    assert [weight for *_, weight in group.pairs] == pytest.approx([1 / 6] * 18)
    alone = row.model_copy(update={"outcomes": tuple(o.model_copy(update={"judgment": None}) for o in row.outcomes)})
    assert [weight for *_, weight in read_group(Codec(backbone.tokenizer), alone, 64)[0].pairs] == [1.0] * 18


def test_completions_that_do_not_fit_take_their_outcomes_with_them(backbone) -> None:
    row = RewardGroup.model_validate(groups(1, judgments=1)[0])
    long = row.completions[1].model_copy(update={"text": "It is red. " * 30})
    row = row.model_copy(update={"completions": (row.completions[0], long, *row.completions[2:])})
    group, dropped = read_group(Codec(backbone.tokenizer), row, 64)
    assert dropped == 1 and len(group.documents) == len(group.rewards) == 3
    assert {index for a, b, *_ in group.pairs for index in (a, b)} == {0, 1, 2} and len(group.pairs) == 3
    kept = [o.score for o in row.outcomes if 1 not in (o.a, o.b)]
    assert [score for _, _, score, _ in group.pairs] == kept
    assert [reward for _, reward, _ in group.rewards] == [2.0 * (row.completions[i].reward or 0) for i in (0, 2, 3)]


def test_a_single_reward_of_a_prompt_weighs_nothing(backbone) -> None:
    """It has no difference to learn, so it must not lighten those that have one."""
    row = groups(1)[0]
    row["completions"][1:] = [one | {"reward": None} for one in row["completions"][1:]]
    _, (alone,) = task_of(backbone, [row])
    assert alone.rewards == [] and alone.outcomes
    of_pairs, _ = task_of(backbone, groups(2), loss="mixed")
    beside, _ = task_of(backbone, [*groups(2), row, row], loss="mixed")
    assert beside._reward_factor == pytest.approx(2 * of_pairs._reward_factor)  # twice the prompts, no more rewards


# -- whole groups, one encoding ---------------------------------------------------------------------------------------


def flat_of(scores: list[list[float]]) -> list[float]:
    return [score for group in scores for score in group]


def task_of(backbone, rows, **config):
    codec = Codec(backbone.tokenizer)
    some = [read_group(codec, RewardGroup.model_validate(row), 64)[0] for row in rows]
    read = job_config(**config)
    if "reward" not in backbone.adapters:
        backbone.add_adapter("reward", rank=4, alpha=8.0, seed=0)
    head = ScalarHead(backbone.hidden_size, seed=1)
    return reward_model.RewardTask(job_of(read), read, backbone, head, some, []), some


def job_config(**config):
    from backend.domain.training import RewardModelConfig

    return RewardModelConfig.model_validate(CONFIG | config)


def job_of(config):
    from workers.training.job import Job

    return Job(Path("."), "reward_model", config)


def test_each_completion_is_read_once_and_no_group_is_torn(backbone, monkeypatch) -> None:
    task, some = task_of(backbone, groups(7, judgments=5))
    for budget in (16, 150, 4096):
        batches = task.plan(range(7), budget)
        assert sum(batch.groups for batch in batches) == 7
        assert sum(len(batch.group_of) for batch in batches) == 28 == sum(len(batch.packed.ends) for batch in batches)
        assert sum(batch.packed.tokens for batch in batches) == sum(group.tokens for group in some)
        assert sum(batch.packed.ids.numel() for batch in batches) < 0.7 * sum(group.tokens for group in some)
    assert len(task.plan(range(7), 16)) == 7, "a group larger than the budget still stays whole"


def test_micro_batches_change_no_gradient(backbone) -> None:
    for loss in ("bradley_terry", "elo_regression", "mixed"):
        task, _ = task_of(backbone, groups(6), loss=loss)
        parameters = [*backbone.parameters_of("reward"), *task.head.parameters()]

        def gradients(budget: int, task=task, parameters=parameters) -> torch.Tensor:
            for parameter in parameters:
                parameter.grad = None
            batches = task.plan(range(6), budget)
            for batch in batches:
                (task.loss(batch)[0] / sum(task.weight(b) for b in batches)).backward()
            assert all(gradient(parameter).any() for parameter in parameters[1::2]), "B of each layer, and the bias"
            assert gradient(task.head.weight).any()
            return torch.cat([gradient(parameter).flatten() for parameter in parameters])

        whole, parts = gradients(4096), gradients(16)
        assert float((whole - parts).norm() / whole.norm()) < 1e-5


def test_scores_are_those_of_the_scorer_whatever_the_batch(backbone, monkeypatch) -> None:
    """Training reads completions packed behind their prompt, PPO packed apart or, on a GPU, padded, were it with the
    token that ends each of them; neighbours change nothing."""
    rows = groups(5)
    rows[0]["completions"][1]["text"] = "It is red, and number 3 is blue."
    task, some = task_of(backbone, rows)
    with torch.no_grad():
        for parameter in backbone.parameters_of("reward"):
            parameter.add_(0.05)
    together = task.score_groups(some)
    one_by_one = [task.score_groups([group])[0] for group in some]
    sequences = [list(document.ids) for group in some for document in group.documents]
    assert len({len(sequence) for sequence in sequences}) > 1
    scorer = RewardModel(backbone, task.head, tokens_per_microbatch=4096)
    packed = scorer(sequences, [1] * len(sequences)).tolist()
    alone = [float(scorer([sequence], [1])) for sequence in sequences]
    with monkeypatch.context() as patch:
        patch.setattr(batches, "PACKED", set())
        patch.setattr(backbone, "pad_id", sequences[0][-1])
        padded = scorer(sequences, [1] * len(sequences)).tolist()
    flat = flat_of(together)
    for other in (packed, padded, alone, flat_of(one_by_one)):
        assert flat == pytest.approx(other, abs=1e-5)
    assert np.std(flat) > 1e-3
    assert torch.equal(scorer(sequences, [1] * len(sequences)), scorer(sequences, [1] * len(sequences)))


def test_the_scored_text_ends_as_it_was_ended(backbone) -> None:
    codec = Codec(backbone.tokenizer)
    prompt = [ChatMessage(role="user", content="What colour is number 3?")]
    ended = codec.encode_demonstration(prompt, "It is red.")
    cut = codec.encode_demonstration(prompt, "It is red.", ended=False)
    assert ended is not None and cut is not None
    assert ended.ids == (*cut.ids, codec.terminator)
    assert list(ended.ids) == codec.encode_prompt(prompt) + codec.encode_completion("It is red.")


def test_the_head_starts_where_it_should(backbone) -> None:
    task, _ = task_of(backbone, groups(20))
    (batch,) = task.plan(range(20), 10**6)
    loss = float(task.loss(batch)[0].detach()) / 20
    assert abs(loss - math.log(2)) < 0.3


def test_fresh_samples_of_the_reference_score_around_0_with_deviation_1(base) -> None:
    backbone = fresh(base, "gpt2")  # what the Llama says is mostly the same, and then something very different
    task, some = task_of(backbone, groups(5), normalise_samples=512, normalise_max_new_tokens=8)
    codec = Codec(backbone.tokenizer)
    raw = reward_model.scores_of_samples(job_of(task.config), task.config, codec, task)
    reward_model.normalise(task.head, raw)
    prompts = [codec.encode_prompt(some[i % 5].prompt) for i in range(512)]
    stops = codec.stop_ids(backbone.stop_ids)
    answers = generate(backbone, prompts, Sampling(8), keys=[(99, i) for i in range(512)], stop_ids=stops)
    scores = task.model()([[*p, *a.ids] for p, a in zip(prompts, answers, strict=True)], [len(p) for p in prompts])
    assert abs(float(scores.mean())) < 0.1 and abs(float(scores.std()) - 1) < 0.1


# -- what it learns ---------------------------------------------------------------------------------------------------


def test_it_learns_what_people_prefer_and_says_how_sure_it_is(base, tmp_path) -> None:
    one, events = trained(tmp_path, base, groups(110, held_out=50, noise=0.7), epochs=4.0, normalise_samples=0)
    values = result(events)
    first = metrics(events, "held_out/accuracy")[0]
    assert first[0] == 0 and abs(first[1] - 0.5) < 0.25
    assert values["held_out/accuracy"] > 0.75 and values["held_out/log_loss"] < 0.55 < 0.65
    assert values["held_out/accuracy_low"] < values["held_out/accuracy"] < values["held_out/accuracy_high"]
    assert values["held_out/calibration_error"] < 0.12 and 0.5 < values["held_out/temperature"] < 2.0
    assert values["held_out/no_better_than_length"] == 0.0
    assert len(metrics(events, "held_out/accuracy")) >= 4, "at least each quarter of an epoch"
    assert metrics(events, "train/loss")[0][1] > metrics(events, "train/loss")[-1][1]
    about = json.loads((one.output / "podium.json").read_text())
    assert about["kind"] == "reward_model" and about["backbone_sha256"] == digest_of(base)
    assert sorted(os.listdir(one.output))[:1] == ["adapter"] and not (one.output / "model.safetensors").exists()

    # what the service keeps: every completion's score in log-odds, which is (score - offset) / gain
    written = [json.loads(line) for line in (one.output / "scores.jsonl").read_text().splitlines()]
    assert {row["completion"] for row in written} == {f"{number}{i}" for number in range(110) for i in range(4)}
    kept = {row["completion"]: row["score"] for row in written}
    scaled = [(score - about["offset"]) / about["gain"] for score in scores_of(base, one.output)]
    assert [kept[f"{number}{i}"] for number in range(50, 110) for i in range(4)] == pytest.approx(scaled, abs=1e-3)

    # the head's scale: mean 0, deviation 1 on what it was set by, in this process and in another one
    scores = scores_of(base, one.output)
    assert abs(np.mean(scores)) < 0.1 and abs(np.std(scores) - 1) < 0.1
    code = (
        "import json, sys; from pathlib import Path; from tests.workers.training.test_reward_model import scores_of;"
        "print(json.dumps(scores_of(Path(sys.argv[1]), Path(sys.argv[2]))))"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", code, str(base), str(one.output)], capture_output=True, check=True, env=environment
    )
    assert json.loads(answer.stdout) == pytest.approx(scores, abs=1e-6)


def scores_of(base, folder) -> list[float]:
    """Scores of the training completions by a reward model on disk."""
    torch.set_num_threads(1)
    backbone = Backbone.load(base, device=CPU, dtype=torch.float32)
    scorer = RewardModel.load(backbone, folder, tokens_per_microbatch=4096)
    codec = Codec(backbone.tokenizer)
    encoded = []
    for row in groups(110, held_out=50, noise=0.7)[50:]:
        group = RewardGroup.model_validate(row)
        encoded += [codec.encode_demonstration(group.prompt, completion.text) for completion in group.completions]
    kept = [one for one in encoded if one is not None]
    return [float(s) for s in scorer([one.ids for one in kept], [one.prompt_length for one in kept])]


@pytest.mark.parametrize("family", FAMILIES)
def test_eight_prompts_are_learnt_by_heart(base, tmp_path, family) -> None:
    backbone = fresh(base, family)
    rows = groups(8, judgments=1)
    for row in rows:
        for outcome in row["outcomes"]:
            worth = [row["completions"][outcome[side]]["reward"] for side in "ab"]
            outcome["score"] = float(worth[0] > worth[1])
    task, some = task_of(backbone, rows, centre_coefficient=0.0)
    named = [(str(number), p) for number, p in enumerate([*backbone.parameters_of("reward"), *task.head.parameters()])]
    one = replace(job_of(task.config), folder=tmp_path)
    events = list(Loop(one, task.config, task, Plan(8, 8, 30.0, None, 0), named).run())
    losses = metrics(events, "train/loss")
    assert losses[-1][1] < 0.1 < 0.5 < losses[0][1]
    assert task.measure(some)["accuracy"] == 1.0


def test_a_reward_model_of_another_backbone_is_refused(base, tmp_path) -> None:
    one, _ = trained(tmp_path, base, groups(8), max_steps=1)
    folder = tmp_path / "other"
    texts = write(folder / "texts.jsonl", [{"text": text} for text in sentences(50)])
    list(pretrain.train(job(folder, "pretrain", SHAPE | {"max_steps": 1, "held_out_share": 0.0}, texts=texts)))
    other = Backbone.load(folder / "output", device=CPU, dtype=torch.float32)
    with pytest.raises(Conflict):
        RewardModel.load(other, one.output, tokens_per_microbatch=64)


@pytest.mark.parametrize("loss", ["elo_regression", "mixed"])
def test_ratings_teach_their_differences_in_log_odds(base, tmp_path, loss) -> None:
    """Whatever a prompt's answers share is ignored; the slope of ratings on scores is 1, so that sigmoid of a
    difference of scores is Elo's expected score."""
    rows = groups(80, held_out=20, noise=0.5 if loss == "mixed" else 1.0)
    if loss == "mixed":  # people who answer exactly as the ratings say
        for row in rows:
            for outcome in row["outcomes"]:
                a, b = (row["completions"][outcome[side]]["reward"] * 2.0 for side in "ab")
                outcome["score"] = 1 / (1 + math.exp(b - a))
    one, events = trained(tmp_path, base, rows, loss=loss, epochs=16.0, learning_rate=5e-3, centre_coefficient=0.0)
    values = result(events)
    assert values["held_out/regression_slope"] == pytest.approx(1.0, abs=0.05)
    about = json.loads((one.output / "podium.json").read_text())
    backbone = Backbone.load(base, device=CPU, dtype=torch.float32)
    scorer = RewardModel.load(backbone, one.output, tokens_per_microbatch=4096)
    codec = Codec(backbone.tokenizer)
    prompt = [ChatMessage(role="user", content="What colour is number 5?")]
    encoded = [codec.encode_demonstration(prompt, f"It is {colour}.") for colour in COLOURS]
    kept = [e for e in encoded if e is not None]
    score = scorer([e.ids for e in kept], [e.prompt_length for e in kept]).double() / about["gain"]
    worth = torch.tensor([WORTH[colour] for colour in COLOURS], dtype=torch.float64)
    expected = torch.sigmoid(worth[:, None] - worth[None, :])
    found = torch.sigmoid(score[:, None] - score[None, :])
    assert float((expected - found).abs().max()) < 0.04


def test_shuffled_labels_teach_nothing(base, tmp_path) -> None:
    rows = groups(240, held_out=120, shuffled=True, judgments=4)
    values = result(trained(tmp_path, base, rows)[1])
    assert abs(values["held_out/accuracy"] - 0.5) < 0.05
    assert values["held_out/accuracy_low"] < 0.5 < values["held_out/accuracy_high"]


def test_nothing_to_learn_is_said(base, tmp_path) -> None:
    with pytest.raises(Invalid, match="nothing to learn from: of 3 prompts 3 are held out"):
        trained(tmp_path / "a", base, groups(3, held_out=3))
    silent = [row | {"outcomes": []} for row in groups(3)]
    with pytest.raises(Invalid, match="Collect more judgments"):
        trained(tmp_path / "b", base, silent)
    values = result(trained(tmp_path / "c", base, silent, loss="elo_regression")[1])
    assert values["train/prompts"] == 3.0 and "held_out/accuracy" not in values


def test_batches_number_completions_through() -> None:
    some = [
        Group(
            (),
            [*"ab"],
            [Document([3] * n, ()) for n in (5, 9)],
            [5, 9],
            [(0, 1.0, 1.0), (1, -1.0, 2.0)],
            [(0, 1, 1.0, 0.5)],
        ),
        Group((), [*"cde"], [Document([4] * n, ()) for n in (7, 2, 30)], [7, 2, 30], [], [(2, 0, 0.5, 1.0)]),
    ]
    batch = batch_of(some)
    assert batch.group_of.tolist() == [0, 0, 1, 1, 1]
    assert (batch.pair_a.tolist(), batch.pair_b.tolist()) == ([0, 4], [1, 2])
    assert batch.rewarded.tolist() == [0, 1]
    lengths = [len(document.ids) for group in some for document in group.documents]
    assert [int(batch.packed.positions[0, end]) + 1 for end in batch.packed.ends] == lengths
    assert batch.packed.ids[0, batch.packed.ends].tolist() == [3, 3, 4, 4, 4]
