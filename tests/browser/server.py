"""The way between a window and the server, which a test can block: answers held back, lost, or no server at all."""

from typing import Literal

from playwright.sync_api import Page, Route

Mood = Literal["answers", "holds", "unreachable", "deaf"]


class Server:
    """Stands between one window (all its tabs) and the API."""

    def __init__(self, page: Page) -> None:
        self.held: list[Route] = []
        self.lost = 0
        self._mood: Mood = "answers"
        self._part = ""
        page.context.route("**/api/v1/**", self._handle)

    def answers(self) -> None:
        """All is well again; what was held back goes on."""
        self._mood = "answers"
        held, self.held = self.held, []
        for route in held:
            route.continue_()

    def holds(self) -> None:
        """Requests wait until it `answers`."""
        self._mood = "holds"

    def is_unreachable(self, part: str = "") -> None:
        """Connections fail, those to addresses with this part."""
        self._mood, self._part = "unreachable", part

    def loses_answers(self, part: str = "") -> None:
        """Requests arrive and are worked on, but their answers are lost on the way back."""
        self._mood, self._part = "deaf", part

    def _handle(self, route: Route) -> None:
        if self._mood == "holds":
            self.held.append(route)
        elif self._mood == "answers" or f"/api/v1/{self._part}" not in route.request.url:
            route.continue_()
        else:
            if self._mood == "deaf":
                route.fetch()
                self.lost += 1
            route.abort("connectionfailed")
