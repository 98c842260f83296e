"""What a session is shown as: the browser and system its user agent names, the country its address is in."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from nexuscore.kernel.app import App
from nexuscore.modules.identity.settings import IdentitySettings

_LONGEST_AGENT = 400


def clip(agent: str | None) -> str:
    """As much of a user agent as is worth keeping."""
    return (agent or "")[:_LONGEST_AGENT]


@lru_cache(maxsize=1024)
def device(agent: str) -> str:
    """A name a person recognises, such as "Firefox on Windows"; "" when nothing is known."""
    from ua_parser import parse  # heavy; only a sign-in needs it

    found = parse(agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return f"{browser} on {system}" if browser and system else browser or system


def country(app: App, ip: str | None) -> str | None:
    """The ISO code of the country an address is in, when a database of countries is set and knows it."""
    file = app.settings[IdentitySettings].geoip_file
    if file is None or ip is None:
        return None
    found: Any = _reader(file).get(ip)
    return found.get("country", {}).get("iso_code") if isinstance(found, dict) else None


@lru_cache(maxsize=4)
def _reader(file: Path) -> Any:
    from maxminddb import open_database

    return open_database(str(file))
