"""Versions of the API: what is promised about their lives, and operations that answer as they did in an older one."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import pytest
from fastapi import Query
from hypothesis import HealthCheck, given, settings as examples, strategies as st

from nexuscore.kernel import clock
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http import Older, Page, PageQuery, Public, Routes, Schema, Version
from nexuscore.kernel.http.versions import Versions, months_after
from nexuscore.kernel.module import Module
from nexuscore.kernel.paging import page_of
from nexuscore.kernel.testing import ALICE, House

pytestmark = pytest.mark.anyio
routes = Routes("/shelves", tag="Shelves")
Anybody = Annotated[Ctx, Public("A shelf of a test is for everybody.")]
quietly = examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Shelf(Schema):
    """A shelf: since version 3 its width has a unit, since version 2 it has a list of books."""

    name: str
    books: list[str]
    width_mm: int


class Shelf2(Schema):
    name: str
    books: list[str]
    width: int


class Shelf1(Schema):
    name: str
    book: str | None
    width: int


def up_2(old: Shelf2) -> dict[str, Any]:
    return {"name": old.name, "books": old.books, "width_mm": old.width * 10}


def up_1(old: Shelf1) -> Shelf2:
    return Shelf2(name=old.name, books=[] if old.book is None else [old.book], width=old.width)


def down_2(shelf: dict[str, Any]) -> dict[str, Any]:
    return {"name": shelf["name"], "books": shelf["books"], "width": shelf["width_mm"] // 10}


def down_1(shelf: dict[str, Any]) -> dict[str, Any]:
    return {"name": shelf["name"], "book": next(iter(shelf["books"]), None), "width": shelf["width"]}


SHELF_2 = Older(until=2, body=Shelf2, upgrade=up_2, answer=Shelf2, downgrade=down_2)
SHELF_1 = Older(until=1, body=Shelf1, upgrade=up_1, answer=Shelf1, downgrade=down_1)


@routes.post("", answer=Shelf, older=(SHELF_1, SHELF_2))
async def put_up(ctx: Anybody, shelf: Shelf) -> Shelf:
    """Answers what it was given, as the newest version understands it."""
    assert isinstance(shelf, Shelf)
    return shelf


@routes.get("", answer=Page[Shelf], older=(SHELF_1, SHELF_2))
async def list_shelves(ctx: Anybody, query: Annotated[PageQuery, Query()]) -> Json:
    """One page with two shelves."""
    shelf = '{"name": "a", "books": ["b", "c"], "width_mm": 70}'
    data = f"[{shelf}, {shelf}]".encode()
    return page_of(data, limit=2, offset=0, total=None, has_next=False, has_prev=False, next_cursor=None)


@routes.get("/all", answer=list[Shelf], older=(SHELF_1, SHELF_2))
async def all_shelves(ctx: Anybody) -> list[Shelf]:
    """A plain list."""
    return [Shelf(name="a", books=["b", "c"], width_mm=70)]


@routes.get("/new", answer=Shelf, since=2)
async def newer(ctx: Anybody) -> Shelf:
    """Not in version 1."""
    return Shelf(name="n", books=[], width_mm=1)


@routes.get("/old", answer=Shelf, until=1)
async def older(ctx: Anybody) -> Shelf:
    """Only in version 1."""
    return Shelf(name="o", books=[], width_mm=1)


MODULE = Module(name="shelves", package=None, routes=(routes,))
VERSIONS = (
    Version(1, date(2024, 1, 1), deprecated=date(2025, 1, 1), sunset=date(2026, 1, 1)),
    Version(2, date(2025, 1, 1), deprecated=date(2026, 6, 1)),
    Version(3, date(2026, 6, 1)),
)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [MODULE]


@pytest.fixture
def versions() -> Sequence[Version]:
    return VERSIONS


def at(day: date) -> Any:
    return clock.fake(datetime(day.year, day.month, day.day, tzinfo=UTC))


async def test_an_older_body_is_understood_and_answered_as_it_was(house: House) -> None:
    client = house.client()
    with at(date(2025, 6, 1)):
        sent: dict[str, Any] = {"name": "s", "book": "b", "width": 7}
        assert (await client.http.post("/api/v1/shelves", json=sent)).json() == sent
        sent = {"name": "s", "books": ["b", "c"], "width": 7}
        assert (await client.http.post("/api/v2/shelves", json=sent)).json() == sent
        refused = await client.http.post("/api/v1/shelves", json=sent)
        assert (refused.status_code, refused.json()["details"][1]["field"]) == (422, "books")


async def test_pages_and_lists_answer_each_row_as_it_was(house: House) -> None:
    client = house.client()
    with at(date(2026, 7, 1)):
        for path in ("/shelves", "/shelves/all"):
            two, three = [(await client.http.get(f"/api/v{number}{path}")).json() for number in (2, 3)]
            rows = [found["data"] if isinstance(found, dict) else found for found in (two, three)]
            assert rows[0][0] == {"name": "a", "books": ["b", "c"], "width": 7}
            assert rows[1][0] == {"name": "a", "books": ["b", "c"], "width_mm": 70}
            chosen = (await client.http.get(f"/api/v2{path}?fields=width")).json()
            assert (chosen["data"] if isinstance(chosen, dict) else chosen)[0] == {"width": 7}
            assert (await client.http.get(f"/api/v2{path}?fields=width_mm")).status_code == 422


async def test_operations_come_and_go_with_versions(house: House) -> None:
    client = house.client()
    with at(date(2025, 6, 1)):
        found = {
            (version, path): (await client.http.get(f"/api/v{version}/shelves/{path}")).status_code
            for version in (1, 2, 3)
            for path in ("old", "new")
        }
    assert [each for each, status in found.items() if status == 200] == [(1, "old"), (2, "new")]


@given(
    days=st.integers(0, 1500),
    version=st.integers(0, 4),
    path=st.sampled_from(["/shelves", "/shelves/all", "/shelves/nowhere", "/nowhere", "", "/shelves?limit=0"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    token=st.sampled_from([None, "alice", "mallory"]),
)
@quietly
async def test_every_answer_of_a_deprecated_version_says_so_and_no_other_does(
    house: House, days: int, version: int, path: str, method: str, token: str | None
) -> None:
    """P7, whatever the answer: also a 404, a 405, a 422, a 401 and the 410 at the end.

    Seen red with the headers put on what an operation answers, in place of what the edge sends.
    """
    client = house.client(ALICE if token == "alice" else token)
    today = date(2023, 6, 1) + timedelta(days=days)
    with at(today):
        answer = await client.http.request(method, f"/api/v{version}{path}")
    meant = next((each for each in VERSIONS if each.number == version), None)
    deprecated = None if meant is None else meant.deprecated
    if deprecated is None:
        assert "deprecation" not in answer.headers
    else:
        expected = datetime(deprecated.year, deprecated.month, deprecated.day, tzinfo=UTC)
        assert answer.headers["deprecation"] == f"@{int(expected.timestamp())}"
        assert 'rel="deprecation"' in answer.headers["link"]
        assert f'</api/v{version + 1}>; rel="successor-version"' in answer.headers["link"]
    assert ("sunset" in answer.headers) == (version == 1)
    if meant is None or today < meant.released:
        assert answer.status_code in (404, 401)
    assert (answer.status_code == 410) == (meant is not None and meant.sunset is not None and today >= meant.sunset)


days = st.dates(date(2025, 1, 1), date(2030, 12, 31))


@given(released=days, successor=days, deprecated=st.none() | days, sunset=st.none() | days)
@quietly
def test_an_app_does_not_start_on_a_broken_promise(
    released: date, successor: date, deprecated: date | None, sunset: date | None
) -> None:
    """Six months' notice, and twelve beside its successor."""
    versions = (Version(1, released, deprecated=deprecated, sunset=sunset), Version(2, successor))
    kept = released < successor and (
        sunset is None
        or (deprecated is not None and sunset >= months_after(deprecated, 6) and sunset >= months_after(successor, 12))
    )
    assert (Versions(versions).faults() == []) == kept


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ((Version(1, date(2026, 1, 1), deprecated=date(2026, 2, 1)),), "nothing comes after it"),
        ((Version(1, date(2026, 1, 1)), Version(3, date(2026, 2, 1))), "comes v2, not v3"),
        (
            (
                Version(1, date(2026, 1, 1), deprecated=date(2026, 9, 1), sunset=date(2027, 2, 28)),
                Version(2, date(2026, 2, 1)),
            ),
            "less than 6 months after its notice",
        ),
        (
            (
                Version(1, date(2026, 1, 1), deprecated=date(2026, 2, 1), sunset=date(2027, 1, 31)),
                Version(2, date(2026, 2, 1)),
            ),
            "less than 12 months after v2 came",
        ),
    ],
)
def test_compose_names_the_broken_promise(versions: Sequence[Version], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        compose([MODULE], versions=versions)


def test_months_end_where_months_end() -> None:
    assert months_after(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert months_after(date(2023, 8, 31), 6) == date(2024, 2, 29)
    assert months_after(date(2026, 12, 1), 12) == date(2027, 12, 1)


def test_one_address_may_belong_to_different_operations_of_different_versions_only() -> None:
    twice = Routes("/shelves", tag="Shelves")

    @twice.get("/old", answer=Shelf, since=2)
    async def another(ctx: Anybody) -> Shelf:
        """Takes the place of the old one."""
        return Shelf(name="n", books=[], width_mm=1)

    other = Module(name="other", package=None, routes=(twice,))
    compose([MODULE, other], versions=VERSIONS)
    twice.get("/new", answer=Shelf, since=3)(another)
    with pytest.raises(ConfigurationError, match="GET /api/v3/shelves/new"):
        compose([MODULE, other], versions=VERSIONS)
