"""A transformers folder as model and tokenizer, and what must be settled before either is used: dropout off, which
tokens end an answer, and which fills padding. Knows no adapter and no method.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from backend.errors import Invalid


def read_model(folder: Path, dtype: torch.dtype, kind: Any) -> tuple[Any, Any]:
    """Model and tokenizer of a folder, or an error: weights that are missing are not made up."""
    tokenizer = _tokenizer(folder)
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    model, found = kind.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    if missing := sorted(found["missing_keys"]):
        raise Invalid(f"The model in {folder} lacks {len(missing)} of its weights, {missing[0]} among them.")
    return model, tokenizer


def _tokenizer(folder: Path) -> Any:
    """The tokenizer as it was made. For a Qwen2 transformers builds that family's own kind from whatever is in the
    folder; a tokenizer of another kind would then give no tokens for any text, and a run would learn from nothing.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    plain = set(range(min(len(tokenizer), 256))) - set(tokenizer.all_special_ids)
    words = (tokenizer.decode([token]) for token in sorted(plain))
    if plain and not any(tokenizer(word, add_special_tokens=False)["input_ids"] for word in words):
        with suppress(OSError):  # nothing else is there
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    return tokenizer


def no_dropout(model: Any) -> None:
    """Turn dropout off, in modules and in functional attention: old and new log-probabilities are compared, so no
    forward pass may be random.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in vars(module).items():
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)
    for config in {id(c): c for c in (model.config, model.config.get_text_config())}.values():
        for name, value in list(vars(config).items()):
            if "drop" in name and isinstance(value, float):
                setattr(config, name, 0.0)


def stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends an answer: the tokenizer's end of text, and those that the model's generation config adds
    (end of turn).
    """
    found: list[int] = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    given = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    for token in given if isinstance(given, (list, tuple)) else [given]:
        if token is not None and int(token) not in found:
            found.append(int(token))
    if not found:
        raise Invalid("The tokenizer has no end-of-text token: answers could never end.")
    return tuple(found)


def check_embedded(tokenizer: Any, rows: int) -> None:
    """Refuses a tokenizer with tokens that the model has no embedding for, such as a chat template's."""
    used = [token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id) if token]
    if getattr(tokenizer, "chat_template", None):
        with suppress(Exception):  # a template may refuse any dialogue; it is asked again where one is encoded
            question = [{"role": "user", "content": ""}]
            text = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
            used += tokenizer(text, add_special_tokens=False)["input_ids"]
    if used and (highest := max(used)) >= rows:
        raise Invalid(
            f"The tokenizer writes {tokenizer.convert_ids_to_tokens(highest)!r}, which the model has no embedding of: "
            "resize the model's embeddings and save both together."
        )


def pad_id(tokenizer: Any, stop_ids: tuple[int, ...], rows: int) -> int:
    """The token that fills padding. Masks come from lengths, never from comparing ids, so for a tokenizer that has none
    any token will do that does not end an answer.
    """
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in stop_ids and tokenizer.pad_token_id < rows:
        return int(tokenizer.pad_token_id)
    return next(token for token in range(len(stop_ids) + 1) if token not in stop_ids)
