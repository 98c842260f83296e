"""Lists: whatever the order, a walk sees every row once, and a page says truly where it stands (P8)."""

import json
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings as examples, strategies as st
from sqlalchemy import Text, Uuid, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nexuscore.kernel.db import Db, Scope
from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.filters import equals, flag, has, since, until
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.statements import prepare
from nexuscore.kernel.testing import House

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOST = 9


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    size: Mapped[int | None]
    seen_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))


TABLE = (
    'CREATE TEMP TABLE things (id uuid PRIMARY KEY, name text COLLATE "C" NOT NULL, size int,'
    " seen_at timestamptz, tags text[] NOT NULL) ON COMMIT DROP"
)
THINGS = Listing(
    select(Thing.id, Thing.name, Thing.size, Thing.seen_at, Thing.tags),
    by=Thing.id,
    sorts=(Thing.name, Thing.size, Thing.seen_at),
    filters={
        "name": equals(Thing.name),
        "tag": has(Thing.tags),
        "since": since(Thing.seen_at),
        "until": until(Thing.seen_at),
        "measured": flag("Only with a size.", Thing.size.is_not(None)),
    },
    search=(Thing.name,),
)
Query: Any = THINGS.asks(PageQuery)

rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "B", "ü", "50%", "_"]),
        st.none() | st.integers(-2, 2),
        st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours, microseconds=hours)),
        st.lists(st.sampled_from(["red", "blue"]), max_size=2, unique=True),
    ),
    max_size=MOST,
)
columns = st.permutations(["id", "name", "size", "seen_at"]).flatmap(
    lambda names: st.integers(0, 3).map(lambda count: names[:count])
)
sorts = columns.flatmap(lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names)))


async def fill(db: Db, things: list[tuple[Any, ...]], *, first: int = 1) -> list[dict[str, Any]]:
    """The things in the table, in no order; as they are to be answered."""
    made = [(UUID(int=(first + at) * 7 % 1009), *thing) for at, thing in enumerate(things)]
    await db.connection.executemany("INSERT INTO things VALUES ($1, $2, $3, $4, $5)", made)
    names = ("id", "name", "size", "seen_at", "tags")
    return [dict(zip(names, row, strict=True)) for row in made]


def compared(sort: tuple[str, ...]) -> Any:
    """The order as people define it: by each column in turn, an empty value last upwards and first downwards."""
    unique = [] if any(name.strip("-") == "id" for name in sort) else ["-id" if _is_down(sort) else "id"]

    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        for each in (*sort, *unique):
            name, down = each.strip("-"), each.startswith("-")
            left, right = one[name], other[name]
            if left != right:
                less = right is None or (left is not None and left < right)
                return -1 if less != down else 1
        return 0

    return cmp_to_key(compare)


def _is_down(sort: tuple[str, ...]) -> bool:
    return sort[-1].startswith("-") if sort else True


async def page(db: Db, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await db.page(THINGS, Query.model_validate(asked)))
    return found


def ids(things: list[dict[str, Any]]) -> list[str]:
    return [str(thing["id"]) for thing in things]


@given(things=rows, sort=sorts, limit=st.integers(1, 5))
@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_cursor_walks_every_order_and_every_page_says_where_it_stands(
    house: House, things: list[tuple[Any, ...]], sort: tuple[str, ...], limit: int
) -> None:
    """P8. Seen red with the parts of `keyset` compared by `<=`, and with empty values taken for the smallest."""
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(f"DROP TABLE IF EXISTS things; {TABLE}")
        wanted = ids(sorted(await fill(db, things), key=compared(sort)))
        asked: dict[str, Any] = {"limit": limit, "total": True, **({"sort": ",".join(sort)} if sort else {})}
        walked: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            found = await page(db, **asked, **cursor)
            info = found["page"]
            assert info["has_prev"] == (len(walked) > 0)
            assert (info["total"], info["limit"], info["offset"]) == (len(wanted), limit, 0)
            walked += ids(found["data"])
            assert info["has_next"] == (len(walked) < len(wanted)) == (info["next_cursor"] is not None)
            if not info["has_next"]:
                break
            cursor = {"cursor": info["next_cursor"]}
        assert walked == wanted
        for offset in range(0, len(wanted) + 2, limit):
            found = await page(db, **asked, offset=offset)
            info = found["page"]
            assert ids(found["data"]) == wanted[offset : offset + limit]
            assert info["has_next"] == (offset + limit < len(wanted))
            assert info["has_prev"] == (offset > 0 and len(wanted) > 0)
            assert info["total"] == len(wanted)


