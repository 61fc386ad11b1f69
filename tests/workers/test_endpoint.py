"""An OpenAI-style endpoint: asked right, tried again when it may pass, and its refusals told in plain words."""

import json

import httpx2
import pytest

from backend.errors import Invalid, Unavailable
from workers.endpoint import ATTEMPTS, Endpoint

ABOUT = {"url": "http://127.0.0.1:9/v1", "model": "small"}
MESSAGES = [{"role": "user", "content": "Hi"}]


def endpoint(handler, about=ABOUT):
    return Endpoint("ours/small", about, transport=httpx2.MockTransport(handler), sleep=lambda _: None)


def noting(calls: list[httpx2.Request], response: httpx2.Response):
    """Answers always the same, and keeps what it was asked."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return response

    return handler


def ask(one: Endpoint):
    return one.answer(MESSAGES, temperature=0.5, max_new_tokens=7, seed=3)


def reply(text: str | None, reason: str = "stop") -> httpx2.Response:
    return httpx2.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": reason}]})


def test_asks_as_chat_completions_do():
    seen = []

    def handler(request):
        seen.append(request)
        return reply("Hello")

    answer = ask(endpoint(handler))
    assert (answer.text, answer.finish_reason) == ("Hello", "stop")
    assert str(seen[0].url) == "http://127.0.0.1:9/v1/chat/completions"
    assert json.loads(seen[0].content) == {
        "model": "small", "messages": MESSAGES, "temperature": 0.5, "max_tokens": 7, "seed": 3
    }  # fmt: skip
    assert "authorization" not in seen[0].headers


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OUR_KEY", "s3cret")
    seen: list[httpx2.Request] = []
    ask(endpoint(noting(seen, reply("x")), {**ABOUT, "api_key_env": "OUR_KEY"}))
    assert seen[0].headers["authorization"] == "Bearer s3cret"
    monkeypatch.delenv("OUR_KEY")
    with pytest.raises(Invalid, match="OUR_KEY"):
        endpoint(lambda request: reply("x"), {**ABOUT, "api_key_env": "OUR_KEY"})


def test_a_cut_answer_says_so_and_an_empty_one_is_an_answer():
    assert ask(endpoint(lambda _: reply("cut", "length"))).finish_reason == "length"
    assert ask(endpoint(lambda _: reply(None))).text == ""


def test_what_may_pass_is_tried_again():
    answers = [httpx2.Response(503), httpx2.Response(429), reply("at last")]
    assert ask(endpoint(lambda _: answers.pop(0))).text == "at last"


def test_an_endpoint_that_stays_away_is_named():
    calls = []

    def handler(request):
        calls.append(request)
        raise httpx2.ConnectError("refused")

    with pytest.raises(Unavailable, match=r"ours/small.*refused"):
        ask(endpoint(handler))
    assert len(calls) == ATTEMPTS


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx2.Response(401), "refused the key"),
        (httpx2.Response(404, text="no such model"), "no such model"),
        (httpx2.Response(200, json={"text": "x"}), "form of chat completions"),
        (httpx2.Response(200, text="<html>"), "not answer in JSON"),
    ],
)
def test_refusals_are_told_at_once(response, said):
    calls: list[httpx2.Request] = []
    with pytest.raises(Invalid, match=said):
        ask(endpoint(noting(calls, response)))
    assert len(calls) == 1
