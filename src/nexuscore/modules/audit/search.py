"""Finding facts: newest first, a page at a time, each page as cheap as the first.

A page looks at a bounded stretch of the log. Filters that no index serves may therefore leave it short or empty while
`has_next` is true: the cursor goes on where it stopped looking.
"""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import bindparam, select

from nexuscore.kernel import cursors
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.events import LoggedEvent
from nexuscore.kernel.filters import holding
from nexuscore.kernel.paging import page_of
from nexuscore.kernel.tables import columns
from nexuscore.modules.audit.events import SearchedEverywhere
from nexuscore.modules.audit.schemas import EventOut, EventQuery, EverywhereQuery, Filters

STRETCH = 5000  # rows a page looks at, at most
_TIME = """to_char(s.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time"""
_COLUMNS = ", ".join(f"e.{name}" for name in EventOut.model_fields)
_SHOWN = ", ".join(_TIME if name == "time" else f"s.{name}" for name in EventOut.model_fields)
_ONE = select(*columns(LoggedEvent, EventOut.model_fields)).where(LoggedEvent.id == bindparam("event_id"))

# By name: the condition, whether an index serves it, and how its value is made from the filter's.
_CONDITIONS: dict[str, tuple[str, bool]] = {
    "since": ("e.time >= {}::timestamptz", True),
    "until": ("e.time < {}::timestamptz", True),
    "type": ("e.type = {}", True),
    "subject": ("e.subject = {}", True),
    "family": ("starts_with(e.type, {})", False),
    "actor": ("e.actor_id = {}::uuid", False),
    "actor_kind": ("e.actor_kind = {}", False),
    "request_id": ("e.request_id = {}", False),
    "text": ("e.data::text ILIKE {}", False),
    "platform": ("(e.org_id IS NULL) = {}::bool", False),
}


async def page(ctx: Ctx, query: EventQuery) -> Json:
    """The facts of the scope that the filters let through."""
    return await _page(ctx, query, conditions(query), by_time=True)


async def page_everywhere(ctx: Ctx, query: EverywhereQuery) -> Json:
    """The same over all organisations, or in another one. That somebody looked is a fact, for its owners too."""
    looked = SearchedEverywhere(
        filters=query.used(), event_type=query.type, looked_for=query.org if isinstance(query.org, UUID) else None
    )
    if isinstance(query.org, UUID):
        async with ctx.in_org(query.org) as there:
            there.emit(looked)
            return await page(there, query)
    given = conditions(query)
    if query.org == "none":
        given["platform"] = True
    async with ctx.across_orgs("a search of the whole log") as everywhere:
        everywhere.emit(looked)
        return await _page(everywhere, query, given, by_time=False)


async def tail(ctx: Ctx, query: EventQuery) -> Json:
    """The newest of all organisations and of the platform, for whoever develops; nobody is told that they looked."""
    async with ctx.across_orgs("the newest facts, for development") as everywhere:
        return await _page(everywhere, query, conditions(query), by_time=False)


async def get(ctx: Ctx, event_id: UUID) -> LoggedEvent:
    """One fact of the scope."""
    return await ctx.db.one(_ONE, event_id=event_id)


def conditions(filters: Filters) -> dict[str, Any]:
    """The filters that were used, by the names of their conditions."""
    given: dict[str, Any] = filters.model_dump(include=set(_CONDITIONS), exclude_none=True)
    if filters.type is not None and filters.type.endswith(".*"):
        given["family"] = given.pop("type")[:-1]
    if isinstance(filters.actor, str):
        given["actor_kind"] = given.pop("actor")
    if filters.text is not None:
        given["text"] = holding(as_in_data(filters.text))
    return given


def where(names: tuple[str, ...], *, indexed: bool | None = None, first: int = 1) -> str:
    """The conditions called `names`, their values numbered from `first` in that order; only some, if asked."""
    wanted = [
        _CONDITIONS[name][0].format(f"${number}")
        for number, name in enumerate(names, first)
        if indexed is None or _CONDITIONS[name][1] == indexed
    ]
    return " AND ".join(["true", *wanted])


def as_in_data(text: str) -> str:
    """A text as it stands inside the JSON of a fact."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


async def _page(ctx: Ctx, query: EventQuery, given: dict[str, Any], *, by_time: bool) -> Json:
    names = tuple(given)
    arguments = [*given.values(), query.limit]
    keyring = ctx.app.keyring
    about = b"events" + to_json({**given, "by_time": by_time})
    if query.cursor is not None:
        time, id = cursors.read(keyring, about, query.cursor)
        arguments += [datetime.fromisoformat(str(time)), id] if by_time else [id]
    (row,) = await ctx.db.raw(_statement(names, by_time=by_time, follows=query.cursor is not None), *arguments)
    if row.found > query.limit:
        rest = row.last_shown
    else:
        rest = None if _are_indexed(names) or row.looked < STRETCH else row.last_looked
    return page_of(
        row.data.encode(),
        limit=query.limit,
        offset=0,
        total=None,
        has_next=rest is not None,
        has_prev=query.cursor is not None,
        next_cursor=cursors.write(keyring, about, rest) if rest is not None else None,
    )


def _are_indexed(names: tuple[str, ...]) -> bool:
    return all(_CONDITIONS[name][1] for name in names)


@lru_cache(maxsize=256)
def _statement(names: tuple[str, ...], *, by_time: bool, follows: bool) -> str:
    """A page in one round trip: look at a stretch, keep what the filters let through, and say where both ended.

    Within an organisation the order is (time, id), which an index serves; over all it is the id's, which holds the
    time at which the fact was announced.
    """
    limit = len(names) + 1
    order = ("time", "id") if by_time else ("id",)
    newest_first = ", ".join(f"{name} DESC" for name in order)
    onwards = ", ".join(f"s.{name} DESC" for name in order)
    onward = ""
    if follows and by_time:
        onward = f" AND (e.time, e.id) < (${limit + 1}, ${limit + 2}::uuid) AND e.time <= ${limit + 1}"
    elif follows:
        onward = f" AND e.id < ${limit + 1}::uuid"
    bounded = f"${limit}::bigint + 1" if _are_indexed(names) else str(STRETCH)
    last = "(SELECT ARRAY[time::text, id::text] FROM {} ORDER BY " + ", ".join(order) + " LIMIT 1)"
    return f"""
WITH looked AS MATERIALIZED (
  SELECT {_COLUMNS} FROM events e WHERE {where(names, indexed=True)}{onward}
  ORDER BY {", ".join(f"e.{name} DESC" for name in order)} LIMIT {bounded}
), found AS MATERIALIZED (
  SELECT * FROM looked e WHERE {where(names, indexed=False)} ORDER BY {newest_first} LIMIT ${limit}::bigint + 1
), shown AS MATERIALIZED (
  SELECT * FROM found ORDER BY {newest_first} LIMIT ${limit}
)
SELECT (SELECT coalesce(json_agg(r), '[]') FROM (SELECT {_SHOWN} FROM shown s ORDER BY {onwards}) r)::text AS data,
  (SELECT count(*) FROM found) AS found, (SELECT count(*) FROM looked) AS looked,
  {last.format("shown")} AS last_shown, {last.format("looked")} AS last_looked"""
