"""The scorers of a run, from its config and inputs: the reward model, further scorers, and PPO's judge."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from backend.domain.training import PPOConfig, SFTConfig
from backend.domain.training_rows import ChatMessage
from backend.errors import Conflict
from workers import scorers
from workers.training.backbone import Backbone
from workers.training.budget import OUT_OF_MEMORY
from workers.training.job import Job
from workers.training.output import read_podium_json
from workers.training.scoring import OnTexts, Reader, RewardModel, Rewards, Scorer, Weighted, is_whole
from workers.training.tokens import Codec

REWARD_MODEL, JUDGE = "reward_model", "judge"

Prompts = Iterable[tuple[Sequence[int], Sequence[Mapping[str, str]]]]
"""Prompts as ids and as messages."""


def rewards(job: Job, backbone: Backbone, codec: Codec, prompts: Prompts) -> Rewards:
    """What a run of PPO maximises."""
    config = job.config
    assert isinstance(config, PPOConfig)
    messages = {tuple(ids): said for ids, said in prompts}
    parts = {REWARD_MODEL: Weighted(config.reward_model_weight, _reward_model(job, backbone, codec, REWARD_MODEL))}
    for one in config.scorers:
        if one.role == "reward":
            parts[one.name] = Weighted(
                one.weight, OnTexts(scorers.load(one, job.look_up), codec, messages, backbone.device)
            )
    return Rewards(parts)


def judge(job: Job, backbone: Backbone, codec: Codec, prompts: Prompts) -> Scorer:
    """The judge of a run of PPO: a second reward model, or a scorer."""
    config = job.config
    assert isinstance(config, PPOConfig)
    if config.judge:
        return _reward_model(job, backbone, codec, JUDGE)
    chosen = next(one for one in config.scorers if one.role == "judge")
    return OnTexts(
        scorers.load(chosen, job.look_up), codec, {tuple(ids): said for ids, said in prompts}, backbone.device
    )


def doubts(job: Job) -> Iterator[tuple[str, str]]:
    """Warnings that were given of the run's reward models when they were trained: which of them, and a sentence."""
    for name in (REWARD_MODEL, JUDGE):
        folder = job.optional_path(name)
        if folder is not None and (said := read_podium_json(folder).get("doubt")):
            yield name, said


class Liking:
    """The scores of a fine-tuning run's answers by its reward model and scorers."""

    def __init__(self, job: Job, backbone: Backbone | None) -> None:
        """backbone: the one that is trained, if only an adapter of it is."""
        config = job.config
        assert isinstance(config, SFTConfig)
        self._ranks, self._weight = job.ranks, config.reward_model_weight
        self._reader = reward_reader(job, backbone, tokens_per_microbatch=1) if config.reward_model else None
        self._others = {one.name: (one.weight, scorers.load(one, job.look_up)) for one in config.scorers}

    def means(
        self, prompts: Sequence[Sequence[ChatMessage]], answered: Sequence[tuple[str, bool]], tokens: int
    ) -> dict[str, float]:
        """The mean score by each scorer, and their weighted sum. answered: the text of an answer to each prompt, and
        whether it ended. tokens: how many are computed at once. Each rank scores its share.
        """
        mine = self._ranks.share(range(len(prompts)))
        texts, ended = [answered[place][0] for place in mine], [answered[place][1] for place in mine]
        found: dict[str, tuple[float, Sequence[float]]] = {}
        asked = [[message.model_dump() for message in prompts[place]] for place in mine]
        with self._ranks.alike(*OUT_OF_MEMORY):
            if self._reader is not None:
                self._reader.model.tokens_per_microbatch = tokens
                read = [text.strip() for text in texts]  # as people see answers
                found[REWARD_MODEL] = (self._weight, self._reader([prompts[place] for place in mine], read, ended))
            for name, (weight, score) in self._others.items():
                found[name] = (weight, score(asked, texts) if mine else [])
        means = {name: fmean(self._ranks.joined(scores)) for name, (_, scores) in found.items()}
        if not means:
            return {}
        total = sum(weight * means[name] for name, (weight, _) in found.items())
        return {f"samples/score_of_{name}": mean for name, mean in means.items()} | {"samples/score": total}


def reward_reader(job: Job, beside: Backbone | None = None, *, tokens_per_microbatch: int) -> Reader:
    """The run's reward model, for answers as texts. An adapter on the weights of `beside` shares them; any other brings
    its own.
    """
    folder = job.path(REWARD_MODEL)
    if beside is not None and read_podium_json(folder).get("backbone_sha256") == beside.digest():
        model = RewardModel.load(beside, folder, adapter=REWARD_MODEL, tokens_per_microbatch=tokens_per_microbatch)
    else:
        own = job.optional_path(f"{REWARD_MODEL}_backbone")
        model = RewardModel.load_alone(
            folder, own, device=job.device, dtype=job.dtype, tokens_per_microbatch=tokens_per_microbatch
        )
    _check_template(folder, Codec(model.backbone.tokenizer), REWARD_MODEL)
    model.look_up = job.look_up
    return Reader(model)


def _reward_model(job: Job, backbone: Backbone, codec: Codec, role: str) -> RewardModel:
    config = job.config
    assert isinstance(config, PPOConfig)
    folder = job.path(role)
    _check_template(folder, codec, role)
    tokens = config.tokens_per_microbatch
    if is_whole(folder):
        model = RewardModel.load_whole(folder, device=job.device, dtype=job.dtype, tokens_per_microbatch=tokens)
    else:
        model = RewardModel.load(backbone, folder, adapter=role, tokens_per_microbatch=tokens)
    model.look_up = job.look_up
    if model.backbone.tokenizer.get_vocab() != backbone.tokenizer.get_vocab():
        raise Conflict(
            f"The {role.replace('_', ' ')} reads other tokens than the model writes: train one from a model with the "
            "same tokenizer.",
            role,
        )
    return model


def _check_template(folder: Path, codec: Codec, role: str) -> None:
    if read_podium_json(folder).get("template_sha256", codec.template_sha256) != codec.template_sha256:
        raise Conflict(
            f"The {role.replace('_', ' ')} was trained with another chat template than the model has; train it again."
        )
