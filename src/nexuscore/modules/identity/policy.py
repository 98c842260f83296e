"""Which passwords are good enough. The meter (`meter.py`) advises; this refuses."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from zlib import decompress

from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules.identity.hashing import normal
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User

LONGEST = 128
_SHORTEST = 12
_SHORTEST_NIST = 15
_SHORTEST_NIST_SECOND = 8
_TELLING = 4  # a shorter part of a name is in too many words to mean the person
_DECORATION = 8  # so many signs around a common word make it no better
_COMMON = Path(__file__).parent / "common_passwords.z"
_LEET = str.maketrans("01345678@$!+", "oieasgtbasit")


def require(
    password: str, settings: IdentitySettings, about: list[str], *, field: str = "password", second_factor: bool = False
) -> None:
    """Stop here with every reason why this password is not good enough for the person `about` describes."""
    faults = list(judge(password, settings, about, field=field, second_factor=second_factor))
    if faults:
        raise ValidationError.of(faults)


def judge(
    password: str, settings: IdentitySettings, about: list[str], *, field: str = "password", second_factor: bool = False
) -> Iterator[Fault]:
    """Why a password is not good enough; nothing when it is."""
    word = normal(password)
    shortest = _SHORTEST
    if settings.password_rule == "nist":  # noqa: S105 - the name of a rule
        shortest = _SHORTEST_NIST_SECOND if second_factor else _SHORTEST_NIST
    if len(word) < shortest:
        yield Fault(field, "too_short", "Use at least {min_length} characters.", {"min_length": shortest})
    if len(word) > LONGEST:
        yield Fault(field, "too_long", "Use at most {max_length} characters.", {"max_length": LONGEST})
        return
    if settings.password_rule == "classes" and not _has_all_classes(word):  # noqa: S105 - the name of a rule
        yield Fault(field, "classes", "Use capital and small letters, digits and signs.")
    if is_common(word):
        yield Fault(field, "common", "This password is too common: it is among the first that are tried.")
    if _tells(word, about):
        yield Fault(field, "personal", "Do not use your name or address in the password.")


def about(user: User) -> list[str]:
    """What a password of this person must not contain."""
    return [text for text in (user.email, user.name, user.company, user.phone) if text]


def is_common(password: str) -> bool:
    """Whether a password, or the word it dresses up, is one of those everybody tries first."""
    known = common_passwords()
    low = password.casefold()
    if low in known or low.translate(_LEET) in known:
        return True
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", low)
    if len(low) - len(bare) > _DECORATION or len(bare) < _TELLING:
        return False
    return bare in known or bare.translate(_LEET) in known


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """The list that comes with the package; docs/identity.md says how it is made."""
    return frozenset(decompress(_COMMON.read_bytes()).decode().split("\n"))


def _has_all_classes(word: str) -> bool:
    return (
        any(char.isupper() for char in word)
        and any(char.islower() for char in word)
        and any(char.isdecimal() for char in word)
        and any(not char.isalnum() for char in word)
    )


def _tells(word: str, about: list[str]) -> bool:
    low = word.casefold()
    plain = low.translate(_LEET)
    parts = {part for text in about for part in re.split(r"[\W_]+", text.casefold()) if len(part) >= _TELLING}
    return any(part in low or part in plain for part in parts - _EVERYBODYS)


_EVERYBODYS = frozenset({"mail", "gmail", "example", "hotmail", "outlook", "yahoo", "icloud", "test"})
