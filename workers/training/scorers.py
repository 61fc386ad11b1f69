"""Who scores the answers of a run of PPO: the reward model, further scorers, and the judge, from the run's folder."""

from collections.abc import Iterable, Mapping, Sequence

from backend.domain.training import PPOConfig
from backend.errors import Conflict
from workers import scorers
from workers.training.backbone import Backbone
from workers.training.job import Job
from workers.training.output import read_podium_json
from workers.training.scoring import OnTexts, RewardModel, Rewards, Scorer, Weighted, is_whole
from workers.training.tokens import Codec

REWARD_MODEL, JUDGE = "reward_model", "judge"

Prompts = Iterable[tuple[Sequence[int], Sequence[Mapping[str, str]]]]
"""Prompts as ids and as messages."""


def rewards(job: Job, backbone: Backbone, codec: Codec, prompts: Prompts) -> Rewards:
    """What the config maximises."""
    config = job.config
    assert isinstance(config, PPOConfig)
    messages = {tuple(ids): said for ids, said in prompts}
    parts = {REWARD_MODEL: Weighted(config.reward_model_weight, _reward_model(job, backbone, codec, REWARD_MODEL))}
    for one in config.scorers:
        if one.role == "reward":
            parts[one.name] = Weighted(one.weight, OnTexts(scorers.load(one), codec, messages))
    return Rewards(parts)


def judge(job: Job, backbone: Backbone, codec: Codec, prompts: Prompts) -> Scorer:
    """The independent eye of the config: a second reward model, or a scorer."""
    config = job.config
    assert isinstance(config, PPOConfig)
    if config.judge:
        return _reward_model(job, backbone, codec, JUDGE)
    chosen = next(one for one in config.scorers if one.role == "judge")
    return OnTexts(scorers.load(chosen), codec, {tuple(ids): said for ids, said in prompts})


def _reward_model(job: Job, backbone: Backbone, codec: Codec, role: str) -> RewardModel:
    config = job.config
    assert isinstance(config, PPOConfig)
    folder = job.path(role)
    if read_podium_json(folder).get("template_sha256", codec.template_sha256) != codec.template_sha256:
        raise Conflict(
            f"The {role.replace('_', ' ')} was trained with another chat template than the model has; train it again."
        )
    if not is_whole(folder):
        return RewardModel.load(backbone, folder, adapter=role, tokens_per_microbatch=config.tokens_per_microbatch)
    model = RewardModel.load_whole(
        folder, device=job.device, dtype=job.dtype, tokens_per_microbatch=config.tokens_per_microbatch
    )
    if model.backbone.tokenizer.get_vocab() != backbone.tokenizer.get_vocab():
        raise Conflict(
            f"The {role.replace('_', ' ')} reads other tokens than the model writes: train one from a model with the "
            "same tokenizer.",
            role,
        )
    return model
