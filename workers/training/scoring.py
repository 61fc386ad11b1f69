"""Scores of whole answers, which PPO maximises; knows no PPO.

A scorer is anything that gives one number for each row of ids; `RewardModel` is the one learnt from people.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from backend.errors import Invalid
from workers.training.backbone import Backbone
from workers.training.batches import Layout, microbatches
from workers.training.budget import OUT_OF_MEMORY
from workers.training.heads import ScalarHead
from workers.training.ranks import ALONE, Ranks
from workers.training.tokens import Codec, Encoded, Message


def scorer_inputs(
    codec: Codec, rows: Sequence[tuple[Sequence[Message], str, bool]], max_tokens: int | None = None
) -> list[Encoded | None]:
    """The one encoding of (prompt, completion, ended) for scoring: prompt, completion, and the terminator unless the
    completion was cut off. None where the completion does not fit.

    Training, evaluation and PPO all read the score at its last token.
    """
    return codec.encode_demonstrations(rows, max_tokens=max_tokens)


Messages = Sequence[Mapping[str, str]]
TextScore = Callable[[Sequence[Messages], Sequence[str]], Sequence[float]]
"""Prompts (as messages) and completions to a number for each pair."""


class Scorer(Protocol):
    """(B,) scores. sequences: prompt and answer ids of each row, with the terminator; prompt_lengths: where each answer
    begins.
    """

    def __call__(self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor: ...


class RewardModel:
    """A scalar head on a backbone, with a reward adapter or with weights of its own (adapter None). The score of a row
    is read at its last token.
    """

    def __init__(
        self, backbone: Backbone, head: ScalarHead, *, adapter: str | None = "reward", tokens_per_microbatch: int
    ) -> None:
        self.backbone, self.head, self.adapter = backbone, head.requires_grad_(False), adapter
        self.tokens_per_microbatch = tokens_per_microbatch
        self.look_up: Callable[[], object] = lambda: None
        """Called before each micro-batch that is scored; its error ends the scoring."""

    @classmethod
    def load(
        cls, backbone: Backbone, folder: Path, *, adapter: str = "reward", tokens_per_microbatch: int
    ) -> "RewardModel":
        """Refuses a reward model that was trained on another backbone."""
        backbone.load_adapter(adapter, folder / "adapter")
        head = ScalarHead.load(folder, device=backbone.device)
        return cls(backbone, head, adapter=adapter, tokens_per_microbatch=tokens_per_microbatch)

    @classmethod
    def load_whole(
        cls, folder: Path, *, device: torch.device, dtype: torch.dtype, tokens_per_microbatch: int
    ) -> "RewardModel":
        """A reward model that trained all its weights (`is_whole`), which brings its backbone."""
        backbone = Backbone.load(folder, device=device, dtype=dtype, language_head=False)
        head = ScalarHead.load(folder, device=device)
        return cls(backbone, head, adapter=None, tokens_per_microbatch=tokens_per_microbatch)

    @classmethod
    def load_alone(
        cls,
        folder: Path,
        backbone: Path | None,
        *,
        device: torch.device,
        dtype: torch.dtype,
        tokens_per_microbatch: int,
    ) -> "RewardModel":
        """A reward model of either kind on a backbone of its own; `backbone` is the folder of an adapter's model."""
        if is_whole(folder) or backbone is None:
            return cls.load_whole(folder, device=device, dtype=dtype, tokens_per_microbatch=tokens_per_microbatch)
        loaded = Backbone.load(backbone, device=device, dtype=dtype)
        return cls.load(loaded, folder, tokens_per_microbatch=tokens_per_microbatch)

    def tensors(self) -> dict[str, Tensor]:
        """Everything the scores depend on, except the backbone under an adapter."""
        mine = (
            self.backbone.model.state_dict() if self.adapter is None else self.backbone.adapters[self.adapter].tensors()
        )
        return {**mine, **self.head.state_dict()}

    @torch.no_grad()
    def read(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """The scores (b,) of the rows, and the hidden states (N, d) before each answer token, which a linear critic
        predicts returns from.
        """
        backbone, unfinished = self.backbone, len(layout.before)
        self._check_length(layout.ids.shape[1])
        with backbone.role(self.adapter):
            if layout.packed is not None:
                at = torch.cat((layout.before, layout.packed.ends))
                states = backbone.packed_hidden_states(layout.packed, at)
                return self.head(states[unfinished:]), states[:unfinished]
            hidden = backbone.hidden_states(layout.ids)
        return self.head(last_states(hidden, layout.mask)), hidden.flatten(0, 1).index_select(0, layout.before)

    @torch.no_grad()
    def __call__(self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        """(B,) float32 on the backbone's device, with the head's gain and offset."""
        scores = torch.zeros(len(sequences), device=self.backbone.device)
        lengths = [len(sequence) for sequence in sequences]
        backbone = self.backbone
        self._check_length(max(lengths, default=0))

        def work(rows: list[int]) -> None:
            self.look_up()
            layout = Layout.of(rows, sequences, prompt_lengths, pad_id=backbone.pad_id, device=backbone.device)
            with backbone.role(self.adapter):
                if layout.packed is not None:
                    states = backbone.packed_hidden_states(layout.packed, layout.packed.ends)
                else:
                    states = last_states(backbone.hidden_states(layout.ids), layout.mask)
            scores[rows] = self.head(states)

        backbone.cores.map(work, microbatches(lengths, range(len(sequences)), self.tokens_per_microbatch, backbone))
        return scores

    def _check_length(self, longest: int) -> None:
        """Prompts were cut to the policy's positions; a reward model with weights of its own may have fewer."""
        limit = self.backbone.max_positions
        if limit is not None and longest > limit:
            raise Invalid(
                f"A prompt and its answer have {longest} tokens together, but the reward model reads {limit}: ask "
                "for fewer new tokens, or leave long prompts out."
            )


def is_whole(folder: Path) -> bool:
    """Whether the reward model in a folder has weights of its own, rather than an adapter."""
    return (folder / "config.json").is_file()


class Reader:
    """A reward model that is given texts and encodes them itself: their writer may have another tokenizer."""

    def __init__(self, model: RewardModel) -> None:
        self.model, self._codec = model, Codec(model.backbone.tokenizer)
        self._known: dict[Encoded, float] = {}

    def __call__(
        self, prompts: Sequence[Sequence[Message]], texts: Sequence[str], ended: Sequence[bool]
    ) -> list[float]:
        """A score for each answer; an answer that has not `ended` was cut off. Raises Invalid if one is too long.

        Equal answers to equal prompts get equal scores to the last bit, which in different batches they might not.
        """
        limit = self.model.backbone.max_positions
        encoded = scorer_inputs(self._codec, list(zip(prompts, texts, ended, strict=True)), limit)
        fitting = [one for one in encoded if one is not None]
        if len(fitting) < len(encoded):
            raise Invalid(f"An answer is longer than the {limit} tokens that the reward model can read.")
        new = [one for one in dict.fromkeys(fitting) if one not in self._known]
        scores = self.model([one.ids for one in new], [one.prompt_length for one in new]).tolist()
        self._known |= zip(new, scores, strict=True)
        return [self._known[one] for one in fitting]


class OnTexts:
    """A scorer of texts as a `Scorer`, with scores on a device. messages: the prompts by their ids."""

    def __init__(
        self,
        score: TextScore,
        codec: Codec,
        messages: Mapping[tuple[int, ...], Messages],
        device: torch.device | None = None,
    ) -> None:
        self._score, self._codec, self._messages, self._device = score, codec, messages, device

    def __call__(self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]) -> Tensor:
        rows = list(zip(sequences, prompt_lengths, strict=True))
        if not rows:
            return torch.zeros(0, device=self._device)
        prompts = [self._messages[tuple(row[:length])] for row, length in rows]
        scores = self._score(prompts, [self._codec.decode(row[length:]) for row, length in rows])
        return torch.tensor(scores, device=self._device)


def scores_among(
    ranks: Ranks, scorer: Scorer, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
) -> Tensor:
    """(B,) float32 on the CPU; each rank asks the scorer for its share of the rows."""
    mine = ranks.share(range(len(sequences)))
    with ranks.alike(*OUT_OF_MEMORY):
        scores = scorer([sequences[row] for row in mine], [prompt_lengths[row] for row in mine]).float().cpu()
    return scores if ranks.world == 1 else torch.tensor(ranks.joined(scores.tolist()))


class Weighted(NamedTuple):
    """A scorer and its weight in the sum."""

    weight: float
    scorer: Scorer


class Rewards:
    """The weighted sum of several scorers, which is maximised, and the scores of each for the record."""

    def __init__(self, parts: Mapping[str, Weighted]) -> None:
        self.parts = dict(parts)

    @property
    def models(self) -> Iterator[RewardModel]:
        """The scorers that are reward models."""
        return (part.scorer for part in self.parts.values() if isinstance(part.scorer, RewardModel))

    def __call__(
        self,
        sequences: Sequence[Sequence[int]],
        prompt_lengths: Sequence[int],
        ranks: Ranks = ALONE,
        *,
        known: Mapping[Scorer, Tensor] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum (B,) and the unweighted scores (B,) by name, on the CPU. known: those already computed."""
        known = known or {}
        found = {
            name: known[part.scorer].float().cpu()
            if part.scorer in known
            else scores_among(ranks, part.scorer, sequences, prompt_lengths)
            for name, part in self.parts.items()
        }
        return torch.stack([found[name] * part.weight for name, part in self.parts.items()]).sum(0), found


def last_states(hidden: Tensor, mask: Tensor) -> Tensor:
    """(b, S, d) to (b, d): the state at the last token of each row of right-padded rows."""
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), mask.sum(1) - 1]
