"""What may be asked of an annotator (protocol), what they may answer (verdict), and the outcomes it stands for.

Knows nothing of who judged, when, or where it is stored. Ranks follow the order in which the completions were shown:
1 is the best, equal ranks are a tie, and no rank is left out ("dense": 1, 2, 2, 3 but not 1, 2, 2, 4). Naming only the
top n is a tie of all the rest: 1, 2, 3, 3, 3, which a protocol with `top` takes even where it allows no ties.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator, model_validator

from backend.errors import Invalid

MIN_SIZE, MAX_SIZE = 2, 9
MAX_COMMENT = 10_000
MAX_STRENGTH = 4
MAX_ASPECTS = 10

Ranks = tuple[StrictInt, ...]
T = TypeVar("T")


class Aspect(BaseModel):
    """One side of quality that is asked for besides the overall ranking."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80, description="shown as the label of the question")]
    definition: Annotated[str, Field(max_length=2_000, description="what the annotator should look at")] = ""


class Protocol(BaseModel):
    """What a project asks of its annotators at every comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[StrictInt, Field(ge=MIN_SIZE, le=MAX_SIZE, description="completions in a comparison")] = 2
    top: Annotated[
        StrictInt | None, Field(ge=1, le=MAX_SIZE - 1, description="rank the best so many only; the rest are equal")
    ] = None
    allow_tie: Annotated[StrictBool, Field(description="two completions may share a rank")] = True
    allow_none_acceptable: Annotated[StrictBool, Field(description="'none is acceptable' may be answered")] = True
    strength_levels: Annotated[StrictInt, Field(description="0: not asked; 2 to 4: how much better, 1 the least")] = 0
    aspects: Annotated[
        tuple[Aspect, ...], Field(max_length=MAX_ASPECTS, description="further questions, all optional")
    ] = ()
    comment: Annotated[Literal["off", "optional", "required"], Field(description="free text with a judgment")] = "off"
    ideal_answer: Annotated[
        Literal["off", "optional"], Field(description="write or edit the answer that should have been given")
    ] = "off"
    spans: Annotated[StrictBool, Field(description="parts of a completion may be marked with a remark")] = False

    @field_validator("strength_levels")
    @classmethod
    def _two_to_four_levels(cls, levels: int) -> int:
        if levels != 0 and not 2 <= levels <= MAX_STRENGTH:
            raise ValueError("strength_levels is 0 (not asked) or 2 to 4")
        return levels

    @model_validator(mode="after")
    def _top_leaves_a_rest(self) -> "Protocol":
        if self.top is not None and self.top >= self.size - 1:
            raise ValueError("top is at least 2 less than size: one completion alone needs no rank of its own")
        return self

    @field_validator("aspects")
    @classmethod
    def _names_differ(cls, aspects: tuple[Aspect, ...]) -> tuple[Aspect, ...]:
        if len({aspect.name for aspect in aspects}) != len(aspects):
            raise ValueError("two aspects have the same name")
        return aspects


class Verdict(BaseModel):
    """What an annotator said of one comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranks: Ranks | None = None
    none_acceptable: StrictBool = False
    strength: StrictInt | None = None
    # Each answered aspect has ranks of its own, in the same shown order; an aspect that was skipped is absent.
    aspects: dict[str, Ranks] = Field(default_factory=dict)
    comment: str | None = None


def rating_ranks(ranks: Sequence[int] | None, size: int) -> tuple[int, ...]:
    """The ranks that ratings are made from: "none is acceptable" (no ranks) says that all are equally bad.

    How bad is kept in the flag alone: a rating compares the completions of one prompt with each other only.
    """
    return (1,) * size if ranks is None else tuple(ranks)


def as_asked_before(verdict: Verdict, size: int) -> Protocol:
    """For an answer to what was handed out before the protocol changed: all that may have been asked then is taken.

    An annotator who answered what they were shown has said something, whatever was decided meanwhile.
    """
    return Protocol(
        size=size,
        strength_levels=MAX_STRENGTH,
        aspects=tuple(Aspect(name=name) for name in [*verdict.aspects][:MAX_ASPECTS] if 0 < len(name) <= 80),
        comment="optional",
        ideal_answer="optional",
        spans=True,
    )


class Outcome(NamedTuple):
    """One pair out of a judgment: places in the shown order, and 1, 0.5 or 0 from the view of `a`."""

    a: int
    b: int
    score: float


