"""What a session is shown as: the browser and system its user agent names, the country its address is in."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from nexuscore.kernel.app import App
from nexuscore.kernel.log import get_logger
from nexuscore.modules.identity.settings import IdentitySettings

_log = get_logger(__name__)
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
    try:
        found: Any = _reader(file).get(ip)
    except (OSError, ValueError, RuntimeError) as error:  # nobody is kept out by a file that only decorates
        _log.warning("countries_unreadable", file=str(file), error=str(error))
        return None
    return found.get("country", {}).get("iso_code") if isinstance(found, dict) else None


@lru_cache(maxsize=4)
def _reader(file: Path) -> Any:
    from maxminddb import open_database

    return open_database(str(file))
