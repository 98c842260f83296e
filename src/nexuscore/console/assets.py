"""Styles, scripts and pictures under names that say what is in them, so that browsers keep them for good."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from weakref import WeakKeyDictionary

from nexuscore.console.settings import ConsoleSettings
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Exchange, Public, Reply, Routes

routes = Routes("/console/assets", tag="Console", outside_api=True, unlimited="bytes in memory, which browsers keep")
Anybody = Annotated[Exchange, Public("styles and scripts hold nothing of anybody")]
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    name: str
    media: str
    body: bytes


class Assets:
    """Every asset of an app, by the name templates use and by the name it is served under."""

    def __init__(self, app: App) -> None:
        self._served: dict[str, Asset] = {}
        self._named: dict[str, str] = {}
        for module in app.modules:
            for path in sorted(module.assets.iterdir()) if module.assets else ():
                prefix = "" if module.name == "console" else f"{module.name}-"
                if path.suffix in _MEDIA:
                    self._add(f"{prefix}{path.name}", path.read_bytes())
        settings = app.settings[ConsoleSettings]
        self._add("theme.css", theme(settings).encode())
        self.logo: str | None = None
        if settings.logo is not None:
            self.logo = f"logo{settings.logo.suffix.lower()}"
            self._add(self.logo, settings.logo.read_bytes())

    def url(self, name: str) -> str:
        """Where an asset is."""
        return f"{routes.prefix}/{self._named[name]}"

    def served(self, name: str) -> Asset:
        """The asset that is served under a name."""
        found = self._served.get(name)
        if found is None:
            raise NotFoundError
        return found

    def _add(self, name: str, body: bytes) -> None:
        path = Path(name)
        served = f"{path.stem}.{hashlib.sha256(body).hexdigest()[:12]}{path.suffix}"
        self._named[name] = served
        self._served[served] = Asset(served, _MEDIA[path.suffix], body)


def theme(settings: ConsoleSettings) -> str:
    """The four variables of the look as CSS, and what can be read on them."""
    font = f"{settings.font}, " if settings.font else ""
    return (
        f":root{{--brand:{settings.brand};--on-brand:{readable_on(settings.brand)};--accent:{settings.accent};"
        f"--radius:{settings.radius}px;--font:{font}var(--system-font)}}\n"
    )


def readable_on(colour: str) -> str:
    """Black or white, whichever contrasts more (the relative luminance of WCAG 2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


_assets: WeakKeyDictionary[App, Assets] = WeakKeyDictionary()


def assets_of(app: App) -> Assets:
    """The assets of an app, read once."""
    found = _assets.get(app)
    if found is None:
        found = _assets[app] = Assets(app)
    return found


@routes.get("/{name}", unidentified=True)
async def console_asset(exchange: Anybody, name: str) -> Reply:
    """A style, a script or a picture of the console."""
    found = assets_of(exchange.app).served(name)
    return Reply(body=found.body, media=found.media).header("cache-control", _FOREVER)