def check(verdict: Verdict, protocol: Protocol, size: int) -> None:
    """Refuse a verdict that does not answer what `protocol` asks of a comparison of `size` completions."""
    if verdict.ranks is None:
        if not verdict.none_acceptable:
            raise Invalid("rank the completions, or say that none is acceptable", "ranks")
        if not protocol.allow_none_acceptable:
            raise Invalid("this project does not offer 'none is acceptable'", "none_acceptable")
    else:
        if verdict.none_acceptable:
            raise Invalid("give either ranks or 'none is acceptable', not both", "none_acceptable")
        check_ranks(verdict.ranks, size, protocol.allow_tie, "ranks", protocol.top)
    _check_strength(verdict, protocol)
    known = {aspect.name for aspect in protocol.aspects}
    for name, ranks in verdict.aspects.items():
        if name not in known:
            raise Invalid(f"this project has no aspect named {name[:80]!r}", "aspects")
        # Aspects may tie even where the overall ranking may not: two answers can be equally long.
        check_ranks(ranks, size, True, f"aspects.{name}")
    _check_comment(verdict.comment, protocol)


def check_ranks(ranks: Sequence[int], size: int, allow_tie: bool, field: str, top: int | None = None) -> None:
    """Refuse ranks that are not a ranking of `size` completions."""
    if len(ranks) != size:
        raise Invalid(f"{size} completions were shown, {len(ranks)} ranks were given", field)
    used = set(ranks)
    if used != set(range(1, len(used) + 1)):
        raise Invalid("ranks count 1, 2, 3 ... without a gap; 1 is the best and equal ranks are a tie", field)
    if allow_tie or len(used) == size:
        return
    if top is None:
        raise Invalid("this project does not allow ties", field)
    # The rest, which need not be ranked, share the last rank; those before it are told apart.
    if len(used) <= top or sorted(ranks)[: len(used)] != sorted(used):
        raise Invalid(f"rank the best {top} without ties; all others share the rank after them", field)


def _check_strength(verdict: Verdict, protocol: Protocol) -> None:
    if verdict.strength is None:
        return
    if protocol.strength_levels == 0:
        raise Invalid("this project does not ask how strong a preference is", "strength")
    if not 1 <= verdict.strength <= protocol.strength_levels:
        raise Invalid(f"strength goes from 1 to {protocol.strength_levels}", "strength")
    if verdict.ranks is None or len(set(verdict.ranks)) == 1:
        raise Invalid("where nothing is preferred there is no strength", "strength")


def _check_comment(comment: str | None, protocol: Protocol) -> None:
    if comment is None or not comment.strip():
        if protocol.comment == "required":
            raise Invalid("this project asks for a comment with every judgment", "comment")
        return
    if protocol.comment == "off":
        raise Invalid("this project does not take comments", "comment")
    if len(comment) > MAX_COMMENT:
        raise Invalid(f"a comment has at most {MAX_COMMENT} characters", "comment")
    if "\0" in comment:
        raise Invalid("a comment cannot hold the character NUL", "comment")


def outcomes(ranks: Sequence[int]) -> list[Outcome]:
    """All pairs of one ranking, in shown order: k(k-1)/2 outcomes that are one judgment and stay together."""
    return [
        Outcome(a, b, 0.5 if ranks[a] == ranks[b] else float(ranks[a] < ranks[b]))
        for a in range(len(ranks))
        for b in range(a + 1, len(ranks))
    ]


def dense(ranks: Sequence[float]) -> tuple[int, ...]:
    """The same order and ties in ranks without gaps, for data that counts 1, 2, 2, 4 or starts at 0."""
    place = {rank: position for position, rank in enumerate(sorted(set(ranks)), start=1)}
    return tuple(place[rank] for rank in ranks)


def reorder(ranks: Sequence[int], shown: Sequence[T], wanted: Sequence[T]) -> tuple[int, ...]:
    """Ranks given in the order `shown`, told in the order `wanted` (a swapped repeat against its original)."""
    rank_of = dict(zip(shown, ranks, strict=True))
    if len(rank_of) != len(shown) or rank_of.keys() != set(wanted) or len(wanted) != len(shown):
        raise Invalid("both orders must hold the same completions, each once")
    return tuple(rank_of[item] for item in wanted)
