"""What happened to a thing, as the event log tells it, with the names of those who did it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import LoggedEvent
from nexuscore.modules import identity

_MOST = 200
_OF = (
    select(LoggedEvent.time, LoggedEvent.type, LoggedEvent.data, LoggedEvent.actor_id)
    .where(LoggedEvent.subject == bindparam("about"))
    .order_by(LoggedEvent.time.desc(), LoggedEvent.id.desc())
    .limit(_MOST)
)


@dataclass(frozen=True, slots=True)
class Happened:
    """One fact."""

    at: datetime
    type: str
    data: dict[str, Any]
    by: str


async def history(ctx: Ctx, subject: UUID) -> Sequence[Happened]:
    """What happened to a thing of the context's organisation, newest first."""
    facts = await ctx.db.all(_OF, about=str(subject))
    people: dict[UUID | None, str] = {
        each.id: str(each.name or each.email) for each in await identity.users(ctx, _actors(facts))
    }
    return [Happened(fact.time, fact.type, fact.data, people.get(fact.actor_id) or "") for fact in facts]


def _actors(facts: Sequence[Any]) -> list[UUID]:
    return sorted({fact.actor_id for fact in facts if fact.actor_id is not None})
