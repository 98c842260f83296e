"""PDFs: made by a job, kept in the store, downloaded by a signed link that expires.

What is on paper never changes once an invoice is open, so a file that is lost is simply made again.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel import store
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.i18n import language_of
from nexuscore.kernel.jobs import Job
from nexuscore.modules.invoices import credit_notes, drafts, papers, schemas
from nexuscore.modules.invoices.errors import LinkExpired, NotIssued
from nexuscore.modules.invoices.papers import Paper
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tables import Document

PURPOSE = "invoices.document"

_NOTE = insert(Document).on_conflict_do_nothing().returning(Document)
_FIND = select(Document).where(
    Document.invoice_id == bindparam("of_invoice"),
    Document.credit_note_id.is_not_distinct_from(bindparam("of_note")),
    Document.language == bindparam("written_in"),
)
_ONE = select(Document).where(Document.id == bindparam("document_id"))
_READY = update(Document).where(Document.id == bindparam("document_id"), Document.ready_at.is_(None))


class MakeDocument(Job, name="invoices.make_document"):
    """Print a paper and put it into the store."""

    document_id: UUID


@dataclass(frozen=True, slots=True)
class Printing:
    """A document with all that stands on it."""

    id: UUID
    file: str
    paper: Paper


async def request(
    ctx: Ctx, invoice_id: UUID, language: str | None = None, credit_note_id: UUID | None = None
) -> Document:
    """The paper of an invoice of the scope, or of a credit note of it; a job makes it when it is asked for first."""
    invoice = await drafts.get(ctx, invoice_id)
    if invoice.number is None:
        raise NotIssued
    if credit_note_id is not None and (await credit_notes.get(ctx, credit_note_id)).invoice_id != invoice_id:
        raise NotFoundError
    written_in = language_of(language or (invoice.customer or {}).get("locale") or ctx.locale)
    new = await ctx.db.first(_NOTE, invoice_id=invoice_id, credit_note_id=credit_note_id, language=written_in)
    if new is not None:
        ctx.enqueue(MakeDocument(document_id=new.id))
        return new
    return await ctx.db.one(_FIND, of_invoice=invoice_id, of_note=credit_note_id, written_in=written_in)


def shown(ctx: Ctx, document: Document) -> schemas.Document:
    """The document as it is answered, with a link once it is made."""
    if document.ready_at is None:
        return schemas.Document(state="waiting", language=document.language, link=None, expires_at=None)
    expires_at = ctx.now + timedelta(days=ctx.app.settings[InvoiceSettings].link_days)
    return schemas.Document(state="ready", language=document.language, link=link(ctx, document), expires_at=expires_at)


def link(ctx: Ctx, document: Document) -> str:
    """A link to the file that works without signing in, for some days."""
    return f"{ctx.app.kernel.public_url}{path(ctx, document)}"


def path(ctx: Ctx, document: Document) -> str:
    """The same link within this installation."""
    expires = int(ctx.now.timestamp()) + 86_400 * ctx.app.settings[InvoiceSettings].link_days
    signature = ctx.app.keyring.sign(PURPOSE, _signed(document.id, expires))
    return f"/api/v1/invoices/files/{document.id}?expires={expires}&signature={signature}"


def check_link(app: App, document_id: UUID, expires: int, signature: str, now: datetime) -> None:
    """Stop here unless we made this link, and not too long ago."""
    if not app.keyring.verify(PURPOSE, _signed(document_id, expires), signature):
        raise NotFoundError
    if now.timestamp() >= expires:
        raise LinkExpired


async def download(app: App, document_id: UUID) -> tuple[str, bytes]:
    """The name and the content of the file whose link was checked."""
    async with app.context() as ctx:
        found = await printing(ctx, document_id)
    content = await store.get(folder(app), found.file)
    if content is None:
        content = await make(app, found)
    return found.file.rpartition("/")[2], content


async def printing(ctx: Ctx, document_id: UUID) -> Printing:
    """All that is needed to print a document."""
    async with ctx.across_orgs("a document is found by its id") as everywhere:
        document = await everywhere.db.one(_ONE, document_id=document_id)
    async with ctx.in_org(document.org_id) as there:
        invoice = await drafts.get(there, document.invoice_id)
        if document.credit_note_id is None:
            number, paper = str(invoice.number), papers.of_invoice(invoice, document.language)
        else:
            note = await credit_notes.get(there, document.credit_note_id)
            number, paper = note.number, papers.of_credit_note(note, invoice, document.language)
    file = f"invoices/{document.org_id}/{number.lower()}-{document.language}.pdf"
    return Printing(document.id, file, paper)


async def make(app: App, found: Printing) -> bytes:
    """Print it and keep it."""
    fonts = app.settings[InvoiceSettings].fonts
    content = await asyncio.to_thread(papers.printed, found.paper, fonts=fonts)
    await store.put(folder(app), found.file, content)
    return content


async def ready(ctx: Ctx, document_id: UUID) -> None:
    """The document is made."""
    async with ctx.across_orgs("a document is found by its id") as everywhere:
        await everywhere.db.execute(_READY, document_id=document_id, ready_at=ctx.now)


def folder(app: App) -> Path:
    """Where the files are."""
    return app.settings[InvoiceSettings].folder or app.kernel.data / "invoices"


def _signed(document_id: UUID, expires: int) -> bytes:
    return f"{document_id} {expires}".encode()
