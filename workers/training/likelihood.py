"""The negative log-likelihood of documents, which is the loss of pretrain and sft, and a `Task` that minimises it.

The projection to the vocabulary runs only where a token is learnt, in chunks whose logits are not kept (as in
`logprobs` where it is frozen; else the backward pass recomputes them). A model that trains all its weights on a GPU
computes in bfloat16 with float32 weights.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from workers.training.backbone import Backbone
from workers.training.budget import OUT_OF_MEMORY, TokenBudget
from workers.training.cores import Cores
from workers.training.events import Event, StepMetrics
from workers.training.job import Job, spread
from workers.training.logprobs import state_logprobs
from workers.training.packing import Document, Packed, microbatches
from workers.training.sharded import Sharded

CHUNK = 4096
WATCHED = 256
"""Held-out documents that are evaluated during training: with thousands of them most of the time would go there."""


class DocumentTask:
    """Minimises the loss of documents' learnt tokens, with one adapter or all weights; evaluates held-out ones."""

    def __init__(
        self,
        job: Job,
        backbone: Backbone,
        documents: Sequence[Document],
        held_out: Sequence[Document],
        *,
        adapter: str | None,
        samples: Callable[[int], Iterator[Event]],
        tokens_per_microbatch: int,
        sharded: Sharded | None = None,
    ) -> None:
        """sharded: the model, where several ranks train all weights."""
        self.job, self.sharded = job, sharded
        self.cores = Cores() if sharded else backbone.cores
        self.backbone, self.documents, self.adapter, self.samples = backbone, documents, adapter, samples
        self.items = len(documents)
        self.budget = TokenBudget(tokens_per_microbatch)
        self._held_out, self._watched = held_out, spread(held_out, WATCHED)

    def plan(self, items: Sequence[int], tokens_per_microbatch: int) -> list[Packed]:
        return list(microbatches([self.documents[item] for item in items], tokens_per_microbatch, self.cores.count))

    def weight(self, batch: Packed) -> float:
        return float(batch.learnt_tokens)

    def tokens(self, batch: Packed) -> int:
        return batch.tokens

    def loss(self, batch: Packed) -> tuple[Tensor, dict[str, tuple[float, float]]]:
        def work() -> Tensor:
            with self.backbone.precision(self.adapter), self.backbone.role(self.adapter):
                return negative_log_likelihood(self.backbone, batch)

        return (self.sharded(work) if self.sharded else work()), {}

    def evaluate(self, step: int) -> Iterator[Event]:
        if self.sharded:
            yield from self.sharded.unsharded(lambda: list(self._evaluate(step)))
        else:
            yield from self._evaluate(step)

    def _evaluate(self, step: int) -> Iterator[Event]:
        if self._watched:
            yield StepMetrics(step, self._held_out_numbers(self._watched))
        yield from self.samples(step)

    def measure(self) -> dict[str, float]:
        """The metrics over all held-out documents; empty if training evaluated all of them anyway."""
        if len(self._held_out) == len(self._watched):
            return {}
        if self.sharded:
            return self.sharded.unsharded(lambda: self._held_out_numbers(self._held_out))
        return self._held_out_numbers(self._held_out)

    @torch.no_grad()
    def _held_out_numbers(self, documents: Sequence[Document]) -> dict[str, float]:
        """Nats per learnt token of these documents."""

        def work(batch: Packed) -> float:
            self.job.look_up()
            with self.backbone.precision(self.adapter), self.backbone.role(self.adapter):
                return float(negative_log_likelihood(self.backbone, batch))

        batches = list(microbatches(documents, self.budget.tokens, self.cores.count))
        with self.job.ranks.alike(*OUT_OF_MEMORY):
            total = sum(self.cores.map(work, batches))
        tokens = sum(document.learnt_tokens for document in documents)
        loss = total / max(1, tokens)
        return {
            "held_out/loss": loss,
            "held_out/perplexity": math.exp(min(loss, 700.0)),
            "held_out/tokens": float(tokens),
        }


def negative_log_likelihood(backbone: Backbone, batch: Packed) -> Tensor:
    """-sum log p(token | the tokens before it in its document) over the learnt tokens, float32, under the adapter that
    is on.
    """
    device = backbone.device
    ids = batch.ids.to(device)
    learnt = batch.learnt[0].nonzero().squeeze(1).to(device)
    states, tokens = backbone.packed_hidden_states(batch, learnt - 1), ids[0, learnt]
    if backbone.frozen_head is not None:
        return -state_logprobs(backbone, states, tokens)[0].sum()
    if tokens.shape[0] <= CHUNK:
        return _cross_entropy(backbone, states, tokens)
    total = states.new_zeros((), dtype=torch.float32)
    again_in_backward = torch.is_grad_enabled() and states.requires_grad
    for start in range(0, tokens.shape[0], CHUNK):
        part = (backbone, states[start : start + CHUNK], tokens[start : start + CHUNK])
        if again_in_backward:
            total = total + checkpoint(_cross_entropy, *part, use_reentrant=False)
        else:
            total = total + _cross_entropy(*part)
    return total


def _cross_entropy(backbone: Backbone, states: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(backbone.logits(states).float(), tokens, reduction="sum")
