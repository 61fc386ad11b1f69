"""Samples answers with a vLLM server, in an environment of its own, instead of our own sampler. Knows no method.

Before a round the adapter is written below the run's folder, which the server must see under the same path, and loaded
there under a new name, because vLLM caches prompts by that name. Prompts are sent as token ids, and token ids come back
with the log-probabilities they were drawn with. These show how far the server is off; learning uses the trainer's own.

Whether the server computes with the current weights is checked, not assumed. A few known sequences, the canary, are
scored there and here. The run stops if the two differ, or if the server is closer to the model without the adapter or
to an earlier round.

engine/canary_mean_gap_nats  engine/canary_max_gap_nats      |log-prob of the server - our own| over the canary's tokens

The server: vLLM 0.10.2 or later (`return_token_ids`), `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve MODEL
--enable-lora --max-lora-rank RANK --logprobs-mode processed_logprobs`; without the last, log-probabilities would be
those at temperature 1.
"""

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backend.domain.training.engine import EngineConfig
from backend.errors import Conflict, Invalid, PodiumError
from workers.endpoint import Service
from workers.training.backbone import Backbone
from workers.training.digests import sha256_of
from workers.training.generation import Answer, Sampling, generate
from workers.training.logprobs import token_logprobs
from workers.training.ranks import ALONE, Ranks

CANARIES, CANARY_TOKENS = 8, 32
CANARY = 2**31 + 1
"""Takes the place of the iteration in the random keys of the canary's answers."""
NOISE_NATS = 1e-4
"""Gaps below this do not show whose log-probabilities the server's are like."""
TIMEOUT_S = 1800.0


def drawn(
    config: EngineConfig,
    backbone: Backbone,
    folder: Path,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    keys: Sequence[Sequence[int]],
    stop_ids: Sequence[int],
    seed: int,
) -> list[Answer]:
    """Answers of the backbone's model, without an adapter, after a canary has shown that the server serves it."""
    if not prompts:
        return []
    with closing(Engine(config, backbone, folder, adapter=None, prompts=prompts, seed=seed)) as engine:
        engine.follow(0)
        return engine.answers(prompts, sampling, keys=keys, stop_ids=stop_ids)


