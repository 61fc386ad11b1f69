"""Pretraining: a tokenizer and a causal language model from plain documents, or more training of a given model.

Documents are cut into pieces of the model's context and packed; every token but a piece's first is learnt. What is held
out is chosen by the text's hash.

Metrics: those of `supervised` (`train/loss` in nats per token), `held_out/loss`, `held_out/perplexity`,
`held_out/tokens`.
Result: `held_out/loss`, `train/documents`, `train/tokens`, `train/steps`, `train/skipped_steps`, `model/parameters`,
`tokenizer/size`, `train/kept_step` (the step after which the weights were what is saved).
"""

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from backend.domain.digests import digest
from backend.domain.rewards import split
from backend.domain.training import PretrainConfig
from backend.domain.training_rows import TextRow
from backend.errors import Invalid
from workers.training.backbone import Backbone
from workers.training.budget import OUT_OF_MEMORY
from workers.training.events import Event, Progress, Result, Sample
from workers.training.generation import Sampling, generate
from workers.training.job import Job
from workers.training.likelihood import DocumentTask
from workers.training.output import save_language_model
from workers.training.packing import Document, compact
from workers.training.sharded import shard
from workers.training.supervised import Loop, Plan
from workers.training.tokens import Codec, train_tokenizer

MOST_HELD_OUT = 256
SAMPLES = 3
SAMPLE_TOKENS = 48


def train(job: Job) -> Generator[Event, None, None]:
    """The whole run; ends without a `Result` when it was asked to stop."""
    config = job.config
    assert isinstance(config, PretrainConfig)
    texts = list(dict.fromkeys(row.text for row in job.rows("texts", TextRow) if row.text.strip()))
    if not texts:
        raise Invalid("There are no documents to learn from. Import documents into the project first.")
    sides = [split(digest(text), config.held_out_share) for text in texts]
    kept_out = [text for text, side in zip(texts, sides, strict=True) if side == "held_out"][:MOST_HELD_OUT]
    used = [text for text, side in zip(texts, sides, strict=True) if side == "train"] or texts

    if config.model is None:
        yield Progress(0, None, "tokenizer")
        tokenizer = _tokenizer(job, config, used)
        backbone = Backbone(new_model(config, tokenizer, job.seed).to(job.device), tokenizer)
    else:
        yield Progress(0, None, "load")
        backbone = Backbone.load(job.path("model"), device=job.device, dtype=torch.float32)
    backbone.model.requires_grad_(True)
    sharded = shard(backbone, job.ranks)
    codec = Codec(backbone.tokenizer)
    limit = backbone.max_positions or config.context_tokens

    def cut(some: Sequence[str]) -> list[Document]:
        return [piece for ids in codec.encode_texts(some) for piece in pieces(ids, limit)]

    documents = yield from job.each(used, cut, "encode")
    measured = cut(kept_out)

    def samples(step: int) -> Iterator[Event]:
        return _samples(job, backbone, codec, kept_out or used, limit, step)

    task = DocumentTask(
        job,
        backbone,
        documents,
        measured,
        adapter=None,
        samples=samples,
        tokens_per_microbatch=config.tokens_per_microbatch,
        sharded=sharded,
    )
    plan = Plan(len(documents), config.texts_per_step, config.epochs, config.max_steps, job.seed)
    loop = Loop(job, config, task, plan, list(backbone.model.named_parameters()))
    if not (yield from loop.run()):
        return
    yield Progress(plan.steps, plan.steps, "measure")
    seen = loop.kept.seen | task.budget.attempt(task.measure)
    yield Progress(plan.steps, plan.steps, "save")
    save_language_model(job, backbone, codec, adapter=None, parent=backbone.digest() if config.model else None)
    yield Result(
        {name: value for name, value in seen.items() if name == "held_out/loss"}
        | {
            "train/kept_step": float(loop.kept.step),
            "train/documents": float(len(used)),
            "train/tokens": float(sum(len(document.ids) for document in documents)),
            "train/steps": float(plan.steps),
            "train/skipped_steps": float(loop.skipped),
            "model/parameters": float(sum(p.numel() for p in backbone.model.parameters())),
            "tokenizer/size": float(len(backbone.tokenizer)),
        }
    )


def pieces(ids: Sequence[int], limit: int) -> Iterator[Document]:
    """A text as documents no longer than the model's context; every token but the first of a piece is learnt."""
    for start in range(0, len(ids), limit):
        piece = compact(ids[start : start + limit])
        if len(piece) > 1:
            yield Document(piece, ((1, len(piece)),))


def new_model(config: PretrainConfig, tokenizer: Any, seed: int) -> Any:
    """A model of the asked shape with random weights.

    They are drawn with deviation 1 / sqrt(width): the usual constant 0.02 suits a width of 2,500, and makes the
    attention of a narrow model so faint that it hardly learns to look back. What writes into the residual stream is
    smaller by 1 / sqrt(2 layers) (Radford et al. 2019).
    """
    torch.manual_seed(seed)
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": config.hidden_size**-0.5,
    }
    if config.architecture == "gpt2":
        shape = GPT2Config(
            n_embd=config.hidden_size,
            n_layer=config.layers,
            n_head=config.heads,
            n_inner=config.feed_forward_size,
            n_positions=config.context_tokens,
            **common,
        )
        return GPT2LMHeadModel(shape)  # which makes its residual writers smaller by itself
    inner = config.feed_forward_size or -(-8 * config.hidden_size // (3 * 8)) * 8
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            intermediate_size=inner,
            max_position_embeddings=config.context_tokens,
            **common,
        )
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_((2 * config.layers) ** -0.5)
    return model


def _tokenizer(job: Job, config: PretrainConfig, texts: Sequence[str]) -> Any:
    """Trained once a run: a later attempt goes on with the same one."""
    folder = job.folder / "tokenizer"
    with job.ranks.first_before_others():
        if not folder.is_dir():
            tokenizer = train_tokenizer(
                texts,
                vocabulary_size=config.vocabulary_size,
                context_tokens=config.context_tokens,
                chat_template=config.chat_template,
            )
            partial = Path(f"{folder}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            tokenizer.save_pretrained(partial)
            for path in partial.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            os.replace(partial, folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _samples(
    job: Job, backbone: Backbone, codec: Codec, texts: Sequence[str], limit: int, step: int
) -> Iterator[Event]:
    """The beginnings of some texts, continued."""
    begun = codec.encode_texts(texts[:SAMPLES])
    begun = [ids[: max(1, min(len(ids) // 3, limit // 2))] for ids in begun]
    new = max(1, min(SAMPLE_TOKENS, limit // 2))
    keys = [(job.seed, 0, place) for place in range(len(begun))]
    with job.ranks.alike(*OUT_OF_MEMORY):
        answers = generate(backbone, begun, Sampling(new), keys=keys, before_each_token=job.look_up)
    for ids, answer in zip(begun, answers, strict=True):
        start = {"role": "user", "content": codec.decode(ids)}
        yield Sample(step, [start], codec.decode(answer.ids), {"tokens": float(len(answer.ids))})
