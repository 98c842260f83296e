"""Jinja2 as every page is drawn with: everything escaped, nothing undefined, texts through the catalogues.

A module's template is named `module/name.html`; the console's own, which all may extend and import, by bare names.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    pass_context,
)
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.runtime import Context
from markupsafe import Markup, escape
from pydantic_core import to_json

from nexuscore.console import charts, formats, forms
from nexuscore.console.assets import assets_of
from nexuscore.console.grids import Column, grid
from nexuscore.kernel.app import App

OWN = Path(__file__).parent / "templates"
_ICON = re.compile(r'<symbol id="([\w-]+)"[^>]*>(.*?)</symbol>', re.DOTALL)
_environments: WeakKeyDictionary[App, Environment] = WeakKeyDictionary()


class _Compiled(BytecodeCache):
    """Templates as they were compiled, kept for all apps of this process; a changed one has another checksum."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


_compiled = _Compiled()


def environment_of(app: App) -> Environment:
    """The environment of an app, made once."""
    found = _environments.get(app)
    if found is None:
        found = _environments[app] = _make(app)
    return found


def _make(app: App) -> Environment:
    own = FileSystemLoader(OWN)
    rooms = {module.name: FileSystemLoader(module.templates) for module in app.modules if module.templates}
    environment = Environment(
        loader=ChoiceLoader([own, PrefixLoader(rooms)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled,
        auto_reload=app.kernel.env == "development",
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(
        icon=icon,
        is_sent=forms.is_sent,
        fault_of=forms.fault_of,
        value_of=forms.value_of,
        attributes=forms.attributes,
        col=Column,
        grid=grid,
        asset=assets_of(app).url,
        charts=charts,
        product=app.kernel.title,
        brand_logo=assets_of(app).logo,
        env=app.kernel.env,
        public_url=app.kernel.public_url,
    )
    return environment


@lru_cache(maxsize=1)
def icons() -> Mapping[str, str]:
    """The shapes of the sprite, by name."""
    sprite = (Path(__file__).parent / "icons.svg").read_text(encoding="utf-8")
    return {name: " ".join(shape.split()) for name, shape in _ICON.findall(sprite)}


@lru_cache(maxsize=256)
def icon(name: str, more: str = "") -> Markup:
    """An icon, as part of the page: no request for it, and it takes the colour of the text."""
    shape = icons().get(name) or icons()["dot"]
    classes = f"icon {escape(more)}".strip()
    return Markup(f'<svg class="{classes}" viewBox="0 0 24 24" aria-hidden="true">{shape}</svg>')  # noqa: S704 - our own


@pass_context
def _moment(context: Context, value: Any, *, seconds: bool = False) -> str:
    return formats.moment(value, context["lang"], context["zone"], seconds=seconds)


@pass_context
def _day(context: Context, value: Any) -> str:
    return formats.day(value, context["lang"], context["zone"])


@pass_context
def _ago(context: Context, value: Any) -> str:
    return formats.ago(value, context["lang"])


@pass_context
def _number(context: Context, value: Any) -> str:
    return formats.number(value, context["lang"])


@pass_context
def _counted(context: Context, value: Any) -> str:
    return formats.counted(value, context["lang"])


@pass_context
def _size(context: Context, value: Any) -> str:
    return formats.size(value, context["lang"])


@pass_context
def _money(context: Context, value: Any, currency: str = "SGD") -> str:
    return formats.money(value, context["lang"], currency)


@pass_context
def _micro(context: Context, value: Any, currency: str = "SGD") -> str:
    return formats.micro(value, context["lang"], currency)


@pass_context
def _duration(context: Context, value: Any) -> str:
    return formats.duration(value, context["lang"])


def _pretty(value: Any) -> str:
    """JSON for people."""
    return to_json(value, indent=2, fallback=str).decode()


def _initials(text: str) -> str:
    words = [word for word in re.split(r"[\s@._-]+", text) if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def _words(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items))


def _iso(value: Any) -> str:
    return value if isinstance(value, str) else value.isoformat() if value is not None else ""


def _zip(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(first, second, strict=True))


_FILTERS = {
    "zip": _zip,
    "moment": _moment,
    "day": _day,
    "ago": _ago,
    "number": _number,
    "counted": _counted,
    "size": _size,
    "money": _money,
    "micro": _micro,
    "duration": _duration,
    "pretty": _pretty,
    "initials": _initials,
    "words": _words,
    "iso": _iso,
}
