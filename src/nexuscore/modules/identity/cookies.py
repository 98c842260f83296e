"""The browser's side of a session: a cookie its pages cannot read, and a token they must show with every change."""

from datetime import timedelta
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity.settings import IdentitySettings

SESSION = "nexus_session"
CSRF = "nexus_csrf"
BROWSER = "nexus_browser"
CSRF_HEADER = "x-csrf-token"


def session_of(app: App, exchange: Exchange) -> str | None:
    """The session cookie the browser sent."""
    if "cookie" not in exchange.headers:
        return None
    return exchange.cookies.get(_name(app, SESSION))


def csrf_token(app: App, session_id: UUID) -> str:
    """The token a session's pages send along: bound to the session, stored nowhere."""
    return app.keyring.sign("identity.csrf", session_id.bytes)


def csrf_holds(app: App, exchange: Exchange, session_id: UUID) -> bool:
    """Whether a request shows its session's token."""
    given = exchange.headers.get(CSRF_HEADER)
    return given is not None and app.keyring.verify("identity.csrf", session_id.bytes, given)


def give(app: App, reply: Reply, session_id: UUID, cookie: str) -> Reply:
    """Hand the cookies of a session that just began to the browser."""
    life = timedelta(days=app.settings[IdentitySettings].refresh_days)
    _set(app, reply, SESSION, cookie, life, "; HttpOnly")
    return _set(app, reply, CSRF, csrf_token(app, session_id), life)


def take(app: App, reply: Reply) -> Reply:
    """Take them back."""
    _set(app, reply, SESSION, "", timedelta(), "; HttpOnly")
    return _set(app, reply, CSRF, "", timedelta())


def browser_of(app: App, exchange: Exchange) -> str | None:
    """The name a browser was given when it began something that only it may finish."""
    return exchange.cookies.get(_name(app, BROWSER))


def name_browser(app: App, reply: Reply, name: str) -> Reply:
    """Give a browser its name, for as long as a sign-in may take."""
    return _set(app, reply, BROWSER, name, timedelta(hours=1), "; HttpOnly")


def _set(app: App, reply: Reply, name: str, value: str, life: timedelta, more: str = "") -> Reply:
    secure = "; Secure" if _is_https(app) else ""
    age = int(life.total_seconds())
    return reply.header("set-cookie", f"{_name(app, name)}={value}; Path=/; Max-Age={age}; SameSite=Lax{secure}{more}")


def _name(app: App, name: str) -> str:
    """Over https the browser itself guarantees that no other host set the cookie."""
    return f"__Host-{name}" if _is_https(app) else name


def _is_https(app: App) -> bool:
    return app.kernel.public_url.startswith("https://")
