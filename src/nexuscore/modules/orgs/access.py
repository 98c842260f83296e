"""Who may do what in an organisation: what a role holds, what a member holds, and why.

Nobody gives, or takes from others, what they do not hold themselves. That one rule keeps admins from
making owners and keeps a custom role from being worth more than whoever made it.
"""

from collections.abc import Iterable

from nexuscore.kernel.access import Permission, can
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules.orgs.errors import AboveYourself
from nexuscore.modules.orgs.tables import ROLES

PLATFORM = "platform:"


def organisation_permissions(app: App) -> dict[str, Permission]:
    """Everything that can be held in an organisation: all that is declared, less what only the platform gives."""
    return {
        permission.name: permission
        for permission in app.permissions.values()
        if not permission.roles or not all(role.startswith(PLATFORM) for role in permission.roles)
    }


def held_by_role(app: App, role: str, custom: Iterable[str] | None = None) -> frozenset[str]:
    """What a role holds: an owner everything, a custom role what it lists, the others what modules declare."""
    known = organisation_permissions(app)
    if role == "owner":
        return frozenset(known)
    if role in ROLES:
        return frozenset(name for name, permission in known.items() if role in permission.roles)
    return frozenset(custom or ()).intersection(known)


def held(app: App, role: str, custom: Iterable[str] | None, extra: Iterable[str]) -> frozenset[str]:
    """What a member holds: the role's permissions and the extra ones. What no module declares any more is nothing."""
    return held_by_role(app, role, custom) | frozenset(extra).intersection(organisation_permissions(app))


def require_all(ctx: Ctx, permissions: Iterable[str]) -> None:
    """Stop here unless the actor holds all of these: the rule for giving and for taking."""
    missing = sorted(name for name in permissions if not can(ctx, name))
    if missing:
        raise AboveYourself(details={"missing": missing})


def require_known(app: App, names: Iterable[str], field: str) -> list[str]:
    """The names, sorted and once each; one fault per name that is no permission of an organisation."""
    known = organisation_permissions(app)
    wanted = sorted(set(names))
    wrong = [
        Fault(field, "unknown_permission", "There is no permission {name}.", {"name": name})
        for name in wanted
        if name not in known
    ]
    if wrong:
        raise ValidationError.of(wrong)
    return wanted
