"""What other modules bring: providers we listen to, and handlers of what they say."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a provider. `raw` is its JSON, as it was signed when the provider sends one at a time."""

    event_id: str
    type: str
    raw: bytes

    @property
    def payload(self) -> Any:
        """The JSON, read."""
        return from_json(self.raw)


# (headers in lower case, body, secrets, now) -> events; `BadSignature` when none of the secrets signed it
Verify = Callable[[Mapping[str, str], bytes, Sequence[str], datetime], Sequence[Received]]


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who posts to `/hooks/{name}`. Without a secret nothing of theirs is accepted."""

    name: str
    verify: Verify
    secrets: Callable[[App], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Handler:
    """What to do with events of a provider whose type is `pattern`: exact, `invoice.*`, or `*`.

    `run` may be called again with the same event, and events come in any order. All handlers of an event run in one
    transaction, which is taken back when one of them fails.
    """

    provider: str
    pattern: str
    run: Callable[[Ctx, Received], Awaitable[None]]

    def wants(self, provider: str, type: str) -> bool:
        """Whether an event is for this handler."""
        if provider != self.provider:
            return False
        family = self.pattern.removesuffix("*")
        return type == self.pattern or (family != self.pattern and family[-1:] in ("", ".") and type.startswith(family))
