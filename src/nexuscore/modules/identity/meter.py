"""How strong a password is, with advice. Nothing of it is kept or logged."""

import re
from typing import Any

from nexuscore.kernel import i18n
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity import policy
from nexuscore.modules.identity.hashing import Threads, normal
from nexuscore.modules.identity.schemas import PasswordJudged, PasswordToJudge
from nexuscore.modules.identity.settings import IdentitySettings

LABELS = ("weak", "fair", "good", "strong", "very_strong")
_ESTIMATES = 72  # zxcvbn reads no further, and longer is strong anyway
_SWAPPED = frozenset("4@8({[<369&#!1/0$5+7%2|")  # what it reads as letters; its time doubles with each
_MOST_SWAPPED = 12
_CLASSLESS = "No need for symbols, digits, or uppercase letters."
_threads = Threads(1, 20)


async def judge(exchange: Exchange, given: PasswordToJudge) -> PasswordJudged:
    """The password's score, what would make it better, and whether the policy takes it."""
    settings, locale = exchange.app.settings[IdentitySettings], exchange.locale
    about = [text for text in (given.email, given.name) if text]
    found = await _threads.run(_estimate, given.password, about)
    score: int = found["score"]
    feedback = found["feedback"]
    faults = policy.judge(given.password, settings, about)
    not_here = _CLASSLESS if settings.password_rule == "classes" else None  # noqa: S105 - the name of a rule
    refused = [fault.public(locale) for fault in faults]
    return PasswordJudged(
        score=score,
        label=LABELS[score],
        percent=(score + 1) * 20,
        warning=i18n.translate(locale, feedback["warning"]) if feedback["warning"] else None,
        suggestions=[i18n.translate(locale, text) for text in feedback["suggestions"] if text != not_here],
        acceptable=not refused,
        faults=refused,
    )


def _estimate(password: str, about: list[str]) -> dict[str, Any]:
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # it ships no types; heavy, so not imported above

    parts = [part for text in about for part in (text, *re.split(r"[\W_]+", text)) if part]
    found: dict[str, Any] = zxcvbn(_bounded(normal(password)), user_inputs=parts)
    return found


def _bounded(word: str) -> str:
    """As much of a password as can be judged in a tenth of a second. What is left out only lowers the score."""
    swapped = sorted(_SWAPPED.intersection(word), key=word.index)
    excess = set(swapped[_MOST_SWAPPED:])
    return "".join(char for char in word if char not in excess)[:_ESTIMATES]
