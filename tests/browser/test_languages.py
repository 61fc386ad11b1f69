"""The annotator's pages in the reader's language: found out, chosen, remembered, and complete."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Visit
from tests.browser.study import Study, make_study
from tests.browser.test_every_page import barriers

pytestmark = pytest.mark.browser

# Every text that a page shows or names, but for what people and models wrote, and for names of languages.
TEXTS = """() => {
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.closest("script, noscript, .kbd, .prose, .plain, [data-answer], option, [lang=en]")) continue;
    found.add(walker.currentNode.data.trim());
  }
  for (const name of ["aria-label", "title", "placeholder", "aria-valuetext", "aria-description"])
    for (const one of document.body.querySelectorAll(`[${name}]`)) found.add(one.getAttribute(name));
  return [document.title, ...found];
}"""
# Names and keys, which are the same in every language.
KNOWN = re.compile(r"Podium|Markdown|Shift|Enter|Backspace|Esc|Tab|\S+@\S+|podium_\S+")


def english(page: Page, *names: str) -> list[str]:
    """Texts of the page with an English word in them."""
    left = []
    for text in page.evaluate(TEXTS):
        rest = KNOWN.sub("", text)
        for name in names:
            rest = rest.replace(name, "")
        if re.search(r"[A-Za-z]{2,}", rest):
            left.append(text)
    return left


def test_the_browsers_language_is_spoken_until_another_is_chosen(visit: Visit, study, annotator):
    page = visit(None, "/login", locale="zh-CN")
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page).to_have_title("登录 · Podium")
    page.get_by_label("电子邮箱").fill(annotator.email)
    page.get_by_label("语言").select_option("English")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_label("Email")).to_have_value(annotator.email)  # nothing that was typed is lost
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    page.get_by_label("Email").fill(annotator.email)
    page.get_by_label("Password").fill(annotator.password)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/preferences")
    page.get_by_label("Language").select_option("As the browser")
    expect(page.get_by_role("heading", level=1, name="偏好设置")).to_be_visible()
    page.get_by_label("语言").select_option("English")
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()


def test_a_language_that_is_not_there_is_english(visit: Visit):
    page = visit(None, "/login", locale="fr-FR")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_one_language_is_loaded_and_not_the_other(visit: Visit):
    page = visit(None)
    files: list[str] = []
    page.on("request", lambda request: files.append(request.url.rsplit("/", 1)[-1]))
    page.goto("/login")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.wait_for_load_state("networkidle")
    languages = [re.match(r"(en|zh)-", name) for name in files]
    assert [found[1] for found in languages if found] == ["en"]


def test_the_annotators_pages_are_chinese_throughout_and_without_a_barrier(visit: Visit, client, engine, annotator):
    study = make_study(client, engine, prompts=6)
    invitation = client.post("invitations", {"role": "annotator"})["token"]
    outside = visit(None, locale="zh-CN", expects=("status of 404",))
    inside = visit(annotator, locale="zh-CN", expects=("status of 404", "此页面仅供管理员使用"))
    judge(inside, study, 3)
    names = [project["name"] for project in client.get("projects", limit=200)["items"]]
    found: dict[str, list[str]] = {}
    for path in (
        "/login", f"/invitations/{invitation}", "/invitations/none", "/projects", "/preferences",
        f"{study.address}/mine", "/no/such/page", "/people", f"{study.address}/annotate",
    ):  # fmt: skip
        page = outside if path.startswith(("/login", "/invitations")) else inside
        page.goto(path)
        expect(page.get_by_role("heading", level=1), path).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        expect(page.locator("html")).to_have_attribute("lang", "zh")
        left = english(page, annotator.email, *sorted(names, key=len, reverse=True), f"of {study.slug}?", "Question ")
        if path == "/invitations/none":
            left = [text for text in left if "nvitation" not in text]  # the server's sentence
        for size in (WIDE, PHONE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            if page.evaluate("document.documentElement.scrollWidth") > size[0]:
                left.append(f"wider than {size[0]}")
        if problems := left + barriers(page):
            found[path] = problems
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    assert found == {}


def judge(page: Page, study: Study, count: int) -> None:
    """So many judgments of the person whose window this is, so that there is something to show."""
    headers = {"X-CSRF-Token": page.request.get("/api/v1/me").json()["csrf_token"]}
    path = f"/api/v1/projects/{study.slug}/comparisons/next?count={count}"
    for item in page.request.post(path, headers=headers).json()["items"]:
        body = {"comparison": item["id"], "lease": item["lease"]["id"], "ranks": [1, 2], "active_ms": 61_000}
        assert page.request.put(f"/api/v1/judgments/{uuid.uuid4()}", data=body, headers=headers).ok


def test_dates_and_numbers_follow_the_language(visit: Visit, client, annotator):
    made = client.post("invitations", {"role": "annotator", "days": 3})
    year = made["expires_at"][:4]
    page = visit(None, f"/invitations/{made['token']}", locale="zh-CN")
    expect(page.get_by_text(re.compile(rf"{year}年\d+月\d+日"))).to_be_visible()
    page = visit(None, f"/invitations/{made['token']}", locale="en-GB")
    expect(page.get_by_text(re.compile(rf"\d+ [A-Z][a-z]+ {year}"))).to_be_visible()
