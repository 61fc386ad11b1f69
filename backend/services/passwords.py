"""How passwords are judged, hashed and verified. Knows no table.

Argon2id at the floor that OWASP recommends: 19 MiB of memory and two passes make one verification cost some tens of
milliseconds, so callers limit how many run at once.
"""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.errors import Invalid

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

SHORTEST = 10
LONGEST = 512

_hasher = PasswordHash((Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES),))

# What an unknown e-mail is verified against, so that it takes the same time as a wrong password.
_nobody = _hasher.hash("nobody has this password")


def check_rules(password: str, field: str = "password") -> None:
    """Raise Invalid for a password that a person must not choose."""
    if len(password) < SHORTEST:
        raise Invalid(f"The password needs at least {SHORTEST} characters.", field)
    if len(password) > LONGEST:
        raise Invalid(f"The password has more than {LONGEST} characters.", field)
    if len(set(password)) < 4:
        raise Invalid("The password repeats too few different characters.", field)


def hash_password(password: str) -> str:
    """The hash to store."""
    return _hasher.hash(password)


def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether it is the right password, and a new hash when the stored one is of older settings.

    Without a stored hash the work is done all the same and the answer is no.
    """
    right, renewed = _hasher.verify_and_update(password, stored or _nobody)
    return (right and stored is not None), renewed
