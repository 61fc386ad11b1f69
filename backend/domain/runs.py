"""The life of a run: its kinds, its states with a sentence each, and the table of allowed moves.

Knows nothing of queues, workers or time. A service makes a move as one UPDATE that names the state it leaves;
this table says which moves there are.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeGuard, get_args

from backend.domain.training import CONFIGS
from backend.errors import Conflict, Invalid

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Action = Literal["cancel", "resume"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run, as people read it."""

    title: str
    sentence: str


KINDS = MappingProxyType({kind: Kind(config.title, config.description) for kind, config in CONFIGS.items()})

STATES: MappingProxyType[State, str] = MappingProxyType(
    {
        "queued": "waits for a free worker",
        "running": "a worker is at it",
        "succeeded": "done; its results are complete",
        "failed": "stopped by an error, which its message names; it can be resumed from the last saved state",
        "cancelled": "stopped by a person; it can be resumed from the last saved state",
    }
)

MOVES: MappingProxyType[State, frozenset[State]] = MappingProxyType(
    {
        # A queued run fails when its inputs are gone before it starts.
        "queued": frozenset[State]({"running", "failed", "cancelled"}),
        # Back to queued: its worker was lost or told to stop, and the next attempt resumes.
        "running": frozenset[State]({"queued", "succeeded", "failed", "cancelled"}),
        "succeeded": frozenset[State](),
        "failed": frozenset[State]({"queued"}),
        "cancelled": frozenset[State]({"queued"}),
    }
)

LIVE: frozenset[State] = frozenset({"queued", "running"})


def check_kind(kind: str) -> None:
    """Refuse a kind that does not exist."""
    if kind not in KINDS:
        raise Invalid(f"there is no kind of run named {kind[:80]!r}; there are {', '.join(KINDS)}", "kind")


def check_move(leaving: str, entering: str) -> None:
    """Refuse a move that the table does not hold."""
    if not _is_state(leaving) or not _is_state(entering):
        raise Invalid(f"a run is {', '.join(STATES)}; not {leaving[:40]!r} or {entering[:40]!r}", "state")
    if entering not in MOVES[leaving]:
        raise Conflict(f"a run that is {leaving} cannot become {entering}", "state")


def actions(state: str, cancel_requested: bool = False) -> list[Action]:
    """What a person may ask of a run in this state; asking twice to cancel would say nothing new."""
    if state in LIVE:
        return [] if cancel_requested else ["cancel"]
    return ["resume"] if state in ("failed", "cancelled") else []


def check_action(action: Action, state: str, cancel_requested: bool = False) -> None:
    """Refuse an action that the state does not offer."""
    if action in actions(state, cancel_requested):
        return
    if action == "cancel" and cancel_requested and state in LIVE:
        raise Conflict("this run has already been asked to stop", "state")
    raise Conflict(f"a run that is {state} cannot be {'cancelled' if action == 'cancel' else 'resumed'}", "state")


def _is_state(name: str) -> TypeGuard[State]:
    return name in get_args(State)
