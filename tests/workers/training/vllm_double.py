"""A stand-in for a vLLM server: it serves a model with transformers and peft alone, over the part of vLLM's protocol
that is used. It shares no code with the trainer, so what the two agree on is not agreed on by construction.
"""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import peft
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

NAME = "served"
KEY = "sesame"


class Double:
    """The server's state. A test may break it: `answering_as` says which model answers for a name, `tamper` changes
    what is answered.
    """

    def __init__(self, folder: Path) -> None:
        self.base = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.models: dict[str, Any] = {NAME: self.base}
        self.loaded: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.answering_as: Callable[[str], str] = lambda name: name
        self.tamper: Callable[[dict[str, Any]], object] = lambda choice: None
        self.key: str | None = None
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """Status and text."""
        with self._lock:
            if path == "/v1/load_lora_adapter":
                return self._load(body["lora_name"], body["lora_path"])
            if path == "/v1/unload_lora_adapter":
                if self.models.pop(body["lora_name"], None) is None:
                    return 404, json.dumps({"error": {"message": "no such adapter"}})
                return 200, f"Success: {body['lora_name']} removed."
            if path != "/v1/completions" or body["model"] not in self.models:
                return 404, json.dumps({"error": {"message": f"The model {body.get('model')} does not exist."}})
            self.asked.append(body)
            return 200, json.dumps({"choices": [self._complete(**body)]})

    def _load(self, name: str, path: str) -> tuple[int, str]:
        if name in self.models:
            return 400, json.dumps({"error": {"message": f"The adapter {name} has already been loaded."}})
        self.models[name] = peft.PeftModel.from_pretrained(copy.deepcopy(self.base), path).eval()
        self.loaded.append(name)
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    @torch.no_grad()
    def _complete(
        self,
        *,
        model: str,
        prompt: list[int],
        max_tokens: int,
        temperature: float,
        stop_token_ids: list[int] | None = None,
        seed: int = 0,
        logprobs: int | None = None,
        prompt_logprobs: int | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        plain = {"n": 1, "return_token_ids": True, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
        assert others in (plain, plain | {"ignore_eos": True}), others
        chosen = self.models[self.answering_as(model)]
        draw = torch.Generator().manual_seed(seed)
        ids, said, finish = list(prompt), [], "length"
        for _ in range(max_tokens):
            shares = self._logprobs(chosen, ids, temperature)[-1]
            token = int(torch.multinomial(shares.exp(), 1, generator=draw) if temperature else shares.argmax())
            ids.append(token)
            said.append(float(shares[token]))
            if token in (stop_token_ids or ()):
                finish = "stop"
                break
        choice: dict[str, Any] = {
            "index": 0,
            "text": "",
            "finish_reason": finish,
            "token_ids": ids[len(prompt) :],
            "prompt_token_ids": prompt,
            "logprobs": {"token_logprobs": said} if logprobs is not None else None,
        }
        if prompt_logprobs is not None:
            told = self._logprobs(chosen, prompt, 1.0)  # vLLM tells those of prompts as if the temperature were 1
            choice["prompt_logprobs"] = [None] + [
                {str(token): {"logprob": float(told[at, token])}} for at, token in enumerate(prompt[1:])
            ]
        self.tamper(choice)
        return choice

    @staticmethod
    def _logprobs(model: Any, ids: list[int], temperature: float) -> Tensor:
        logits = model(input_ids=torch.tensor([ids])).logits[0].float()
        shares: Tensor = (logits / (temperature or 1.0)).log_softmax(-1)
        return shares


@contextmanager
def serving(folder: Path) -> Iterator[Double]:
    """A server on a free port, until the end of the block."""
    double = Double(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and content of an answer in one packet, which nobody waits to acknowledge

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = double.key is None or self.headers.get("Authorization") == f"Bearer {double.key}"
            status, text = double.answer(self.path, body) if known else (401, "{}")
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