@given(
    things=rows.filter(bool),
    later=rows,
    gone=st.sets(st.integers(0, MOST)),
    sort=sorts,
    limit=st.integers(1, 4),
)
@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_walk_is_not_disturbed_by_rows_that_come_and_go(
    house: House,
    things: list[tuple[Any, ...]],
    later: list[tuple[Any, ...]],
    gone: set[int],
    sort: tuple[str, ...],
    limit: int,
) -> None:
    """Whatever was there all along is seen once, whatever came or went between two pages at most once.

    Seen red with offsets in place of cursors.
    """
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(f"DROP TABLE IF EXISTS things; {TABLE}")
        stored = await fill(db, things)
        removed = {thing["id"] for at, thing in enumerate(stored) if at in gone}
        asked: dict[str, Any] = {"limit": limit, **({"sort": ",".join(sort)} if sort else {})}
        found = await page(db, **asked)
        walked = ids(found["data"])
        new = await fill(db, later, first=len(stored) + 1)
        await db.raw("DELETE FROM things WHERE id = ANY($1)", list(removed))
        while found["page"]["has_next"]:
            found = await page(db, **asked, cursor=found["page"]["next_cursor"])
            walked += ids(found["data"])
        assert len(walked) == len(set(walked))
        stayed = [thing for thing in stored if thing["id"] not in removed]
        order = compared(sort)
        assert [id for id in walked if id in ids(stayed)] == ids(sorted(stayed, key=order))
        assert set(walked) <= set(ids(stored) + ids(new))


