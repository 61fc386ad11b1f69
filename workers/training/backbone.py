"""One frozen causal language model with its tokenizer and named LoRA adapters; knows no method and no data.

Every role of RLHF (policy, value, reward) is an adapter on the same frozen weights; the reference is the model with all
adapters off. To train a role, run its forward and backward passes inside `role(name)` and step `parameters_of(name)`.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM
from transformers.cache_utils import Cache, DynamicCache
from transformers.utils import logging as transformers_logging

from backend.errors import Invalid, NotFound, PodiumError
from workers.training.cores import Cores
from workers.training.digests import digest_of, fingerprint
from workers.training.fused import fuse
from workers.training.graphs import Graphs
from workers.training.llama import Llama, cached, packed
from workers.training.lora import LoraModel
from workers.training.masks import additive_mask, is_right_padded, positions_of
from workers.training.memory import is_out_of_memory
from workers.training.model_folders import check_embedded, no_dropout, pad_id, read_model, stop_ids
from workers.training.packing import ATTENTION, Document, Packed, pack

FULL = "full_attention"
_SAME_LOGITS = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.05}

transformers_logging.disable_progress_bar()


class Backbone:
    """`hidden_states` and `logits` use the adapter that `role` switched on; outside `role` all adapters are off.

    A model that was loaded without its language head has no `logits`.
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
        no_dropout(model)
        model.eval()
        fuse(model)
        if model.config._attn_implementation == "sdpa":
            model.set_attn_implementation(ATTENTION)
        self._packs: bool | None = None
        self._takes_masks: bool | None = None
        self.adapters = LoraModel(model, never=[self._head] if self._head else [])
        self.llama = Llama.of(self._trunk, self.adapters.factors)
        self.stop_ids: tuple[int, ...] = stop_ids(model, tokenizer)
        rows = model.get_input_embeddings().weight.shape[0]
        self.pad_id: int = pad_id(tokenizer, self.stop_ids, rows)
        check_embedded(tokenizer, rows)
        self._wide = self._knows_wide_products()
        if self._head is not None:
            self._check_logits()

    @classmethod
    def load(cls, folder: Path, *, device: torch.device, dtype: torch.dtype, language_head: bool = True) -> "Backbone":
        """From a transformers folder with safetensors weights. Nothing is downloaded, and no code in the folder is run.

        Without `language_head` only the part that computes hidden states is loaded, which is all a reward model needs.
        """
        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise NotFound(f"There is no model in {folder}: config.json is missing.")
        try:
            digest = digest_of(folder)
            model, tokenizer = read_model(folder, dtype, AutoModelForCausalLM if language_head else AutoModel)
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
        """The sha256 of the weights as stored: the same for every device and precision."""
        return self._digest

    def fingerprint(self) -> str:
        """The sha256 of the weights in memory now: it must not change while an adapter is trained."""
        return fingerprint(self.model)

    # -- adapters -------------------------------------------------------------------------------------------------

    def add_adapter(self, name: str, *, rank: int, alpha: float, seed: int) -> None:
        """On all linear layers, with no effect yet."""
        self.adapters.add(name, rank=rank, alpha=alpha, seed=seed)

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
        """Within: the adapter `name`, or with None the reference (all adapters off). Afterwards, also after an error,
        what was on before.
        """
        with self.adapters.on(name):
            yield

    def precision(self, adapter: str | None) -> AbstractContextManager[object]:
        """Within: the precision for training `adapter`; with None all weights, which a GPU multiplies in bfloat16."""
        if adapter is None and self.dtype == torch.float32 and self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    # -- forward --------------------------------------------------------------------------------------------------

    def hidden_states(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Last hidden states (B, S, d) of ids (B, S); mask (B, S) is 1 on tokens and 0 on padding, on either side. None
        means that all padding is on the right: to check would be to wait for a GPU.

        Positions count the tokens of a row, so padding shifts nothing. States at padded places are undefined.
        """
        if self.max_positions is not None and ids.shape[1] > self.max_positions:
            raise Invalid(
                f"A sequence of {ids.shape[1]} tokens is longer than the {self.max_positions} positions of this model."
            )
        if mask is None or is_right_padded(mask):
            # Causal attention never sees padding on the right: no mask is needed, and attention takes its fast path.
            out = self._trunk(input_ids=ids, use_cache=False)
        else:
            out = self._trunk(input_ids=ids, attention_mask=mask, position_ids=positions_of(mask), use_cache=False)
        return out.last_hidden_state  # type: ignore[no-any-return]

    def packed_hidden_states(self, batch: Packed, at: Tensor | None = None) -> Tensor:
        """As `hidden_states` for a packed row of documents that do not see each other: (T, d), or (N, d) at the indices
        `at` only.
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
        """The same by way of a padded batch, for architectures that do not pass segments on to their attention."""
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
        """Whether this architecture gives packed documents the states they have alone: tried out on a small batch."""
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
        """The last hidden state (B, d) of each row after ids (B, n), which follow those in `cache` and are added to it.
        mask (B, past + n), None without padding. n is 1 except for the prompts.
        """
        if self.llama:
            last = torch.arange(1, ids.shape[0] + 1) * ids.shape[1] - 1
            return self.llama.states(ids.flatten(), positions.flatten(), cached(cache, ids.shape, mask), last, few=True)
        if mask is not None and self.takes_made_masks:
            mask = additive_mask(mask, ids.shape[1], self.dtype)
        return self._cached_hidden_states(ids, mask, positions, cache)

    def _cached_hidden_states(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache) -> Tensor:
        out = self._trunk(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return out.last_hidden_state[:, -1]  # type: ignore[no-any-return]

    @property
    def takes_made_masks(self) -> bool:
        """Whether a mask alone decides what is seen of a cache, which may then be longer than what was written."""
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
        """Whether this architecture accepts what `additive_mask` makes of a mask: tried out on a small batch. Given the
        mask itself, transformers makes an additive one anew for each token, and waits for a GPU to see whether it is
        needed. Architectures with sliding windows, or that read the mask themselves, do not accept one.
        """
        config = self.model.config.get_text_config()
        if getattr(config, "sliding_window", None) or {*(getattr(config, "layer_types", None) or [])} - {FULL}:
            return False
        ids = torch.arange(3, 9, device=self.device).remainder(self.vocabulary_size).view(2, 3)
        mask = torch.tensor([[1, 1, 1], [0, 0, 1]], device=self.device)
        found = []
        try:
            for made in (mask, additive_mask(mask, 3, self.dtype)):
                cache = DynamicCache()
                first = self._cached_hidden_states(ids, made, positions_of(mask), cache)
                more = torch.nn.functional.pad(mask, (0, 1), value=1)
                made = more if made is mask else additive_mask(more, 1, self.dtype)
                found.append((first, self._cached_hidden_states(ids[:, :1], made, positions_of(more)[:, 3:], cache)))
        except (AttributeError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return False
        gap = (torch.cat(found[0]) - torch.cat(found[1])).abs().max()
        return float(gap) <= _SAME_LOGITS.get(self.dtype, 0.1)

    @property
    def frozen_head(self) -> Tensor | None:
        """W (V, d) where logits are W h and nothing else, and W is not trained; else None."""
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
        """Whether a bfloat16 or float16 model can give logits in float32: on CUDA it can."""
        weight = self._plain_head
        if weight is None or weight.dtype == torch.float32:
            return False
        with suppress(NotImplementedError, TypeError, RuntimeError):
            return _wide_product(weight[:1], weight[:1].t()).dtype == torch.float32
        return False

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., d) to (..., V) in the precision of the model or better; pass only the positions that are needed."""
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
        """Refuses architectures that scale their logits after the head: they would be trained wrongly."""
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
        """The model with this adapter merged into its weights (None: as it is), as a plain transformers folder with
        tokenizer and chat template. weights: the whole state of a model of which this rank holds only a part.
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


def _wide_product(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b, out_dtype=torch.float32)


class _WideLogits(torch.autograd.Function):
    """h W' in float32, as a GPU accumulates products of bfloat16. Rounded to bfloat16, logits around 20 would have
    errors of 0.06, and so would every log-probability.
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
