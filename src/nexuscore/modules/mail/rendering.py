"""From a message to subject, text and HTML: Jinja2 in a sandbox, then MJML with nothing included from elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nexuscore.kernel import i18n
from nexuscore.kernel.app import App
from nexuscore.kernel.money import Money
from nexuscore.modules.mail.errors import NotRendered
from nexuscore.modules.mail.messages import Message, is_clean
from nexuscore.modules.mail.settings import MailSettings

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

LAYOUT = Path(__file__).parent / "layout"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is read."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Brand:
    """Whose mail it is, as templates see it. `on_colour` is readable on `colour`."""

    product: str
    colour: str
    on_colour: str
    logo: str | None
    footer: str
    url: str


def brand_of(app: App) -> Brand:
    """The look the settings ask for."""
    settings = app.settings[MailSettings]
    return Brand(
        product=settings.product or app.kernel.title,
        colour=settings.brand_colour,
        on_colour=_readable_on(settings.brand_colour),
        logo=settings.logo_url,
        footer=settings.footer,
        url=app.kernel.public_url,
    )


def _readable_on(colour: str) -> str:
    """Black or white, whichever contrasts more (the relative luminance of WCAG 2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


def render(app: App, message: Message, locale: str) -> Rendered:
    """The message in a language; `NotRendered` says what is wrong with its templates."""
    from jinja2 import TemplateError

    settings, language = app.settings[MailSettings], i18n.language_of(locale)
    brand, template = brand_of(app), message.template
    fields = {name: getattr(message, name) for name in type(message).model_fields}
    subject = i18n.translate(language, template.subject, product=brand.product, **fields)
    variables = {**_words(language), **fields, "brand": brand, "subject": subject}
    html_env, text_env = environments(settings.templates, template.folder)
    try:
        mjml = _read(html_env, template.name, "mjml").render(variables)
        text = _read(text_env, template.name, "txt").render(variables)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise NotRendered(f"{template.name}: {type(error).__name__}: {error}") from error
    rendered = Rendered(subject, f"{text.strip()}\n", _to_html(template.name, mjml))
    if not is_clean(subject):
        raise NotRendered(f"{template.name}: the subject has a line break or control character")
    if len(rendered.html.encode()) > settings.max_bytes or len(rendered.text.encode()) > settings.max_bytes:
        raise NotRendered(f"{template.name}: the mail is larger than {settings.max_bytes} bytes")
    return rendered


def _words(language: str) -> dict[str, Any]:
    """What every template may use beside its message's fields."""
    rtl = i18n.is_rtl(language)
    return {
        "_": partial(i18n.translate, language),
        "n_": partial(i18n.ntranslate, language),
        "lang": language,
        "dir": "rtl" if rtl else "ltr",
        "start": "right" if rtl else "left",
        "end": "left" if rtl else "right",
    }


def _read(env: "SandboxedEnvironment", name: str, suffix: str) -> Any:
    """The template by its full name, which only an installation's own folder uses, or by its short one."""
    return env.select_template([f"{name}.{suffix}", f"{name.rpartition('.')[2]}.{suffix}"])


def _to_html(name: str, mjml: str) -> str:
    import mrml

    parsing = mrml.ParserOptions(include_loader=mrml.noop_loader())
    try:
        return mrml.to_html(mjml, parsing, mrml.RenderOptions(disable_comments=True, fonts={})).content
    except OSError as error:
        raise NotRendered(f"{name}: not valid MJML: {error}") from error


@lru_cache(maxsize=64)
def environments(own: Path | None, folder: Path) -> "tuple[SandboxedEnvironment, SandboxedEnvironment]":
    """Where HTML is written, everything escaped, and where text is written, nothing escaped."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    loader = FileSystemLoader([*([own] if own else []), LAYOUT, folder])
    made = []
    for escape in (True, False):
        env = ImmutableSandboxedEnvironment(
            loader=loader, autoescape=escape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        for name in ("safe", "xmlattr"):  # no way around the escaping
            del env.filters[name]
        env.filters.update(_filters())
        made.append(env)
    return made[0], made[1]


def _filters() -> dict[str, Callable[..., Any]]:
    from jinja2 import pass_context
    from jinja2.runtime import Context

    @pass_context
    def date(context: Context, value: datetime, zone: str = "UTC") -> str:
        """The day, in words."""
        from babel.dates import format_date

        return format_date(value.astimezone(_zone(zone)), "long", locale=context["lang"])

    @pass_context
    def moment(context: Context, value: datetime, zone: str = "UTC") -> str:
        """Day and time, with the zone."""
        from babel.dates import format_datetime

        return format_datetime(value, "d MMMM y, HH:mm z", tzinfo=_zone(zone), locale=context["lang"])

    @pass_context
    def duration(context: Context, value: timedelta) -> str:
        """A span such as "15 minutes"."""
        from babel.dates import format_timedelta

        return format_timedelta(value, threshold=1, locale=context["lang"])

    @pass_context
    def money(context: Context, value: Money) -> str:
        """An amount with its currency."""
        return value.format(context["lang"])

    return {"date": date, "moment": moment, "duration": duration, "money": money}


def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)
