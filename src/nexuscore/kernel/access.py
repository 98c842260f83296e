"""Who may do what: permissions as modules declare them, the actor who holds them, and the questions.

Roles live with whoever stores them; the kernel only knows that an actor holds permissions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
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


def can(ctx: "Ctx", permission: str) -> bool:
    """Whether the actor holds `permission` in the scope they act in."""
    held = ctx.actor.permissions
    return permission in held or EVERYTHING in held


def require(ctx: "Ctx", permission: str) -> None:
    """Stop here unless the actor holds `permission`: 401 for nobody, 403 for somebody else."""
    if can(ctx, permission):
        return
    if not ctx.actor.known:
        raise AuthenticationError
    raise AuthorizationError(details={"permission": permission})


def require_fresh(ctx: "Ctx") -> None:
    """Stop here unless the actor proved who they are a moment ago."""
    if not ctx.actor.fresh:
        raise AuthenticationError("Please confirm that it is you, then try again.", code="reauthentication_required")


def owns(ctx: "Ctx", row: Any, column: str = "created_by") -> bool:
    """The object rule most rooms need: the row names the actor in `column`."""
    return ctx.actor.id is not None and getattr(row, column) == ctx.actor.id


def require_owner(ctx: "Ctx", row: Any, column: str = "created_by") -> None:
    """Stop here unless the row is the actor's own."""
    if not owns(ctx, row, column):
        raise AuthorizationError(code="ownership_denied")
