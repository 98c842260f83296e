"""Input that is not lost: what a form held when its sender had to sign in, kept until the form is shown again.

It is sealed, bound to the browser that sent it, and kept without what is secret in it.
"""

import json
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from nexuscore.console.settings import ConsoleSettings
from nexuscore.console.tables import Draft
from nexuscore.kernel import limits
from nexuscore.kernel.crypto import CryptoError, hash_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import RateLimitError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Sent
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.jobs import every
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.redaction import HIDDEN, redact_fields

FORM = "_form"
DRAFTS = Limit("drafts", "20/h", per="person")
_PURPOSE = "console.draft"
_LONGEST = 64_000
_PER_BROWSER = 5
_KEEP = insert(Draft)
_ONE = select(Draft).where(
    Draft.id == bindparam("draft"), Draft.browser == bindparam("of"), Draft.expires_at > bindparam("now")
)
_MINE = select(Draft.id).where(Draft.browser == bindparam("of")).order_by(Draft.id.desc()).offset(_PER_BROWSER)
_FORGET = delete(Draft).where(Draft.id.in_(_MINE))
_TOO_MANY = select(Draft.id).order_by(Draft.id.desc()).offset(bindparam("most"))
_TRIM = delete(Draft).where(Draft.id.in_(_TOO_MANY))
_SWEEP = delete(Draft).where(Draft.expires_at < bindparam("now"))


async def keep(exchange: Exchange, browser: str) -> UUID | None:
    """Keep a form's input for a browser; None when it is too long, or when its sender had as many kept as they may.

    Anybody may send a form, so the number of all is bounded too: the oldest go, which are least likely to be missed.
    """
    values = {
        name: held
        for name, held in exchange.page.sent.values.items()
        if name == FORM or not (name.startswith("_") or is_secret(name))
    }
    text = json.dumps(values)
    if not values or len(text) > _LONGEST:
        return None
    app, id, of = exchange.app, uuid7(), hash_token(browser)
    try:
        await limits.require(app, DRAFTS, limits.whom(DRAFTS, exchange.identity, exchange.ip))
    except RateLimitError:
        return None
    settings = app.settings[ConsoleSettings]
    sealed = app.keyring.seal(_PURPOSE, text, context=str(id))
    async with app.context(request_id=exchange.request_id) as ctx:
        expires_at = ctx.now + timedelta(hours=settings.draft_hours)
        await ctx.db.execute(_KEEP, id=id, browser=of, sealed=sealed, expires_at=expires_at)
        await ctx.db.execute(_FORGET, of=of)
        await ctx.db.execute(_TRIM, most=settings.drafts)
    return id


async def recall(ctx: Ctx, browser: str, draft: str) -> Sent | None:
    """What a browser's form held; None when there is nothing of it any more."""
    try:
        row = await ctx.db.first(_ONE, draft=UUID(draft), of=hash_token(browser), now=ctx.now)
        if row is None:
            return None
        text = ctx.app.keyring.open_sealed(_PURPOSE, row.sealed, context=str(row.id))
    except (ValueError, CryptoError):
        return None
    return Sent(values=json.loads(text))


def is_secret(name: str) -> bool:
    """Whether a field is one nobody should find anywhere again; addresses and numbers are not, while one types."""
    last = name.rpartition(".")[2]
    if last in ("email", "emails", "phone", "billing_address", "first_name", "last_name", "full_name", "recipient"):
        return False
    return redact_fields({last: "x y"})[last] == HIDDEN


@every("23 * * * *")
async def sweep_drafts(ctx: Ctx) -> None:
    """Forget what nobody came back for."""
    await ctx.db.execute(_SWEEP, now=ctx.now)
