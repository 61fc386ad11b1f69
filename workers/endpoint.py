"""Services asked over HTTP, and completions from a model behind an OpenAI-style endpoint (`POST /chat/completions`).
Knows no run and no database."""

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from backend.errors import Invalid, Unavailable

TIMEOUT_S = 120.0
ATTEMPTS = 6
LONGEST_PAUSE_S = 60.0
LOOK_EVERY_S = 0.2
_TEMPORARY = {408, 409, 425, 429, 500, 502, 503, 504}

Made = TypeVar("Made")


def awaited(work: Callable[[], Made], look_up: Callable[[], object]) -> Made:
    """The result of work that waits for others, in a thread of its own. An error of `look_up`, which is called
    meanwhile, ends the wait; the work is left to itself.
    """
    running: Future[Made] = Future()

    def run() -> None:
        try:
            running.set_result(work())
        except BaseException as error:
            running.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # a pool's would be waited for at the end of the process
    while not wait([running], LOOK_EVERY_S).done:
        look_up()
    return running.result()


@dataclass(frozen=True)
class Reply:
    """A text and why it ended: `stop` or `length`."""

    text: str
    finish_reason: str


class Service:
    """Something that is asked over HTTP. The key is read from this process's environment and written nowhere."""

    def __init__(
        self,
        name: str,
        about: Mapping[str, Any],
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """about: `url`, and `api_key_env` where a key is needed."""
        self.name = name
        self._sleep = sleep
        headers = {}
        if variable := about.get("api_key_env"):
            if not os.environ.get(variable):
                raise Invalid(
                    f"“{name}” needs its key in the worker's environment variable {variable}, which is empty."
                )
            headers["Authorization"] = f"Bearer {os.environ[variable]}"
        self._url = about["url"].rstrip("/")
        self._client = httpx2.Client(headers=headers, timeout=timeout_s, transport=transport)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON of the answer."""
        try:
            return self._asked(path, body).json()
        except ValueError:
            raise Invalid(f"“{self.name}” does not answer in JSON.") from None

    def tell(self, path: str, body: Mapping[str, Any], *, attempts: int = ATTEMPTS) -> None:
        """Have it do something whose answer holds nothing."""
        self._asked(path, body, attempts)

    def _asked(self, path: str, body: Mapping[str, Any], attempts: int = ATTEMPTS) -> httpx2.Response:
        """What may pass (a full queue, a restart) is tried again with growing pauses."""
        fault = "no answer"
        for attempt in range(attempts):
            if attempt:
                self._sleep(min(LONGEST_PAUSE_S, 2.0**attempt) * random.uniform(0.5, 1.0))
            try:
                response = self._client.post(self._url + path, json=dict(body))
            except httpx2.HTTPError as error:
                fault = f"{type(error).__name__}: {error}"
                continue
            if response.status_code in _TEMPORARY:
                fault = f"status {response.status_code}"
                continue
            return self._accepted(response)
        raise Unavailable(f"“{self.name}” did not answer after {attempts} tries ({fault}).")

    def _accepted(self, response: httpx2.Response) -> httpx2.Response:
        if response.status_code in (401, 403):
            raise Invalid(f"“{self.name}” refused the key (status {response.status_code}).")
        if response.status_code >= 400:
            raise Invalid(f"“{self.name}” refused the request (status {response.status_code}): {response.text[:300]}")
        return response

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


class Endpoint(Service):
    """One model of one OpenAI-style endpoint."""

    def __init__(self, name: str, about: Mapping[str, Any], **settings: Any) -> None:
        super().__init__(name, about, **settings)
        self._model = about["model"]

    def answer(
        self, messages: Sequence[Mapping[str, str]], *, temperature: float, max_new_tokens: int, seed: int
    ) -> Reply:
        """One completion."""
        answered = self.post(
            "/chat/completions",
            {
                "model": self._model,
                "messages": [dict(message) for message in messages],
                "temperature": temperature,
                "max_tokens": max_new_tokens,
                "seed": seed,
            },
        )
        try:
            choice = answered["choices"][0]
            text = choice["message"]["content"]
        except (LookupError, TypeError):
            raise Invalid(f"“{self.name}” does not answer in the form of chat completions.") from None
        return Reply(text or "", "length" if choice.get("finish_reason") == "length" else "stop")
