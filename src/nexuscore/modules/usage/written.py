"""What people type and read on the pages of usage."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import amount_of
from nexuscore.modules.usage.purchases import micro_of
from nexuscore.modules.usage.settings import UsageSettings


def typed(ctx: Ctx, text: str | None, field: str) -> int | None:
    """What was typed as money, in micro-units; None for nothing."""
    if text is None or not text.strip():
        return None
    return micro_of(amount_of(text, ctx.app.settings[UsageSettings].currency, field, least=0))


def ledger(ctx: Ctx, entries: Json, people: Mapping[str, str]) -> dict[str, Any]:
    """A page of the ledger with the names of people, and the currency its amounts are in."""
    page: dict[str, Any] = from_json(entries)
    for row in page["data"]:
        row["currency"] = ctx.app.settings[UsageSettings].currency
        row["person"] = people.get(row["user_id"] or "", "")
    return page
