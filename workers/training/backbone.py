"""One frozen causal language model, its tokenizer, and named adapters and scalar heads on it; knows no method and no
data.

Every role of RLHF (policy, value, reward) is an adapter on the same frozen weights, and the reference is the model
with all adapters off. Whoever trains a role goes forward and backward inside `role(name)` and steps only
`parameters_of(name)`.
"""

import copy
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.cache_utils import Cache, DynamicCache
from transformers.utils import logging as transformers_logging

from backend.errors import Invalid, NotFound, PodiumError
from workers.training.cores import Cores
from workers.training.fused import fuse
from workers.training.graphs import Graphs
from workers.training.llama import Llama, cached, packed
from workers.training.lora import LoraModel
from workers.training.memory import is_out_of_memory
from workers.training.packing import ATTENTION, Document, Packed, pack

HEAD_FILE = "reward_head.safetensors"
FULL = "full_attention"
_SAME_LOGITS = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.05}

transformers_logging.disable_progress_bar()


class Backbone:
    """`hidden_states` and `logits` see the adapter that `role` switched on; outside of `role` all adapters are off.

    A model that was read without its language head has no `logits`.
    """

    def __init__(self, model: Any, tokenizer: Any, *, digest: str = "") -> None:
        """`digest` identifies the stored weights (see `load`)."""
        self.model = model
        self.tokenizer = tokenizer
        self.device: torch.device = next(model.parameters()).device
        self.dtype: torch.dtype = next(model.parameters()).dtype
        self.cores = Cores.of(self.device)
        self.graphs = Graphs.of(self.device)
        text_config = model.config.get_text_config()
        self.hidden_size: int = text_config.hidden_size
        self._head: nn.Module | None = model.get_output_embeddings()
        self.vocabulary_size: int = (self._head or model.get_input_embeddings()).weight.shape[0]
        self.layers: int = text_config.num_hidden_layers
        self.max_positions: int | None = getattr(text_config, "max_position_embeddings", None)
        self.stored_config = copy.deepcopy(model.config)
        self._softcap: float | None = getattr(text_config, "final_logit_softcapping", None)
        self._trunk: nn.Module = model.base_model
        self._digest = digest or fingerprint(model)
        _no_dropout(model)
        model.eval()
        fuse(model)
        if model.config._attn_implementation == "sdpa":
            model.set_attn_implementation(ATTENTION)
        self._packs: bool | None = None
        self._takes_masks: bool | None = None
        self.adapters = LoraModel(model, never=[self._head] if self._head else [])
        self.llama = Llama.of(self._trunk, self.adapters.factors)
        self.stop_ids: tuple[int, ...] = _stop_ids(model, tokenizer)
        rows = model.get_input_embeddings().weight.shape[0]
        self.pad_id: int = _pad_id(tokenizer, self.stop_ids, rows)
        _check_embedded(tokenizer, rows)
        self._wide = self._knows_wide_products()
        if self._head is not None:
            self._check_logits()

    @classmethod
    def load(cls, folder: Path, *, device: torch.device, dtype: torch.dtype, language_head: bool = True) -> "Backbone":
        """From a transformers folder with safetensors weights. Nothing is downloaded, no code from the folder runs.

        Without `language_head` only what gives hidden states is read: all that a reward model needs.
        """
        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise NotFound(f"There is no model in {folder}: config.json is missing.")
        try:
            digest = digest_of(folder)
            model, tokenizer = _read(folder, dtype, AutoModelForCausalLM if language_head else AutoModel)
        except (PodiumError, MemoryError, torch.OutOfMemoryError):
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
            if is_out_of_memory(error):
                raise
            first = str(error).strip().split("\n")[0]
            raise Invalid(
                f"The model in {folder} cannot be read; is it whole? {type(error).__name__}: {first}"
            ) from error
        return cls(model.to(device), tokenizer, digest=digest)

    def digest(self) -> str:
        """The sha256 of the weights as stored: the same whatever device and precision they were loaded in."""
        return self._digest

    def fingerprint(self) -> str:
        """The sha256 of the weights as they are in memory now: equal before and after, or something trained what is
        frozen.
        """
        return fingerprint(self.model)

    # -- adapters -------------------------------------------------------------------------------------------------

    def add_adapter(
        self, name: str, *, rank: int, alpha: float, targets: str | Sequence[str] = "all-linear", seed: int
    ) -> None:
        self.adapters.add(name, rank=rank, alpha=alpha, targets=targets, seed=seed)

    def load_adapter(self, name: str, folder: Path) -> None:
        """Refuses an adapter that was trained on other weights."""
        self.adapters.load(name, Path(folder), expect={"backbone_sha256": self._digest})

    def save_adapter(self, name: str, folder: Path, *, base: str | None = None) -> None:
        """In peft's format, with the digest of this backbone in the header; `base` names the model it is for."""
        about = {"backbone_sha256": self._digest, "role": name}
        self.adapters.save(name, Path(folder), about=about, base=base)

    def copy_adapter(self, source: str, target: str) -> None:
        self.adapters.copy(source, target)

    def parameters_of(self, name: str) -> list[nn.Parameter]:
        """The trainable tensors of one adapter, always the same ones in the same order."""
        return self.adapters[name].parameters()

    @contextmanager
    def role(self, name: str | None) -> Iterator[None]:
        """Within: the adapter `name`, or with None the reference (all adapters off). An error restores what was on
        before.
        """
        with self.adapters.on(name):
            yield

    def precision(self, adapter: str | None) -> AbstractContextManager[object]:
        """Within, what trains `adapter` computes, or with None all weights: a GPU then multiplies in bfloat16."""
        if adapter is None and self.dtype == torch.float32 and self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    # -- forward --------------------------------------------------------------------------------------------------

    def hidden_states(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Last hidden states (B, S, d) of ids (B, S); mask (B, S) is 1 on tokens and 0 on padding, on whichever side.
        None says that all padding stands behind the tokens: to look would be to wait for a GPU.

        Positions count the tokens of a row, so padding moves nothing. What stands at padded places is undefined.
        """
        if self.max_positions is not None and ids.shape[1] > self.max_positions:
            raise Invalid(
                f"A sequence of {ids.shape[1]} tokens is longer than the {self.max_positions} positions of this model."
            )
        if mask is None or is_right_padded(mask):
            # Padding behind the last token is never looked at by a causal model: no mask is needed, and attention
            # takes its fast path.
            out = self._trunk(input_ids=ids, use_cache=False)
        else:
            out = self._trunk(input_ids=ids, attention_mask=mask, position_ids=positions_of(mask), use_cache=False)
        return out.last_hidden_state  # type: ignore[no-any-return]

    def packed_hidden_states(self, batch: Packed, at: Tensor | None = None) -> Tensor:
        """As `hidden_states` for a row of documents that see nothing of one another: (T, d), or of those the ones `at`
        some places.
        """
        if self._packs is None:
            self._packs = self._packs_documents()
        at = None if at is None else at.to(self.device)
        if self._packs:
            return self._packed_hidden_states(batch, at)
        states = self._unpacked_hidden_states(batch)
        return states if at is None else states.index_select(0, at)

    def _packed_hidden_states(self, batch: Packed, at: Tensor | None = None) -> Tensor:
        if self.llama:
            return self.llama.states(batch.ids[0], batch.positions[0], packed(batch.segments), at)
        out = self._trunk(
            input_ids=batch.ids.to(self.device),
            position_ids=batch.positions.to(self.device),
            # Four dimensions tell transformers that the mask is made already; ours comes from the segments.
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.device),
            segments=batch.segments,
            use_cache=False,
        )
        states: Tensor = out.last_hidden_state[0]
        return states if at is None else states.index_select(0, at)

    def _unpacked_hidden_states(self, batch: Packed) -> Tensor:
        """The same from a padded batch, for architectures that do not hand segments on to their attention."""
        ids = batch.ids[0].tolist()
        rows = [
            ids[batch.segments[s.owner].start : batch.segments[s.owner].start + s.prefix] + ids[s.start : s.end]
            for s in batch.segments
        ]
        width = max(map(len, rows))
        padded = torch.tensor([row + [self.pad_id] * (width - len(row)) for row in rows], device=self.device)
        lengths = torch.tensor([[len(row)] for row in rows], device=self.device)
        hidden = self.hidden_states(padded, torch.arange(width, device=self.device) < lengths)
        return torch.cat(
            [hidden[i, s.prefix : len(row)] for i, (s, row) in enumerate(zip(batch.segments, rows, strict=True))]
        )

    @torch.no_grad()
    def _packs_documents(self) -> bool:
        """Whether this architecture computes packed documents as it does alone ones: tried, not believed."""
        some = [token % self.vocabulary_size for token in range(3, 15)]
        batch = pack([[Document(some[:5]), Document([*some[:3], *some[7:9]])], [Document(some[4:])]])
        try:
            gap = self._packed_hidden_states(batch) - self._unpacked_hidden_states(batch)
        except (TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return False
        return float(gap.abs().max()) <= _SAME_LOGITS.get(self.dtype, 0.1)

    def cached_hidden_states(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache) -> Tensor:
        """The last hidden state (B, d) of each row after ids (B, n) that go on where `cache` ends, which takes them
        up. mask (B, past + n), None without padding; n is 1 but for the first ids.
        """
        if self.llama:
            last = torch.arange(1, ids.shape[0] + 1) * ids.shape[1] - 1
            return self.llama.states(ids.flatten(), positions.flatten(), cached(cache, ids.shape, mask), last, few=True)
        if mask is not None and self.takes_made_masks:
            mask = hidden_by(mask, ids.shape[1], self.dtype)
        return self._cached_hidden_states(ids, mask, positions, cache)

    def _cached_hidden_states(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache) -> Tensor:
        out = self._trunk(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return out.last_hidden_state[:, -1]  # type: ignore[no-any-return]

    @property
    def takes_made_masks(self) -> bool:
        """Whether a mask alone says what is seen of a cache: it may then be wider than what was written."""
        if self.llama:
            return True
        if self._takes_masks is None:
            self._takes_masks = self._takes_made_masks()
        return self._takes_masks

    @property
    def is_quantised(self) -> bool:
        return bool(getattr(self.model, "is_quantized", False))

    def same_states(self, mine: Tensor, theirs: Tensor) -> bool:
        """Whether states (B, d) are the same but for rounding: on average over the rows, by their size."""
        gap = (mine - theirs).float().norm(dim=-1) / theirs.float().norm(dim=-1)
        return float(gap.mean()) <= _SAME_LOGITS.get(self.dtype, 0.1)

    @torch.no_grad()
    def _takes_made_masks(self) -> bool:
        """Whether this architecture can be given what `hidden_by` makes of a mask: tried, not believed. From a mask
        that says which tokens there are, transformers makes one for each token anew, and waits for a GPU to see whether
        it is needed; some look only at those nearby, or read the mask themselves.
        """
        config = self.model.config.get_text_config()
        if getattr(config, "sliding_window", None) or {*(getattr(config, "layer_types", None) or [])} - {FULL}:
            return False
        ids = torch.arange(3, 9, device=self.device).remainder(self.vocabulary_size).view(2, 3)
        mask = torch.tensor([[1, 1, 1], [0, 0, 1]], device=self.device)
        found = []
        try:
            for made in (mask, hidden_by(mask, 3, self.dtype)):
                cache = DynamicCache()
                first = self._cached_hidden_states(ids, made, positions_of(mask), cache)
                more = torch.nn.functional.pad(mask, (0, 1), value=1)
                made = more if made is mask else hidden_by(more, 1, self.dtype)
                found.append((first, self._cached_hidden_states(ids[:, :1], made, positions_of(more)[:, 3:], cache)))
        except (AttributeError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return False
        gap = (torch.cat(found[0]) - torch.cat(found[1])).abs().max()
        return float(gap) <= _SAME_LOGITS.get(self.dtype, 0.1)

    @property
    def frozen_head(self) -> Tensor | None:
        """The (V, d) matrix that logits are the product with, where they are that alone and it is not trained."""
        weight = self._plain_head
        return None if weight is None or weight.requires_grad else weight

    @property
    def _plain_head(self) -> Tensor | None:
        head = self._head
        plain = isinstance(head, nn.Linear) and getattr(head, "bias", None) is None and not self._softcap
        weight = head.weight if plain and head is not None else None
        return weight if isinstance(weight, Tensor) else None

    @torch.no_grad()
    def _knows_wide_products(self) -> bool:
        """Whether logits can be had in float32 from a model of half the precision: on CUDA they can."""
        weight = self._plain_head
        if weight is None or weight.dtype == torch.float32:
            return False
        with suppress(NotImplementedError, TypeError, RuntimeError):
            return _wide_product(weight[:1], weight[:1].t()).dtype == torch.float32
        return False

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., d) to (..., V) in the precision of the model or better; give it only the positions that are needed."""
        assert self._head is not None, "this model was read without its language head"
        weight = self._plain_head
        if self._wide and weight is not None and hidden.dtype == weight.dtype:
            return _WideLogits.apply(hidden, weight)  # type: ignore[no-any-return,no-untyped-call]
        logits: Tensor = self._head(hidden)
        if self._softcap:
            logits = torch.tanh(logits / self._softcap) * self._softcap
        return logits

    @torch.no_grad()
    def _check_logits(self) -> None:
        """Some architectures scale their logits after the head: better refused here than trained wrongly."""
        ids = torch.arange(1, 5, device=self.device).remainder(self.vocabulary_size).unsqueeze(0)
        mine = self.logits(self.hidden_states(ids, torch.ones_like(ids))).float()
        theirs = self.model(input_ids=ids, use_cache=False).logits.float()
        gap = float((mine - theirs).abs().max())
        if not gap <= _SAME_LOGITS.get(self.dtype, 0.1) * max(1.0, float(theirs.abs().max())):
            kind = type(self.model).__name__
            raise Invalid(
                f"{kind} does not compute its logits as head(last hidden state); it cannot be trained here yet."
            )

    # -- files ----------------------------------------------------------------------------------------------------

    def save_merged(self, name: str | None, folder: Path, weights: dict[str, Tensor] | None = None) -> None:
        """The model with this adapter folded in (None: as it is), as a plain transformers folder with tokenizer and
        chat template. `weights`: its state, where the model itself holds only a part of it.
        """
        folder = Path(folder)
        state: dict[str, Tensor] = dict(weights or self.model.state_dict())
        if name is not None:
            for path, weight in self.adapters.merged_weights(name):
                weight = weight.cpu()  # a device may not have room for the model twice
                state[f"{path}.weight"] = weight.t().contiguous() if self.adapters.is_transposed(path) else weight
        config = self.model.config
        self.model.config = self.stored_config  # with the dropout rates it came with
        try:
            self.model.save_pretrained(folder, state_dict=state)
        finally:
            self.model.config = config
        self.tokenizer.save_pretrained(folder)


class ScalarHead(nn.Module):
    """One number from a hidden state: gain * (w h + b) + offset, in float32.

    Starts at N(0, 1 / sqrt(d + 1)) and b = 0 (Ziegler et al. 2019, arXiv:1909.08593), or at zero for a critic. `gain`
    and `offset` are set once after training, so that the scores of the base model's own samples have mean 0 and
    deviation 1, and are saved with it.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    gain: Tensor
    offset: Tensor

    def __init__(self, hidden_size: int, *, seed: int = 0, zero: bool = False) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        weight = torch.randn(1, hidden_size, generator=draw) / math.sqrt(hidden_size + 1)
        self.weight = nn.Parameter(torch.zeros_like(weight) if zero else weight)
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., d) of any precision to (...) in float32."""
        raw = nn.functional.linear(hidden.float(), self.weight, self.bias).squeeze(-1)
        return raw * self.gain + self.offset

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """`weights`: its state, where the head itself holds only a part of it."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        state = weights or self.state_dict()
        save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, Path(folder) / HEAD_FILE)

    @classmethod
    def load(cls, folder: Path, *, device: torch.device) -> "ScalarHead":
        path = Path(folder) / HEAD_FILE
        if not path.is_file():
            raise NotFound(f"There is no reward model in {folder}: {HEAD_FILE} is missing.")
        tensors = load_file(path)
        head = cls(tensors["weight"].shape[1], zero=True)
        head.load_state_dict(tensors)
        return head.to(device)

    def copy(self) -> "ScalarHead":
        """The same numbers in tensors of their own (a critic that starts as the reward model)."""
        return copy.deepcopy(self)


def _read(folder: Path, dtype: torch.dtype, kind: Any) -> tuple[Any, Any]:
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
    """As it was made. Of a Qwen2 transformers builds one of that family's kind from whatever is in the folder: one that
    was made otherwise would then make no tokens of any text, and a run would learn from nothing.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    plain = set(range(min(len(tokenizer), 256))) - set(tokenizer.all_special_ids)
    words = (tokenizer.decode([token]) for token in sorted(plain))
    if plain and not any(tokenizer(word, add_special_tokens=False)["input_ids"] for word in words):
        with suppress(OSError):  # nothing else is there
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    return tokenizer


def hidden_by(mask: Tensor, new: int, dtype: torch.dtype) -> Tensor:
    """What is added to attention's products (B, 1, new, past + new) so that the last `new` of all places see no padding
    and nothing after them, from a mask (B, past + new). Padding sees itself, or it would have nothing to see. Its rows
    stand apart as attention on a GPU wants them, which else would copy it in every layer.
    """
    width = mask.shape[1]
    seen = mask[:, None, None, :].bool()
    if new > 1:
        places = torch.arange(width, device=mask.device)
        rows = places[-new:, None]
        seen = (seen & (places <= rows)) | (places == rows)
    hidden = torch.zeros(len(mask), 1, new, -(-width // 16) * 16, dtype=dtype, device=mask.device)[..., :width]
    return hidden.masked_fill_(~seen, -torch.inf)


def _wide_product(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b, out_dtype=torch.float32)


class _WideLogits(torch.autograd.Function):
    """Products of half the precision as they were added up, in float32: rounded to bfloat16, logits around 20 are known
    to 0.06 and so is every log-probability.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        rows = hidden.reshape(-1, hidden.shape[-1])
        return _wide_product(rows, weight.t()).view(*hidden.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        hidden, weight = ctx.saved_tensors
        grad = grads[0].to(weight.dtype)
        d_weight = grad.flatten(0, -2).t() @ hidden.flatten(0, -2) if ctx.needs_input_grad[1] else None
        return grad @ weight if ctx.needs_input_grad[0] else None, d_weight


def positions_of(mask: Tensor) -> Tensor:
    """Position of each token among the tokens of its row; 0 on padding before the first."""
    return (mask.long().cumsum(-1) - 1).clamp_(min=0)


def is_right_padded(mask: Tensor) -> bool:
    """Whether in every row all tokens stand before all padding."""
    return mask.shape[1] < 2 or bool((mask[:, :-1] >= mask[:, 1:]).all())


def fingerprint(model: nn.Module) -> str:
    """sha256 over the names, shapes and bytes of all tensors of a model, in memory."""
    return sha256_of(sorted(model.state_dict().items()))


def digest_of(folder: Path) -> str:
    """sha256 over the names, shapes and bytes of the weights stored in a transformers folder (sharded or not)."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        files = ["model.safetensors"]
    places: list[tuple[str, Path]] = []
    for file in files:
        if not (folder / file).is_file():
            raise NotFound(
                f"There are no weights in {folder}: {file} is missing. Save the model with safetensors first."
            )
        with safe_open(folder / file, framework="pt") as opened:
            places += [(key, folder / file) for key in opened.keys()]  # noqa: SIM118

    def tensors() -> Iterator[tuple[str, Tensor]]:
        for path in sorted({place for _, place in places}):
            with safe_open(path, framework="pt") as opened:
                for key in sorted(opened.keys()):
                    yield key, opened.get_tensor(key)

    return sha256_of(tensors())


def sha256_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over names, shapes and bytes, in the order given."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _no_dropout(model: Any) -> None:
    """Old and new log-probabilities are compared, so no forward may be random: not in modules, not in functional
    attention dropout.
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


def _stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends an answer: the tokenizer's end of text and what the model's generation settings add (end
    of turn).
    """
    found: list[int] = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    given = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    for token in given if isinstance(given, (list, tuple)) else [given]:
        if token is not None and int(token) not in found:
            found.append(int(token))
    if not found:
        raise Invalid("The tokenizer has no end-of-text token: answers could never end.")
    return tuple(found)


def _check_embedded(tokenizer: Any, rows: int) -> None:
    """Tokens that were added for a chat template, to a tokenizer alone, have no embeddings: no row is made up here."""
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


def _pad_id(tokenizer: Any, stop_ids: tuple[int, ...], rows: int) -> int:
    """What fills masked places. Masks come from lengths, never from comparing ids, so a tokenizer without padding of
    its own gets any token that does not end an answer; padding with the end of text is what makes other trainers
    forget it.
    """
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in stop_ids and tokenizer.pad_token_id < rows:
        return int(tokenizer.pad_token_id)
    return next(token for token in range(len(stop_ids) + 1) if token not in stop_ids)
