"""Who may do what: permissions as modules declare them, the actor who holds them, and the questions.

Roles live with whoever stores them; the kernel only knows that an actor holds permissions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from nexuscore.kernel.errors import AuthenticationError, AuthorizationError
from nexuscore.kernel.events import Event

if TYPE_CHECKING:
    from nexuscore.kernel.ctx import Ctx

EVERYTHING = "*"
Rule = Callable[["Ctx", Any], bool]


class PermissionDenied(Event, type="access.denied", public=False):
    """Somebody asked for what they may not have."""

    operation: str
    permission: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Something a module lets people do. `roles` are the organisation roles that hold it at first."""

    name: str
    meaning: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, an API key, or the system itself."""

    kind: Literal["anonymous", "user", "key", "system"] = "anonymous"
    id: UUID | None = None
    permissions: frozenset[str] = frozenset()
    session: UUID | None = None
    fresh: bool = False  # proved who they are again a moment ago
    ip: str | None = None
    agent: str | None = None
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def known(self) -> bool:
        """Whether somebody is there at all."""
        return self.kind != "anonymous"


ANONYMOUS = Actor()
SYSTEM = Actor(kind="system", permissions=frozenset({EVERYTHING}))


class Acting(Protocol):
    """Whatever knows who acts: a context, or the identity of a request that has none yet."""

    @property
    def actor(self) -> Actor: ...


def can(ctx: Acting, permission: str) -> bool:
    """Whether the actor holds `permission` in the scope they act in."""
    held = ctx.actor.permissions
    return permission in held or EVERYTHING in held


def require(ctx: Acting, permission: str) -> None:
    """Stop here unless the actor holds `permission`: 401 for nobody, 403 for somebody else."""
    if can(ctx, permission):
        return
    if not ctx.actor.known:
        raise AuthenticationError
    raise AuthorizationError(details={"permission": permission})


def require_fresh(ctx: Acting) -> None:
    """Stop here unless the actor proved who they are a moment ago."""
    if not ctx.actor.fresh:
        raise AuthenticationError("Please confirm that it is you, then try again.", code="reauthentication_required")


ACCOUNT = "account"


def require_account(ctx: Acting) -> None:
    """Stop an API key here that was not made for its owner's account, where no other permission is asked for."""
    if ctx.actor.kind == "key":
        require(ctx, ACCOUNT)


def owns(ctx: Acting, row: Any, column: str = "created_by") -> bool:
    """The object rule most rooms need: the row names the actor in `column`."""
    return ctx.actor.id is not None and getattr(row, column) == ctx.actor.id


def require_owner(ctx: Acting, row: Any, column: str = "created_by") -> None:
    """Stop here unless the row is the actor's own."""
    if not owns(ctx, row, column):
        raise AuthorizationError(code="ownership_denied")
