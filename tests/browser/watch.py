"""What a browser says while a test looks at something else: errors, dialogs, requests to strangers, answers of the API.

A test expects none of them; `expect` names those it provokes.
"""

import re
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Response, WebError

# A visitor who is not signed in yet is told so; the browser reports every answer of that kind.
SIGNED_OUT = r"/api/v1/me: .*status of 401"

# What the browser says of a request that nobody answers.
UNREACHABLE = r"/api/v1/.*net::ERR_"


class Watch:
    """Everything remarkable that happens in one browser context."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.home = home
        self.remarks: list[str] = []
        self.answers: list[Response] = []
        self._expected: list[str] = []
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("dialog", self._dialog)
        context.on("request", self._request)
        context.on("response", self._response)

    def expect(self, *patterns: str) -> None:
        """These remarks are meant to come, now or later."""
        self._expected += patterns

    def unexpected(self) -> list[str]:
        """What should not have happened."""
        return [remark for remark in self.remarks if not any(re.search(known, remark) for known in self._expected)]

    def bodies(self) -> Iterator[tuple[str, str]]:
        """(address, body) of every answer of the API so far."""
        for answer in self.answers:
            if answer.request.method != "HEAD" and answer.status not in (204, 304):
                yield answer.url, answer.text()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            place = message.location["url"].removeprefix(self.home)
            self.remarks.append(f"console {message.type} {place}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.remarks.append(f"uncaught: {error.error}")

    def _dialog(self, dialog: Dialog) -> None:
        self.remarks.append(f"dialog: {dialog.type} {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.home}/", "data:", "blob:")):
            self.remarks.append(f"request to a stranger: {request.url}")

    def _response(self, response: Response) -> None:
        if response.url.startswith(f"{self.home}/api/"):
            self.answers.append(response)


def problem(page: Page) -> Any:
    """The sentence of the page's first alert."""
    return page.get_by_role("alert").first