class Engine:
    """A server of the backbone's model. After `follow` it answers with the adapter as it is now, or with None as the
    model itself.
    """

    def __init__(
        self,
        config: EngineConfig,
        backbone: Backbone,
        folder: Path,
        *,
        adapter: str | None,
        prompts: Sequence[Sequence[int]],
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """folder: where adapters are written. prompts: ids of some, which the canary answers."""
        self.config, self.backbone, self.folder, self.adapter, self.ranks = config, backbone, folder, adapter, ranks
        about = {"url": config.url, "api_key_env": config.api_key_env}
        self._service = Service(f"vLLM at {config.url}", about, timeout_s=TIMEOUT_S)
        if ranks.first:  # what an attempt that died left behind
            shutil.rmtree(folder, ignore_errors=True)
        self.model = config.model or ""
        """The name to request: the model's, or that of the adapter loaded last."""
        self.seen: dict[str, float] = {}
        """The metrics of the last canary."""
        limit = backbone.max_positions or 2**31
        self._canary_tokens = min(CANARY_TOKENS, limit // 2)
        room = limit - self._canary_tokens - 1  # a server that tells of a prompt also writes a token
        self._prompts, self._seed = [list(prompt[:room]) for prompt in prompts[:CANARIES]], seed
        self._canary: list[tuple[list[int], int]] = []
        self._loaded = self._checked = ""
        self._before: Tensor | None = None

    def follow(self, step: int) -> None:
        """Make the server answer with the current weights and, when due, check that it does. All ranks must call it."""
        if self.ranks.first:
            digest = self._digest()
            if self.adapter is not None and digest != self._loaded:
                self._load(self.adapter)
                self._loaded = digest
            due = not self._checked or step % self.config.canary_every_iterations == 0
            if due and digest != self._checked:
                self._check()
                self._checked = digest
        self.model = self.ranks.gather(self.model)[0]

    def answers(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        keys: Sequence[Sequence[int]],
        stop_ids: Sequence[int],
    ) -> list[Answer]:
        """One answer for each prompt, in their order, each with a seed of its own from its key."""
        pool = ThreadPoolExecutor(self.config.requests_at_once)
        try:
            return list(pool.map(lambda prompt, key: self._answer(prompt, sampling, key, stop_ids), prompts, keys))
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Leave nothing behind there."""
        if self._loaded:
            self._unload(self.model)
            self._loaded = ""
        self._service.close()

    # -- the adapter there ----------------------------------------------------------------------------------------

    def _digest(self) -> str:
        if self.adapter is None:
            return self.backbone.digest()
        return sha256_of(self.backbone.adapters[self.adapter].tensors().items())

    def _load(self, adapter: str) -> None:
        name = f"podium-{secrets.token_hex(8)}"
        self.backbone.save_adapter(adapter, self.folder / name)
        self._service.tell("/load_lora_adapter", {"lora_name": name, "lora_path": str((self.folder / name).resolve())})
        if self._loaded:
            self._unload(self.model)
        self.model = name

    def _unload(self, name: str) -> None:
        with suppress(PodiumError):  # it may have been started anew, and know it no more; or be gone
            self._service.tell("/unload_lora_adapter", {"lora_name": name}, attempts=1)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    # -- asking ---------------------------------------------------------------------------------------------------

    def _answer(self, prompt: Sequence[int], sampling: Sampling, key: Sequence[int], stop_ids: Sequence[int]) -> Answer:
        said = self._ask(
            prompt,
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            seed=int.from_bytes(hashlib.blake2b(repr(tuple(key)).encode(), digest_size=4).digest(), "big") >> 1,
            logprobs=1,
            # Only what the trainer says ends an answer does.
            ignore_eos=True,
            stop_token_ids=list(stop_ids),
        )
        try:
            ids, logprobs = tuple(map(int, said["token_ids"])), tuple(map(float, said["logprobs"]["token_logprobs"]))
        except (LookupError, TypeError, ValueError):
            raise self._wrong("does not tell the ids and log-probabilities of its tokens; vLLM 0.10.2 does") from None
        if not 0 < len(ids) == len(logprobs) <= sampling.max_new_tokens:
            raise self._wrong(f"gave {len(ids)} tokens and {len(logprobs)} log-probabilities")
        if max(ids) >= self.backbone.vocabulary_size:
            raise self._wrong("gave a token that the model does not have")
        stopped = said.get("finish_reason") == "stop"
        if stopped != (ids[-1] in stop_ids):
            raise self._wrong("ended an answer elsewhere than at the tokens that end answers here")
        return Answer(ids, logprobs, "stop" if stopped else "length")

    def _ask(self, prompt: Sequence[int], **settings: Any) -> dict[str, Any]:
        """The one choice of a completion. Nothing is left to the generation settings of the served model."""
        plain = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
        body = {"model": self.model, "prompt": list(prompt), "n": 1, "return_token_ids": True, **plain, **settings}
        answered = self._service.post("/completions", body)
        try:
            (choice,) = answered["choices"]
            read = choice.get("prompt_token_ids")
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._wrong("does not answer in the form of completions") from None
        if read is not None and read != list(prompt):
            raise self._wrong("read other tokens than it was sent")
        found: dict[str, Any] = choice
        return found

    def _wrong(self, what: str) -> Invalid:
        return Invalid(f"{self._service.name} {what}.", "engine")

    # -- the canary -----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if not self._canary:
            keys = [(self._seed, CANARY, place) for place in range(len(self._prompts))]
            said = generate(self.backbone, self._prompts, Sampling(self._canary_tokens), keys=keys)
            pairs = zip(self._prompts, said, strict=True)
            self._canary = [([*prompt, *answer.ids], len(prompt)) for prompt, answer in pairs]
        told, own = self._told(), self._own(self.adapter)
        gaps = (told - own).abs()
        mean, most = float(gaps.mean()), float(gaps.max())
        self.seen = {"engine/canary_mean_gap_nats": mean, "engine/canary_max_gap_nats": most}
        others = {
            "the model without its adapter": None if self.adapter is None else self._own(None),
            "the adapter of an earlier round": self._before,
        }
        for what, theirs in others.items():
            if theirs is not None and mean > NOISE_NATS and float((told - theirs).abs().mean()) < mean / 2:
                raise Conflict(
                    f"{self._service.name} answers with {what} and not with the policy as it is now: its "
                    f"log-probabilities of {len(told)} known tokens are {mean:.2g} nats off on average, and nearer to "
                    "those. Nothing was learnt from it; start that server anew and resume the run."
                )
        if not (mean <= self.config.mean_gap_nats and most <= self.config.max_gap_nats):
            raise Conflict(
                f"{self._service.name} does not compute what the trainer does: its log-probabilities of {len(told)} "
                f"known tokens are {mean:.2g} nats off on average and {most:.2g} at most, where "
                f"{self.config.mean_gap_nats:g} and {self.config.max_gap_nats:g} are allowed. Does it serve this very "
                "model, with this adapter and in like precision? Nothing was learnt from it."
            )
        self._before = own

    def _told(self) -> Tensor:
        """(N,): the server's log-probabilities of the canary's tokens."""
        found: list[float] = []
        for ids, start in self._canary:
            said = self._ask(ids, max_tokens=1, temperature=1.0, prompt_logprobs=1)
            try:
                places = said["prompt_logprobs"]
                found += [float(places[at][str(ids[at])]["logprob"]) for at in range(start, len(ids))]
            except (LookupError, TypeError, ValueError):
                raise self._wrong("does not tell the log-probabilities of a prompt's tokens") from None
        return torch.tensor(found)

    @torch.no_grad()
    def _own(self, role: str | None) -> Tensor:
        """(N,): the trainer's."""
        found = []
        for sequence, start in self._canary:
            ids = torch.tensor([sequence], device=self.backbone.device)
            scored = torch.arange(len(sequence), device=ids.device)[None] >= start
            with self.backbone.role(role):
                found.append(token_logprobs(self.backbone, ids, torch.ones_like(ids), scored)[0])
        return torch.cat(found).cpu()
