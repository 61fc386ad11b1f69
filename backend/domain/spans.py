"""Remarks on parts of completions: which may be made, and where in the text a marked part stands.

An annotator marks what they see. Offsets count Unicode code points, first in the text as it was shown to them (with its
masks), and as kept in the text itself.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from backend.domain import masks
from backend.domain.judgments import Protocol
from backend.errors import Invalid

MAX_SPANS = 50


class Span(BaseModel):
    """A marked part of one completion, with a remark. Without offsets only the quoted words tell where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    completion: Annotated[StrictInt, Field(ge=0, le=8, description="which completion, counted from 0 as shown")]
    start: Annotated[StrictInt | None, Field(ge=0, le=2**31, description="its first character, or null")] = None
    end: Annotated[StrictInt | None, Field(ge=0, le=2**31, description="the character after it, or null")] = None
    quote: Annotated[str, Field(max_length=20_000, description="the marked words as they were shown")]
    remark: Annotated[str, Field(max_length=5_000, description="what is to be said of them")] = ""


def check(spans: Sequence[Span], protocol: Protocol, size: int) -> None:
    """Refuse remarks that the project does not ask for or that lie outside of a comparison of `size` completions."""
    if spans and not protocol.spans:
        raise Invalid("this project does not take remarks on parts of completions", "spans")
    if len(spans) > MAX_SPANS:
        raise Invalid(f"at most {MAX_SPANS} parts can be marked", "spans")
    for place, span in enumerate(spans):
        if span.completion >= size:
            raise Invalid(f"{size} completions were shown, counted from 0", f"spans.{place}.completion")
        if (span.start is None) != (span.end is None):
            raise Invalid("give both start and end, or neither", f"spans.{place}.end")
        if span.start is not None and span.end is not None and span.start >= span.end:
            raise Invalid("a part begins before it ends", f"spans.{place}.end")


def placed(spans: Sequence[Span], texts: Sequence[str], phrases: Sequence[str]) -> list[Span]:
    """The spans with their places in the texts themselves. Raises Invalid where the quote stands elsewhere.

    Where phrases are hidden, others may have been hidden when the annotator looked; the quote then has to do.
    """
    return [_placed(span, texts[span.completion], phrases, place) for place, span in enumerate(spans)]


def _placed(span: Span, text: str, phrases: Sequence[str], place: int) -> Span:
    if span.start is None or span.end is None:
        return span
    hidden = masks.hidden(text, phrases)
    shown = masks.mask(text, phrases)
    if shown[span.start : span.end] != span.quote:
        if phrases:
            return span.model_copy(update={"start": None, "end": None})
        if span.end > len(shown):
            raise Invalid(f"the completion has {len(shown)} characters", f"spans.{place}.end")
        raise Invalid("the quote is not what stands between start and end", f"spans.{place}.quote")
    start, end = masks.origin(hidden, span.start, span.end)
    return span.model_copy(update={"start": start, "end": end})
