"""Who is asking: the slot an identity module fills, and the development token until one does."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from nexuscore.kernel.access import ANONYMOUS, EVERYTHING, Actor
from nexuscore.kernel.crypto import new_token, same
from nexuscore.kernel.errors import AuthenticationError, ValidationError
from nexuscore.kernel.http.exchange import Exchange

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

ORG_HEADER = "nexus-org"
DEVELOPMENT_ORG = UUID("01890000-0000-7000-8000-000000000001")
DEVELOPMENT_USER = UUID("01890000-0000-7000-8000-000000000002")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, in which organisation, in which language and by which clock they want to be answered."""

    actor: Actor = ANONYMOUS
    org: UUID | None = None
    locale: str | None = None
    time_zone: str | None = None


class Authenticator(ABC):
    """The slot: turns what a request carries into an identity. Called for every operation."""

    @abstractmethod
    async def identify(self, app: "App", exchange: Exchange) -> Identity:
        """Who asks; anonymous when nothing was sent, `AuthenticationError` when it is not valid."""

    def schemes(self) -> dict[str, dict[str, object]]:
        """The OpenAPI security schemes it understands."""
        return {"bearer": {"type": "http", "scheme": "bearer"}}

    def form_token(self, app: "App", identity: Identity) -> str | None:
        """What the forms of a browser session show with every change; None when no cookie says who asks."""
        return None


class DevelopmentToken(Authenticator):
    """One token, kept in the data folder, that may do everything. Never in production.

    With a module for identity `behind` it, everything that is not this token is that module's to judge.
    """

    def __init__(self, behind: Authenticator | None = None) -> None:
        self._behind = behind

    def schemes(self) -> dict[str, dict[str, object]]:
        """Those of the module behind, or a bearer token."""
        return super().schemes() if self._behind is None else self._behind.schemes()

    def form_token(self, app: "App", identity: Identity) -> str | None:
        """That of the module behind."""
        return None if self._behind is None else self._behind.form_token(app, identity)

    async def identify(self, app: "App", exchange: Exchange) -> Identity:
        """The development user, in the organisation the header names or the one there is."""
        given = exchange.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not same(token.strip(), development_token(app)):
            if self._behind is not None:
                return await self._behind.identify(app, exchange)
            if not given:
                return Identity(replace(ANONYMOUS, ip=exchange.ip))
            raise AuthenticationError(code="invalid_token")
        org = exchange.headers.get(ORG_HEADER)
        return Identity(
            Actor(
                "user",
                DEVELOPMENT_USER,
                frozenset({EVERYTHING}),
                ip=exchange.ip,
                agent=exchange.headers.get("user-agent"),
            ),
            DEVELOPMENT_ORG if org is None else parse_org(org),
        )


@lru_cache(maxsize=4096)
def parse_org(text: str) -> UUID:
    """The organisation a header names."""
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError(
            details=[{"field": ORG_HEADER, "code": "uuid_parsing", "message": "Not a UUID."}]
        ) from None


_tokens: dict[Path, str] = {}


def development_token(app: "App") -> str:
    """The token `nexus serve` prints while no identity module is there."""
    if app.kernel.dev_token is not None:
        return app.kernel.dev_token.get_secret_value()
    data = app.kernel.data
    if data not in _tokens:
        path = data / "dev_token"
        if not path.exists():
            data.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(new_token("nxdev_").value)
        _tokens[data] = path.read_text().strip()
    return _tokens[data]
