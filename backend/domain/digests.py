"""The digest of a piece of content: the same whoever has that content. It decides splits and finds copies."""

import hashlib
import json
from typing import Any
from uuid import UUID

# Made once: json.dumps would make one for each call.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON: the same content has the same digest, whoever writes it."""
    return hashlib.sha256(_CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def named_id(namespace: UUID, name: str) -> UUID:
    """The id of this name within a namespace: what `uuid.uuid5` gives (RFC 9562, version 5), in a third of the time."""
    digest = hashlib.sha1(namespace.int.to_bytes(16, "big") + name.encode(), usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(digest[:16], "big") & _FREE | _VERSION_5)


_VERSION_5 = 5 << 76 | 0b10 << 62
_FREE = (1 << 128) - 1 ^ (0xF << 76 | 0b11 << 62)
