"""Supervised fine-tuning: the model learns to give the demonstrated completions, and to end them.

The loss is -log p of the completions' tokens, terminators included, given what comes before; prompts are not learnt.
It is the mean over all learnt tokens of an optimiser step, whatever the micro-batches (`likelihood`). All weights are
trained, or a low-rank adapter that is merged into the saved model: reward model and PPO then start from a plain model.

Metrics: those of `supervised` (`train/loss` in nats per learnt token), `held_out/loss`, `held_out/perplexity`,
`held_out/tokens`, `samples/ended_share` (answers that end themselves), `samples/tokens` (their mean length) and, with
a reward model or scorers, `samples/score` (the weighted sum) and `samples/score_of_<name>`.
Result: the same of the saved weights, losses over everything held out; `train/kept_step` (the step after which they
were saved), `train/demonstrations`, `train/too_long`, `train/steps`, `train/skipped_steps`.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from statistics import fmean

import torch

from backend.domain.digests import digest
from backend.domain.rewards import split
from backend.domain.training import SFTConfig
from backend.domain.training_rows import DemonstrationRow
from backend.errors import Invalid
from workers.training.backbone import Backbone
from workers.training.budget import OUT_OF_MEMORY
from workers.training.events import Event, Progress, Result, Sample, StepMetrics
from workers.training.generation import Sampling, generate
from workers.training.job import Job
from workers.training.likelihood import DocumentTask
from workers.training.output import save_language_model
from workers.training.packing import Document, compact
from workers.training.scorers import Liking
from workers.training.sharded import shard
from workers.training.supervised import Loop, Plan
from workers.training.tokens import Codec

ADAPTER = "sft"
MOST_SAMPLE_TOKENS = 256


def train(job: Job) -> Generator[Event, None, None]:
    """The whole run; ends without a `Result` when it was asked to stop."""
    config = job.config
    assert isinstance(config, SFTConfig)
    rows = job.rows("demonstrations", DemonstrationRow)
    if not rows:
        raise Invalid(
            "There are no demonstrations to learn from. Import some, or rank completions, and start the run again."
        )

    yield Progress(0, None, "load")
    lora, sharded = config.method == "lora", None
    backbone = Backbone.load(job.path("model"), device=job.device, dtype=job.dtype if lora else torch.float32)
    if lora:
        backbone.add_adapter(ADAPTER, rank=config.lora_rank, alpha=config.lora_alpha, seed=job.seed)
        named = list(zip(backbone.adapters[ADAPTER].tensors(), backbone.parameters_of(ADAPTER), strict=True))
    else:
        backbone.model.requires_grad_(True)
        sharded = shard(backbone, job.ranks)
        named = list(backbone.model.named_parameters())
    adapter = ADAPTER if lora else None

    codec, positions = Codec(backbone.tokenizer), backbone.max_positions or 2**31
    read = yield from _demonstrations(config, job, codec, rows, min(config.max_tokens or 2**31, positions))
    learnt, held_out, shown = read
    too_long = len(rows) - len(learnt) - len(held_out)
    del rows, read  # they may be large, and the run may be long
    longest = max(end - start for document in learnt for start, end in document.learnt[-1:])
    sampling = Sampling(max_new_tokens=min(longest + 1, MOST_SAMPLE_TOKENS, max(1, positions // 2)))

    # A reward model's adapter can share weights that stay frozen, but not weights that are trained.
    liking = Liking(job, backbone if lora else None)

    def score(answered: Sequence[tuple[str, bool]]) -> dict[str, float]:
        return liking.means([row.prompt for row in shown], answered, task.budget.tokens)

    def samples(step: int) -> Iterator[Event]:
        return answer(job, backbone, codec, shown, sampling, adapter=adapter, step=step, limit=positions, score=score)

    task = DocumentTask(
        job,
        backbone,
        learnt,
        held_out,
        adapter=adapter,
        samples=samples,
        tokens_per_microbatch=config.tokens_per_microbatch,
        sharded=sharded,
    )
    plan = Plan(len(learnt), config.demonstrations_per_step, config.epochs, config.max_steps, job.seed)
    loop = Loop(job, config, task, plan, named)
    if not (yield from loop.run()):
        return
    yield Progress(plan.steps, plan.steps, "measure")
    all_held_out = task.budget.attempt(task.measure)
    yield Progress(plan.steps, plan.steps, "save")
    save_language_model(job, backbone, codec, adapter=adapter, parent=backbone.digest())
    yield Result(
        loop.kept.seen
        | all_held_out
        | {
            "train/kept_step": float(loop.kept.step),
            "train/demonstrations": float(len(learnt)),
            "train/too_long": float(too_long),
            "train/steps": float(plan.steps),
            "train/skipped_steps": float(loop.skipped),
        }
    )


def _demonstrations(
    config: SFTConfig, job: Job, codec: Codec, rows: Sequence[DemonstrationRow], limit: int
) -> Generator[Event, None, tuple[list[Document], list[Document], list[DemonstrationRow]]]:
    """The demonstrations that fit, those to learn and those held out, and rows whose held-out prompts are answered at
    each evaluation.
    """

    def encode(some: Sequence[DemonstrationRow]) -> list[Document | None]:
        encoded = codec.encode_demonstrations(
            [(row.prompt, row.completion, True) for row in some],
            max_tokens=limit,
            earlier_answers=config.train_on_earlier_answers,
        )
        return [None if one is None else Document(compact(one.ids), one.learnt) for one in encoded]

    documents = yield from job.each(rows, encode, "encode")
    learnt: list[Document] = []
    held_out: list[Document] = []
    asked: dict[str, DemonstrationRow] = {}
    for row, document in zip(rows, documents, strict=True):
        if document is None:
            continue
        key = digest([turn.model_dump() for turn in row.prompt])
        # A draw of its own: what the project's draw holds out is not among these rows.
        if split(key, config.held_out_share, draw="sft") == "held_out":
            held_out.append(document)
            asked.setdefault(key, row)
        else:
            learnt.append(document)
    if not learnt:
        raise Invalid(
            f"No demonstration is left to learn from: {documents.count(None)} of {len(rows)} are longer than {limit} "
            f"tokens and {len(held_out)} are held out. Raise max_tokens or lower held_out_share."
        )
    return learnt, held_out, list(asked.values())[: config.sample_prompts]


def answer(
    job: Job,
    backbone: Backbone,
    codec: Codec,
    rows: Sequence[DemonstrationRow],
    sampling: Sampling,
    *,
    adapter: str | None,
    step: int,
    limit: int,
    score: Callable[[Sequence[tuple[str, bool]]], dict[str, float]],
) -> Iterator[Event]:
    """The model's answers to some held-out prompts, with the same random numbers at every step. score: metrics of the
    answers, from the text of each and whether it ended.
    """
    if not rows:
        return
    prompts = [codec.fit_prompt(codec.encode_prompt(row.prompt), limit - sampling.max_new_tokens) for row in rows]
    with job.ranks.alike(*OUT_OF_MEMORY):
        answers = generate(
            backbone,
            prompts,
            sampling,
            adapter=adapter,
            keys=[(job.seed, 1, place) for place in range(len(rows))],
            stop_ids=codec.stop_ids(backbone.stop_ids),
            before_each_token=job.look_up,
        )
    ended = [float(one.finish_reason == "stop") for one in answers]
    lengths = [float(len(one.ids)) for one in answers]
    said = [[{"role": message.role, "content": message.content} for message in row.prompt] for row in rows]
    texts = [codec.decode(one.ids) for one in answers]
    about = {"samples/ended_share": fmean(ended), "samples/tokens": fmean(lengths)}
    yield StepMetrics(step, about | score([(text, end > 0) for text, end in zip(texts, ended, strict=True)]))
    for prompt, text, end, length in zip(said, texts, ended, lengths, strict=True):
        yield Sample(step, prompt, text, {"tokens": length, "ended": end})
