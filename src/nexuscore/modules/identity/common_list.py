"""How `common_passwords.z` is made: `python -m nexuscore.modules.identity.common_list`.

The 10,000 commonest of the breached passwords zxcvbn counted, and of its other 20,000 those long enough to
pass the shortest rule; and the commonest English words, which people dress up as passwords.
"""

from pathlib import Path
from zlib import compress

_COMMONEST = 10_000
_LONG = 8
_WORDS = 5_000
_LEAST = 4


def build() -> bytes:
    """The list, sorted, one a line, compressed. The same bytes from the same zxcvbn."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it ships no types

    passwords: list[str] = FREQUENCY_LISTS["passwords"]
    words: list[str] = FREQUENCY_LISTS["english_wikipedia"]
    chosen = {
        *passwords[:_COMMONEST],
        *(word for word in passwords if len(word) >= _LONG),
        *(word for word in words[:_WORDS] if len(word) >= _LEAST + 1),
    }
    return compress("\n".join(sorted(word for word in chosen if len(word) >= _LEAST)).encode(), 9)


if __name__ == "__main__":
    Path(__file__).with_name("common_passwords.z").write_bytes(build())
