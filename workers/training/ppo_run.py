"""A run of PPO: from a job to the events that tell how it goes, its saved state, and the policy in `output/`. What is
learnt and how is in `ppo`.
"""

import time
from collections.abc import Generator, Mapping, Sequence

from backend.domain.training import PPOConfig
from backend.domain.training.ppo import CRITIC_NOT_COPIED
from backend.domain.training_rows import PromptRow
from backend.errors import Conflict, Invalid
from workers.training import reports, scorers
from workers.training import state as saved_state
from workers.training.backbone import Backbone
from workers.training.digests import sha256_of
from workers.training.engine import Engine
from workers.training.events import Event, Progress, Result, StateSaved, StepMetrics, Warned
from workers.training.job import Job
from workers.training.judge import Judge
from workers.training.output import save_language_model
from workers.training.ppo import PPO
from workers.training.ranks import Stopped
from workers.training.tokens import Codec


def train(job: Job) -> Generator[Event, None, None]:
    """The whole run: every iteration's numbers and some of its answers, and at the end the policy in `output/`.

    The result's numbers are of fresh answers by the final policy (`end/...`) beside those of the first iteration,
    whose policy still was the reference (`start/...`).
    """
    config = job.config
    assert isinstance(config, PPOConfig)
    yield Progress(0, None, "load")
    backbone = Backbone.load(job.path("model"), device=job.device, dtype=job.dtype)
    codec = Codec(backbone.tokenizer)
    rows = job.rows("prompts", PromptRow)

    def encode(some: Sequence[PromptRow]) -> list[list[int]]:
        """A prompt that leaves no room for an answer loses its oldest tokens."""
        room = (backbone.max_positions or 2**31) - config.max_new_tokens
        return [codec.fit_prompt(ids, room) for ids in codec.encode_prompts(row.prompt for row in some)]

    prompts = yield from job.each(rows, encode, "encode")
    messages = [_messages(row) for row in rows]
    judge_rows = job.rows("judge_prompts", PromptRow) if "judge_prompts" in job.inputs else []
    if "judge_prompts" in job.inputs and not judge_rows:
        raise Invalid("The judge has no prompts: none of the project's is held out. Add prompts, or leave it out.")
    judge_messages = [_messages(row) for row in judge_rows]
    judge_prompts = encode(judge_rows)
    # The rewards see the answers to both: the judge's are held against them.
    asked = list(zip([*prompts, *judge_prompts], [*messages, *judge_messages], strict=True))
    judge = scorers.judge(job, backbone, codec, asked) if judge_rows else None
    ppo = PPO(
        config,
        backbone,
        scorers.rewards(job, backbone, codec, asked),
        prompts,
        seed=job.seed,
        stop_ids=codec.stop_ids(backbone.stop_ids),
        judge=Judge(judge, judge_prompts, config.judge_every_iterations, job.ranks) if judge else None,
        engine=_engine(job, backbone, prompts),
        ranks=job.ranks,
        should_stop=job.should_stop,
    )
    try:
        yield from _run(job, config, ppo, codec, messages)
    finally:
        if ppo.engine:
            ppo.engine.close()


def _run(
    job: Job, config: PPOConfig, ppo: PPO, codec: Codec, messages: Sequence[Sequence[Mapping[str, str]]]
) -> Generator[Event, None, None]:
    """From the saved state, or the start, to the end."""
    frozen = ppo.frozen()
    start: dict[str, float] = {}
    if (saved := saved_state.load(job.state)) is not None:
        ppo.restore(saved.tensors, saved.scalars)
        start = saved.scalars["start"]

    def save() -> StateSaved:
        tensors, scalars = ppo.state()
        job.ranks.check_same(sha256_of(tensors.items()) if job.ranks.world > 1 else "")
        if job.ranks.first:
            saved_state.save(job.state, tensors, scalars | {"start": start})
        return StateSaved(ppo.iteration)

    if ppo.roles.copy_failed:
        yield Warned(0, "value_init", CRITIC_NOT_COPIED)
    for name, said in scorers.doubts(job):
        yield Warned(0, name, f"The {name.replace('_', ' ')} was doubted when it was trained. {said}")
    last_saved = time.monotonic()
    while not ppo.done:
        yield Progress(ppo.iteration, config.iterations, "train")
        try:
            values, batch = ppo.iterate()
        except Stopped:
            yield save()
            return
        found = reports.metrics(batch, values)
        start = start or {name: found[name] for name in reports.RESULT_NAMES}
        yield StepMetrics(ppo.iteration, found)
        yield from ppo.budget.warnings(ppo.iteration)
        if ppo.backbone.graphs:
            yield from ppo.backbone.graphs.warnings(ppo.iteration)
        for finding in ppo.watch.findings:
            yield Warned(ppo.iteration, finding.rule, finding.sentence)
        asked = [messages[index] for index in batch.source[: config.shown_samples]]
        yield from reports.samples(batch, ppo.iteration, codec, asked)
        # At the end too: whatever keeps the policy from being stored, nothing is trained again.
        if job.ranks.any(ppo.done or time.monotonic() - last_saved >= config.save_every_s):
            yield save()
            last_saved = time.monotonic()

    yield Progress(ppo.iteration, config.iterations, "save")
    if ppo.frozen() != frozen:
        raise Conflict("Training changed weights that must not change; its policy was not saved.")
    try:
        end = ppo.end()
    except Stopped:
        return  # saved it is already
    best = ppo.watch.best
    for finding in ppo.watch.findings:
        yield Warned(ppo.iteration, finding.rule, finding.sentence)
    yield from ppo.budget.warnings(ppo.iteration)
    save_language_model(job, ppo.backbone, codec, adapter="policy", parent=ppo.backbone.digest())
    yield Result(
        {f"start/{name.split('/')[1]}": value for name, value in start.items()}
        | {f"end/{name.split('/')[1]}": end[name] for name in reports.RESULT_NAMES}
        | {"iterations": float(ppo.iteration), "saved_iteration": float(ppo.watch.saved(ppo.iteration))}
        | {"stopped_early": float(bool(ppo.watch.stopped))}
        | ({"judge/score": best[0], "judge/best_iteration": float(best[1])} if best else {})
    )


def _messages(row: PromptRow) -> list[dict[str, str]]:
    return [{"role": part.role, "content": part.content} for part in row.prompt]


def _engine(job: Job, backbone: Backbone, prompts: Sequence[list[int]]) -> Engine | None:
    config = job.config
    assert isinstance(config, PPOConfig)
    if config.engine is None:
        return None
    folder = job.folder / "engine"
    return Engine(config.engine, backbone, folder, adapter="policy", prompts=prompts, seed=job.seed, ranks=job.ranks)
