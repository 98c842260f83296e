"""/dev/mail: the mails of this installation as their readers see them. Not there in production."""

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from nexuscore.kernel import i18n
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Public, Reply, Routes
from nexuscore.modules.mail import outbox
from nexuscore.modules.mail.senders.chain import chain

if TYPE_CHECKING:
    from jinja2 import Environment

routes = Routes("/dev/mail", tag="Mail", outside_api=True)
Developer = Annotated[Ctx, Public("For whoever develops; in production there is no such page.")]

_TEMPLATES = Path(__file__).parent / "templates"
_OWN = "base-uri 'none'; form-action 'none'; default-src 'none'"
_PAGE = f"{_OWN}; style-src 'self'; frame-src 'self'; frame-ancestors 'none'"
_MAIL = f"{_OWN}; sandbox; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@routes.get("")
async def dev_mails(ctx: Developer) -> Reply:
    """The newest hundred mails."""
    _not_in_production(ctx)
    senders = ", ".join(sender.name for sender in chain(ctx.app))
    return _page(ctx, "list.html", mails=await outbox.newest(ctx), senders=senders)


@routes.get("/style.css")
async def dev_mail_style(ctx: Developer) -> Reply:
    """The style of these pages."""
    _not_in_production(ctx)
    return Reply(body=(_TEMPLATES / "style.css").read_bytes(), media="text/css; charset=utf-8")


@routes.get("/{mail_id}")
async def dev_mail(ctx: Developer, mail_id: UUID) -> Reply:
    """One mail: how it fared, and what it says."""
    _not_in_production(ctx)
    return _page(ctx, "mail.html", mail=await outbox.one(ctx, mail_id))


@routes.get("/{mail_id}/html")
async def dev_mail_html(ctx: Developer, mail_id: UUID) -> Reply:
    """The mail's HTML alone, where it can neither run anything nor ask anybody for anything."""
    _not_in_production(ctx)
    mail = await outbox.one(ctx, mail_id)
    reply = Reply(body=mail.html.encode(), media="text/html; charset=utf-8")
    return reply.header("content-security-policy", _MAIL).header("x-frame-options", "SAMEORIGIN")


@routes.get("/{mail_id}/source")
async def dev_mail_source(ctx: Developer, mail_id: UUID) -> Reply:
    """The mail as it would go over the wire."""
    _not_in_production(ctx)
    mail = await outbox.one(ctx, mail_id)
    return Reply(body=mail.source.encode(), media="text/plain; charset=utf-8")


def _not_in_production(ctx: Ctx) -> None:
    if ctx.app.kernel.env == "production":
        raise NotFoundError


def _page(ctx: Ctx, name: str, **variables: Any) -> Reply:
    words = {
        "_": partial(i18n.translate, ctx.locale),
        "lang": i18n.language_of(ctx.locale),
        "dir": "rtl" if i18n.is_rtl(ctx.locale) else "ltr",
    }
    body = _pages().get_template(name).render(**words, **variables)
    reply = Reply(body=body.encode(), media="text/html; charset=utf-8")
    return reply.header("content-security-policy", _PAGE).header("cache-control", "no-store")


@lru_cache(maxsize=1)
def _pages() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
