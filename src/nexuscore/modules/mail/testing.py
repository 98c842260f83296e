"""For the tests of modules that send mail.

    [mail] = await outbox(house)
    assert mail.to == "alice@example.com"
    token = parse_qs(urlsplit(mail.links[0]).query)["token"][0]

`faults_of_messages(app)` says what is wrong with the templates and translations of every message the app has.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from nexuscore.kernel import i18n
from nexuscore.kernel.app import App
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules.mail import outbox as kept
from nexuscore.modules.mail.errors import NotRendered
from nexuscore.modules.mail.messages import RESERVED, Href, Message, is_marked, registered
from nexuscore.modules.mail.outbox import Sent
from nexuscore.modules.mail.rendering import LAYOUT, brand_of, environments, render
from nexuscore.modules.mail.settings import MailSettings

__all__ = ["Sent", "faults_of_messages", "outbox", "sample"]

_SAMPLES: dict[Any, Any] = {
    str: "sample",
    int: 3,
    bool: True,
    UUID: UUID(int=7),
    date: date(2026, 11, 20),
    datetime: datetime(2026, 11, 20, 12, 30, tzinfo=UTC),
    timedelta: timedelta(hours=24),
    Money: Money(123456, "SGD"),
}
_LEFT_OVER = re.compile(r"\{\{|\{%|\{\w+\}")
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_FETCHED = re.compile(r"""<(?:img|link|script|iframe|object|embed)\b[^>]*?(?:src|href|data)="([^"]*)|@import|url\(""")


async def outbox(house: House) -> list[Sent]:
    """Every mail sent so far, oldest first, once the jobs that are due have run."""
    await house.drain()
    async with house.app.context() as ctx:
        mails = await kept.newest(ctx, 1000)
    return [mail for mail in reversed(mails) if mail.source]


def sample(kind: type[Message], **given: Any) -> Message:
    """A message filled in: what is given, else a field's first example, its default, or something of its type."""
    values: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name in given:
            values[name] = given[name]
        elif field.examples:
            values[name] = field.examples[0]
        elif not field.is_required():
            continue
        elif is_marked(field, Href()):
            values[name] = f"https://app.example.com/{name}?token=sample&x=1"
        elif field.annotation in _SAMPLES:
            values[name] = _SAMPLES[field.annotation]
        else:
            raise TypeError(f"{kind.__name__}.{name}: say Field(examples=[...]), there is no sample of its type")
    return kind(**values)


def faults_of_messages(app: App) -> list[str]:
    """What is wrong with the app's messages, in words; empty when every one reads well in every language."""
    return [f"{kind.template.name}: {fault}" for kind in registered(app).values() for fault in _faults_of(app, kind)]


def _faults_of(app: App, kind: type[Message]) -> Iterator[str]:
    message = sample(kind)
    yield from _faults_of_templates(app, kind)
    for language in i18n.LANGUAGES:
        try:
            written = render(app, message, language)
        except NotRendered as error:
            yield f"{language}: {error}"
            continue
        html = _STYLE.sub("", written.html)
        for part, text in (("subject", written.subject), ("text", written.text), ("HTML", html)):
            if found := _LEFT_OVER.search(text):
                yield f"{language}: {found[0]} is left in the {part}"
        direction = "rtl" if i18n.is_rtl(language) else "ltr"
        if f'<html lang="{language}" dir="{direction}"' not in html:
            yield f"{language}: the HTML does not say dir={direction!r}"
        for found in _FETCHED.finditer(written.html):
            if found[1] is None or found[1] != brand_of(app).logo:
                yield f"{language}: the reader's mail program would fetch {found[0]!r}"


def _faults_of_templates(app: App, kind: type[Message]) -> Iterator[str]:
    """Names no branch may use, and texts that have no translation."""
    from jinja2 import meta, nodes

    template = kind.template
    own = app.settings[MailSettings].templates
    env = environments(own, template.folder)[0]
    texts = {template.subject}
    for folder, name in ((LAYOUT, "layout"), (template.folder, template.short)):
        for suffix in ("mjml", "txt"):
            tree = env.parse((folder / f"{name}.{suffix}").read_text(encoding="utf-8"))
            for unknown in sorted(meta.find_undeclared_variables(tree) - RESERVED - kind.model_fields.keys()):
                yield f"{name}.{suffix} uses {unknown!r}, which is not a field"
            for call in tree.find_all(nodes.Call):
                if isinstance(call.node, nodes.Name) and call.node.name in ("_", "n_"):
                    texts |= {each.value for each in call.args[:1] if isinstance(each, nodes.Const)}
    for language in i18n.LANGUAGES:
        for text in sorted(texts):
            if language != "en" and any(map(str.isalpha, text)) and i18n.translate(language, text) == text:
                yield f"{language}: no translation of {text!r}"
