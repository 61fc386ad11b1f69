"""The annotate page as a person meets it: what is on the screen, and the keys."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect


@dataclass(frozen=True)
class Shown:
    """The comparison in front of the person."""

    prompt: str
    answers: tuple[str, ...]


class Desk:
    """One open annotate page. Keys go to the page as a whole, as they do when a person just types."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def comparison(self) -> Locator:
        """The visible comparison (the next one is drawn ahead, hidden)."""
        return self.page.get_by_role("article", name="Comparison")

    @property
    def answers(self) -> Locator:
        """The visible answers, first the left one."""
        return self.comparison.locator("[data-answer]:visible")

    @property
    def unsaved(self) -> Locator:
        """What is told while judgments wait for the server."""
        return self.page.get_by_role("button", name="kept")

    @property
    def saved(self) -> Locator:
        """What is told when everything has reached the server."""
        return self.page.get_by_test_id("save-state").get_by_text("Saved", exact=True)

    @property
    def status(self) -> Locator:
        """What a screen reader is told."""
        return self.page.locator("#announcer")

    def begin(self, *, guidelines: bool = True) -> "Desk":
        """Wait for the first comparison; read the guidelines when they come up."""
        if guidelines:
            self.page.get_by_role("button", name="Start judging").click()
        expect(self.comparison).to_be_visible()
        return self

    def shown(self) -> Shown:
        """What is on the screen now."""
        expect(self.comparison).to_be_visible()
        prompt = self.comparison.get_by_role("region", name="Prompt").inner_text().strip()
        texts = tuple(answer.locator(".prose, .plain").first.inner_text().strip() for answer in self.answers.all())
        return Shown(prompt, texts)

    def press(self, key: str) -> None:
        """One key. The page ignores what bounces within 60 ms of a new comparison; a person never is that fast."""
        self.page.wait_for_timeout(80)
        self.page.keyboard.press(key)

    def judge(self, key: str) -> Shown:
        """Judge what is on the screen with one key; returns it once the next one (or the end) is on the screen."""
        before = self.shown()
        self.press(key)
        self.leaves(before)
        return before

    def leaves(self, before: Shown) -> None:
        """Wait until this comparison is no longer on the screen."""
        expect(self.comparison.filter(has_text=before.answers[0])).to_have_count(0)

    def all_saved(self) -> None:
        """Wait until the page says that nothing is unsent."""
        expect(self.saved).to_be_visible()
