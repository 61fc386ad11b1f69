"""Hiding phrases that would tell an annotator who wrote a text, such as "as a model by *".

A phrase matches whatever its case; any space in it matches any white space. `*` stands for up to 40 characters: as few
as needed inside of a phrase, and at its beginning or end as many as there are on the line. Each hidden part is shown as
three blocks. Written without regular expressions: many stars would make those try every combination, while this looks
at each place of a text once for every piece of a phrase.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from backend.errors import Invalid

HIDDEN = "▇▇▇"
MAX_PHRASES, MAX_PHRASE, MAX_STARS = 200, 200, 8
STAR_REACHES = 40

Span = tuple[int, int]


def clean(phrases: Iterable[str]) -> list[str]:
    """The phrases as they are kept: trimmed, each once. Raises Invalid."""
    kept: dict[str, str] = {}
    for phrase in phrases:
        phrase = phrase.strip()
        while "**" in phrase:
            phrase = phrase.replace("**", "*")
        if not phrase.replace("*", "").strip():
            raise Invalid("a phrase to hide needs more than *", "masks")
        if phrase.count("*") > MAX_STARS:
            raise Invalid(f"a phrase to hide has at most {MAX_STARS} times *", "masks")
        if len(phrase) > MAX_PHRASE:
            raise Invalid(f"a phrase to hide has at most {MAX_PHRASE} characters", "masks")
        kept.setdefault(_fold(phrase), phrase)
    if len(kept) > MAX_PHRASES:
        raise Invalid(f"at most {MAX_PHRASES} phrases can be hidden", "masks")
    return list(kept.values())


def mask(text: str, phrases: Sequence[str]) -> str:
    """The text as it is shown."""
    spans = hidden(text, phrases)
    if not spans:
        return text
    borders = [0, *(border for span in spans for border in span), len(text)]
    return HIDDEN.join(text[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True))


def hidden(text: str, phrases: Sequence[str]) -> list[Span]:
    """Which parts of the text are not shown, from left to right, with something shown between any two."""
    if not phrases:
        return []
    folded = _fold(text)
    # Most phrases are not in most texts, so only their longest pieces are looked for at first.
    likely = [pieces for longest, pieces in _compiled(tuple(phrases)) if longest in folded]
    found = sorted(span for pieces in likely for span in _matches(text, folded, pieces))
    spans: list[Span] = []
    for start, end in found:
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def origin(spans: Sequence[Span], start: int, end: int) -> Span:
    """Where a part of the shown text stands in the text itself; a hidden part that it touches belongs to it whole."""
    grown = 0
    first, last = start, end
    for begin, until in spans:
        shown_from = begin + grown
        shown_to = shown_from + len(HIDDEN)
        grown += len(HIDDEN) - (until - begin)
        if start >= shown_to:
            first = start - grown
        elif start >= shown_from:
            first = begin
        if end >= shown_to:
            last = end - grown
        elif end > shown_from:
            last = until
    return first, last


def _fold(text: str) -> str:
    """Lower case and plain spaces, character by character, so that places stay the same."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    # A final sigma is a sigma: which one it is depends on the letters around it.
    return lower.translate(_PLAIN)


_PLAIN = {ord("ς"): "σ"} | {c: " " for c in range(0x3001) if chr(c).isspace()}


@lru_cache(maxsize=64)
def _compiled(phrases: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Of each phrase its longest piece and all pieces between the stars."""
    split = (tuple(_fold(phrase).split("*")) for phrase in phrases)
    return tuple((max(pieces, key=len), pieces) for pieces in split)


def _matches(text: str, folded: str, pieces: tuple[str, ...]) -> list[Span]:
    """Every beginning of the phrase with its nearest end."""
    open_start, open_end = pieces[0] == "", pieces[-1] == ""
    pieces = tuple(piece for piece in pieces if piece)
    ends = {start: start + len(pieces[-1]) for start in _places(folded, pieces[-1])}
    for piece in reversed(pieces[:-1]):
        ahead = list(ends)
        reached = {}
        for start in _places(folded, piece):
            stop = start + len(piece)
            nearest = bisect_left(ahead, stop)
            if nearest < len(ahead) and ahead[nearest] <= stop + STAR_REACHES:
                reached[start] = ends[ahead[nearest]]
        ends = reached
    return [
        (_line_start(text, start) if open_start else start, _line_end(text, end) if open_end else end)
        for start, end in ends.items()
    ]


def _places(text: str, piece: str) -> list[int]:
    places = []
    place = text.find(piece)
    while place >= 0:
        places.append(place)
        place = text.find(piece, place + 1)
    return places


def _line_start(text: str, start: int) -> int:
    least = max(0, start - STAR_REACHES)
    return max(least, text.rfind("\n", least, start) + 1)


def _line_end(text: str, end: int) -> int:
    most = min(len(text), end + STAR_REACHES)
    newline = text.find("\n", end, most)
    return most if newline < 0 else newline
