"""Text to token ids and back: the one set of rules that every stage shares; knows no model and no method.

- A prompt is rendered by the tokenizer's chat template with its generation prompt, or without a template as the plain
  text of the messages after the tokenizer's own beginning-of-text token (exactly one).
- A completion is encoded apart from its prompt and the ids are joined: the boundary between them is an index that no
  merge can cross. Special tokens that are spelt out in a completion's text are letters, not tokens.
- A completion that ended is followed by the terminator: the token that the template writes after an assistant's turn,
  else the end of text. It is always learnt, never cut off, and is where the reward model reads its score.
- Padding is known from lengths. No id is ever compared with the padding id, so a tokenizer that pads with its end of
  text does no harm; tokenizers made here have a padding token of their own.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from backend.errors import Invalid

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = ("system", "user", "assistant")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_PROBE = "\u241fprobe\u241f"


class Message(Protocol):
    """A chat message, as the rows of `backend.domain.training_rows` carry it."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt and its completion as ids. `learnt` holds the spans [start, end) of ids whose prediction is trained."""

    ids: tuple[int, ...]
    prompt_length: int
    learnt: tuple[tuple[int, int], ...]

    @property
    def completion_length(self) -> int:
        return len(self.ids) - self.prompt_length


class Codec:
    """The encoding of one tokenizer. Cheap to make; two made from the same files encode alike."""

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise Invalid("The tokenizer has no end-of-text token, so an answer could never end. Set its eos_token.")
        self.tokenizer = tokenizer
        self.has_template = bool(getattr(tokenizer, "chat_template", None))
        self.template_sha256 = template_sha256(tokenizer)
        self.terminator: int = self._terminator()

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        """Ids of everything before the answer; never empty."""
        return self.encode_prompts([messages])[0]

    def encode_prompts(self, prompts: Iterable[Sequence[Message]]) -> list[list[int]]:
        """The same of many, which is faster than of each alone."""
        if not self.has_template:
            plain = ["\n".join(message.content for message in messages) for messages in prompts]
            return [self._begin(ids) for ids in self._encode(plain, special=False)]
        return self._encode([self._render(messages, open_answer=True) for messages in prompts], special=True)

    def encode_completion(self, text: str, *, ended: bool = True) -> list[int]:
        """Ids of an answer, with the terminator unless it was cut off."""
        return self._closed(self._encode([text], special=False)[0], ended)

    def fit_prompt(self, ids: Sequence[int], room: int) -> list[int]:
        """A prompt of at most `room` tokens: it loses its oldest ones, but keeps its beginning of text."""
        if len(ids) <= room:
            return list(ids)
        if room < 1:
            raise Invalid("There is no room for a prompt: ask for fewer new tokens, or allow longer sequences.")
        kept = int(room > 1 and ids[0] == self.tokenizer.bos_token_id)
        return [*ids[:kept], *ids[len(ids) - room + kept :]]

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of whole documents for a language model: beginning, text, end.

        Here special tokens that are spelt out are tokens: a document is how a corpus holds dialogues,
        "<|user|>a question<|end|><|assistant|>an answer<|end|>".
        """
        end = int(self.tokenizer.eos_token_id)
        begun = [self._begin(ids) for ids in self._encode(texts, special=True)]
        return [ids if ids[-1] == end else [*ids, end] for ids in begun]

    def encode_demonstration(
        self,
        prompt: Sequence[Message],
        completion: str,
        *,
        ended: bool = True,
        max_tokens: int | None = None,
        earlier_answers: bool = False,
    ) -> Encoded | None:
        """A single one, as in `encode_demonstrations`."""
        rows = [(prompt, completion, ended)]
        return self.encode_demonstrations(rows, max_tokens=max_tokens, earlier_answers=earlier_answers)[0]

    def encode_demonstrations(
        self,
        rows: Sequence[tuple[Sequence[Message], str, bool]],
        *,
        max_tokens: int | None = None,
        earlier_answers: bool = False,
    ) -> list[Encoded | None]:
        """Rows of prompt, completion and whether that ended, with the completions as learnt spans, and if asked the
        assistant turns inside prompts too.

        If a row is longer than `max_tokens` its prompt loses its oldest tokens (not the beginning of text). None if the
        completion and one token before it do not fit: a completion is never cut.
        """
        answers = self._encode([completion for _, completion, _ in rows], special=False)
        befores = self.encode_prompts(prompt for prompt, _, _ in rows)
        return [
            self._joined(
                before,
                self._closed(answer, ended),
                self._earlier_answers(prompt, before) if earlier_answers else [],
                max_tokens,
            )
            for (prompt, _, ended), before, answer in zip(rows, befores, answers, strict=True)
        ]

    def _joined(
        self, before: list[int], answer: list[int], spans: list[tuple[int, int]], max_tokens: int | None
    ) -> Encoded | None:
        if max_tokens is not None and (excess := len(before) + len(answer) - max_tokens) > 0:
            kept = int(before[0] == self.tokenizer.bos_token_id)
            if len(before) - excess < kept + 1:
                return None
            before = self.fit_prompt(before, len(before) - excess)
            spans = [(start - excess, end - excess) for start, end in spans if start - excess > kept]
        ids = (*before, *answer)
        return Encoded(ids, len(before), (*spans, (len(before), len(ids))))

    def stop_ids(self, others: Sequence[int]) -> tuple[int, ...]:
        """Everything that ends an answer: the terminator and what else the model is known to end with."""
        return tuple(dict.fromkeys((self.terminator, *others)))

    def decode(self, ids: Sequence[int]) -> str:
        """Text for people: without special tokens, and byte for byte what was encoded."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each token by itself, special tokens by their names."""
        return [self.tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in ids]

    def _encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Many texts at once are encoded on all cores, outside of Python's lock."""
        if not texts:
            return []
        found = self.tokenizer(
            list(texts), add_special_tokens=False, split_special_tokens=not special, return_attention_mask=False
        )
        return [[int(token) for token in ids] for ids in found["input_ids"]]

    def _closed(self, ids: list[int], ended: bool) -> list[int]:
        return [*ids, self.terminator] if ended else ids

    def _begin(self, ids: list[int]) -> list[int]:
        """With the beginning of text if the tokenizer itself adds one; an empty text gets some token in any case."""
        begin = self.tokenizer.bos_token_id
        if begin is not None and int(begin) in self._opening:
            return ids if ids[:1] == [begin] else [int(begin), *ids]
        return ids or [int(self.tokenizer.eos_token_id)]

    @cached_property
    def _opening(self) -> list[int]:
        return list(self.tokenizer("", add_special_tokens=True)["input_ids"])

    def _render(self, messages: Sequence[Message], *, open_answer: bool) -> str:
        plain = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return str(self.tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=open_answer))
        except Exception as error:  # whatever the template's author raises: alternation of roles, no system turn, ...
            raise Invalid(f"The model's chat template refuses this prompt: {error}") from error

    def _earlier_answers(self, messages: Sequence[Message], whole: Sequence[int]) -> list[tuple[int, int]]:
        """Spans of the assistant turns inside a prompt, terminators included."""
        spans: list[tuple[int, int]] = []
        if not self.has_template:
            return spans
        for place, message in enumerate(messages):
            if message.role != "assistant":
                continue
            start = len(self.encode_prompt(messages[:place]))
            end = len(self._encode([self._render(messages[: place + 1], open_answer=False)], special=True)[0])
            while end > start and whole[end - 1] != self.terminator:
                end -= 1  # what a template writes after the terminator (a line break, say) is not part of the turn
            if list(whole[start:end]) != self.encode_completion(message.content):
                raise Invalid(
                    "The model's chat template rewrites earlier answers; set train_on_earlier_answers to false."
                )
            spans.append((start, end))
        return spans

    def _terminator(self) -> int:
        """The first special token that the template writes after an assistant's turn, else the end of text."""
        end = int(self.tokenizer.eos_token_id)
        if not self.has_template:
            return end
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        try:
            rendered = str(self.tokenizer.apply_chat_template(turns, tokenize=False))
        except Exception as error:
            raise Invalid(f"The model's chat template cannot render a question and an answer: {error}") from error
        behind = rendered.rpartition(_PROBE)[2]
        special = set(self.tokenizer.all_special_ids) | set(self.tokenizer.added_tokens_decoder)
        return next((token for token in self._encode([behind], special=True)[0] if token in special), end)


def template_sha256(tokenizer: Any) -> str:
    """Identifies how prompts become ids beyond the vocabulary; equal for all models that come from one another."""
    template = getattr(tokenizer, "chat_template", None) or ""
    return hashlib.sha256(str(template).encode()).hexdigest()


def train_tokenizer(
    texts: Iterable[str], *, vocabulary_size: int, context_tokens: int, chat_template: bool
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer (no text is unknown to it) with padding, beginning, end and role tokens of its own."""
    special = [PAD, BEGIN, END, *(f"<|{role}|>" for role in ROLES)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        additional_special_tokens=[f"<|{role}|>" for role in ROLES],
        model_max_length=context_tokens,
        clean_up_tokenization_spaces=False,
    )
    if chat_template:
        fast.chat_template = CHAT_TEMPLATE
    return fast
