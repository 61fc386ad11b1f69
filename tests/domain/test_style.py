"""Style: what is counted in a text, and how two texts differ."""

import numpy as np

from backend.domain.style import Style, contrast, style

TEXT = """# Tea

Some **hot** water, and __time__:

- a pot
- leaves
  1. green
  2) black

```python
# no heading of the text
boil()
```
"""


def test_counts_by_hand() -> None:
    found = style(TEXT)
    assert found == Style(length=len(TEXT.strip()), headings=2, list_items=4, emphasis=2, code=1)
    assert style("") == Style(0, 0, 0, 0, 0)
    assert style("2 * 3 and #hash and a-b") == Style(23, 0, 0, 0, 0)


def test_contrasts_are_even_handed() -> None:
    a, b = Style(300, 2, 0, 1, 0), Style(100, 0, 0, 3, 0)
    rows, others = np.array([a, b, a], float), np.array([b, a, a], float)
    there = [0.5, 1.0, 0.0, -0.5, 0.0]
    assert contrast(rows, others).tolist() == [there, [-value for value in there], [0.0] * 5]