@given(
    things=rows,
    name=st.none() | st.sampled_from(["a", "ü"]),
    tag=st.none() | st.sampled_from(["red", "blue"]),
    hours=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 4)),
    measured=st.booleans(),
    q=st.none() | st.sampled_from(["a", "b", "%", "_", "0%", "\\"]),
)
@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_filters_and_search_find_what_they_say(
    house: House,
    things: list[tuple[Any, ...]],
    name: str | None,
    tag: str | None,
    hours: tuple[int, int] | None,
    measured: bool,
    q: str | None,
) -> None:
    """Seen red with `q` not escaped: `%` then found every row."""
    first, last = (None, None) if hours is None else (NOON + timedelta(hours=each) for each in hours)
    asked = {"name": name, "tag": tag, "since": first, "until": last, "measured": measured, "q": q, "limit": MOST}
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(f"DROP TABLE IF EXISTS things; {TABLE}")
        stored = await fill(db, things)
        found = await page(db, **{key: value for key, value in asked.items() if value is not None}, total=True)
    wanted = [
        thing
        for thing in stored
        if (name is None or thing["name"] == name)
        and (tag is None or tag in thing["tags"])
        and (first is None or (thing["seen_at"] is not None and thing["seen_at"] >= first))
        and (last is None or (thing["seen_at"] is not None and thing["seen_at"] < last))
        and (not measured or thing["size"] is not None)
        and (q is None or q.lower() in thing["name"].lower())
    ]
    assert sorted(ids(found["data"])) == sorted(ids(wanted))
    assert found["page"]["total"] == len(wanted)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"sort": "colour"}, "unknown_sort"),
        ({"sort": ""}, "unknown_sort"),
        ({"sort": "name,"}, "unknown_sort"),
        ({"sort": "--name"}, "unknown_sort"),
        ({"sort": "tags"}, "unknown_sort"),
        ({"sort": "name,-name"}, "sorted_twice"),
        ({"sort": "id;drop table things"}, "unknown_sort"),
    ],
)
def test_a_wrong_sort_is_refused_by_name(house: House, asked: dict[str, str], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        THINGS.place(Query.model_validate(asked), house.app.keyring)
    assert [(fault.field, fault.code) for fault in caught.value.faults[:1]] == [("sort", code)]


async def test_a_cursor_is_good_for_its_own_list_order_and_filters_alone(house: House) -> None:
    """Seen red with cursors that are not signed: a made-up one was followed, one of another order led astray."""
    other = Listing(select(Thing.id).where(Thing.size == 1), by=Thing.id, sorts=(Thing.name,))
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(f"DROP TABLE IF EXISTS things; {TABLE}")
        await fill(db, [("a", 1, None, ["red"]), ("b", 1, None, ["red"]), ("c", 1, None, ["red"])])
        cursor = (await page(db, limit=1, sort="name", tag="red"))["page"]["next_cursor"]
        assert ids((await page(db, limit=5, sort="name", tag="red", cursor=cursor, total=True))["data"])
        head, _, signature = cursor.partition(".")
        for listing, asked in (
            (THINGS, {"sort": "-name", "tag": "red", "cursor": cursor}),
            (THINGS, {"sort": "name", "tag": "blue", "cursor": cursor}),
            (THINGS, {"sort": "name", "cursor": cursor}),
            (THINGS, {"sort": "name", "tag": "red", "q": "a", "cursor": cursor}),
            (other, {"sort": "name", "cursor": cursor}),
            (THINGS, {"sort": "name", "tag": "red", "cursor": head}),
            (THINGS, {"sort": "name", "tag": "red", "cursor": f"{head[:-2]}AA.{signature}"}),
            (THINGS, {"sort": "name", "tag": "red", "cursor": f"{head}.{signature[:-2]}AA"}),
            (THINGS, {"sort": "name", "tag": "red", "cursor": "é."}),
        ):
            query = listing.asks(PageQuery).model_validate(asked)
            with pytest.raises(ValidationError) as caught:
                await db.page(listing, query)
            assert caught.value.faults[0].field == "cursor"


def test_the_statements_of_a_list_are_bounded(house: House) -> None:
    for number in range(200):
        name, size = ("-" * (number % 2)) + "name", ("-" * (number // 2 % 2)) + "size"
        fields = ",".join(THINGS.names[: 1 + number % 5])
        asked = {"sort": f"{name},{size}", "fields": fields, "measured": number % 3 == 0, "total": number % 7 == 0}
        THINGS.place(Query.model_validate(asked), house.app.keyring)
    assert 1 < len(THINGS._made) <= 64


async def test_the_database_reads_only_the_fields_that_are_asked_for(house: House) -> None:
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(f"DROP TABLE IF EXISTS things; {TABLE}")
        await fill(db, [("a", 1, NOON, ["red"])])
        found = await page(db, fields="name,seen_at")
    assert found["data"] == [{"name": "a", "seen_at": "2026-11-20T12:00:00.000000Z"}]


@pytest.mark.parametrize("sort", [None, "id", "name", "-name", "seen_at", "-seen_at", "-size,name", "size,-name"])
async def test_a_deep_page_reads_no_more_rows_than_the_first(house: House, sort: str | None) -> None:
    """Counted in rows the database touches, so that no clock is needed.

    Seen red with the parts of a place joined by OR, and with `has_prev` asked by EXISTS.
    """
    async with house.app.database.transaction(Scope()) as db:
        await db.connection.execute(
            f"DROP TABLE IF EXISTS things; {TABLE};"
            " CREATE INDEX ON things (name, id); CREATE INDEX ON things (seen_at, id);"
            " CREATE INDEX ON things (size DESC, name, id);"
            " INSERT INTO things SELECT uuidv7(), 'thing ' || n % 9000, nullif(n % 5, 0),"
            " CASE WHEN n % 3 > 0 THEN now() + n * interval '1 s' END, '{}' FROM generate_series(1, 20000) n;"
            " ANALYZE things"
        )
        asked: dict[str, Any] = {"limit": 20} if sort is None else {"limit": 20, "sort": sort}
        middle = await page(db, **asked, offset=9_000)
        end = await page(db, **asked, offset=19_950)
        places = [{"cursor": found["page"]["next_cursor"]} for found in (middle, end)]
        touched = [await touches(db, **asked, **place) for place in ({}, *places)]
    assert max(touched) <= 4 * 21 + 10, touched


async def touches(db: Db, **asked: Any) -> float:
    """How many rows of the table a page reads, or throws away."""
    place = THINGS.place(Query.model_validate(asked), db.keyring())
    sql, arguments = prepare(THINGS.statement(place.shape), place.given)
    (plan,) = await db.raw(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
    return rows_of(plan[0][0]["Plan"])


def rows_of(node: dict[str, Any]) -> float:
    own = 0.0
    if node.get("Relation Name") == "things":
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return own + sum(rows_of(each) for each in node.get("Plans", ()))
