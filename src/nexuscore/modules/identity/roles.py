"""Platform roles: what admin, moderator, user and guest may do by the permissions' own declarations."""

from weakref import WeakKeyDictionary

from nexuscore.kernel.app import App
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import ROLES

RANK = {"guest": 0, "user": 1, "moderator": 2, "admin": 3}
_held: WeakKeyDictionary[App, dict[str, frozenset[str]]] = WeakKeyDictionary()


def first_role(settings: IdentitySettings) -> str:
    """The role a new account begins with."""
    return "user" if settings.unlock_code is None else "guest"


def permissions_of(app: App, role: str) -> frozenset[str]:
    """The permissions a platform role holds, in every organisation and outside of them."""
    by_role = _held.get(app)
    if by_role is None:
        by_role = _held[app] = {each: _declared(app, each) for each in ROLES}
    return by_role[role]


def _declared(app: App, role: str) -> frozenset[str]:
    """An admin holds what any platform role holds; the others what names them."""
    names = {f"platform:{each}" for each in (ROLES if role == "admin" else (role,))}
    return frozenset(name for name, permission in app.permissions.items() if names & set(permission.roles))
