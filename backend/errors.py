"""The errors Podium raises on purpose; knows nothing of HTTP (`backend.app` alone maps them to a status).

PodiumError
├── Invalid           the request cannot be understood or breaks a rule; `field` names the place
├── Unauthenticated   nobody is signed in
├── Forbidden         somebody is, but may not do this
├── NotFound
├── Conflict          true when asked, but something else already stands in its place
├── Gone              it was there and has ended (an expired invitation, say)
├── TooLarge          the body exceeds what is accepted
├── NoSpace           the disk would be full
├── TooMany           asked too often
└── Unavailable       something Podium depends on is not there
"""


class PodiumError(Exception):
    """A plain sentence for the person who asked, and the field at fault where there is one."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Invalid(PodiumError):
    """The request breaks a rule."""


class Unauthenticated(PodiumError):
    """Nobody is signed in."""


class Forbidden(PodiumError):
    """The caller may not do this."""


class NotFound(PodiumError):
    """There is no such thing, or the caller may not know of it."""


class Conflict(PodiumError):
    """Something else already stands in its place."""


class Gone(PodiumError):
    """It was there and has ended."""


class TooLarge(PodiumError):
    """The body exceeds what is accepted."""


class NoSpace(PodiumError):
    """The disk would be full."""


class TooMany(PodiumError):
    """Asked too often; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, field: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message, field)
        self.retry_after_s = retry_after_s


class Unavailable(PodiumError):
    """Something Podium depends on cannot be reached."""
