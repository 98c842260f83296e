"""`@cached` on verbs that read tables: tenants apart, forgotten with the commit alone, keys that cannot clash."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings, strategies as st

from nexuscore.kernel.cache import Cache, cached, forget, forget_tag
from nexuscore.kernel.cache.cached import _filled, _template
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http.answers import Schema
from nexuscore.kernel.testing import ALICE, BOB, CHARLIE, House

pytestmark = pytest.mark.anyio
_COUNT = "SELECT count(*) AS count FROM notes WHERE title LIKE $1"
_WRITE = "INSERT INTO notes (id, org_id, title, body, tags, words) VALUES ($1, $2, $3, '', '{}', 0)"
asked: list[str] = []


class Count(Schema):
    at: datetime
    count: int


async def count(ctx: Ctx, like: str) -> int:
    asked.append(like)
    [row] = await ctx.db.raw(_COUNT, like)
    return int(row.count)


async def write(ctx: Ctx, title: str) -> None:
    await ctx.db.raw(_WRITE, uuid4(), ctx.org, title)


@cached("notes-count:{like}", ttl=60, tags=("notes",))
async def notes_like(ctx: Ctx, like: str = "%") -> int:
    """How many notes there are."""
    return await count(ctx, like)


@cached("notes-everybodys:{like}", ttl=60, everybodys=True)
async def everybodys_notes(ctx: Ctx, like: str) -> int:
    """What belongs to no organisation: of notes, none."""
    return await count(ctx, like)


@cached("notes-typed:{like}", ttl=60)
async def notes_typed(ctx: Ctx, like: str) -> list[Count]:
    """Values that are more than JSON."""
    return [Count(at=datetime(2026, 1, 31, tzinfo=UTC), count=await count(ctx, like))]


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


async def test_a_verb_is_asked_once_for_the_same_arguments(house: House) -> None:
    async with house.context(ALICE) as ctx:
        await write(ctx, "Milk")
    async with house.context(BOB) as ctx:
        assert [await notes_like(ctx, "M%"), await notes_like(ctx, like="M%"), await notes_like(ctx)] == [1, 1, 1]
        assert [await notes_typed(ctx, "%") for _ in range(2)] == [[Count(at="2026-01-31T00:00Z", count=1)]] * 2
    assert asked == ["M%", "%", "%"]
    assert notes_like.__doc__ == "How many notes there are."


async def test_no_organisation_gets_anothers_answer(house: House) -> None:
    """Seen red when the key was the arguments alone: charlie was told of alice's note."""
    async with house.context(ALICE) as ctx:
        await write(ctx, "Secret of A")
        assert await notes_like(ctx, "Secret%") == 1
    async with house.context(CHARLIE) as ctx:
        for spelled in ("Secret%", f"org:{ALICE.org}:Secret%", f"../org:{ALICE.org}/Secret%"):
            assert await notes_like(ctx, spelled) == 0
        notes_like.forget_all(ctx)
    async with house.context(ALICE) as ctx:
        assert await notes_like(ctx, "Secret%") == 1
    assert asked.count("Secret%") == 2, "alice's answer was not charlie's to forget"


async def test_what_is_everybodys_holds_nobodys_rows(house: House) -> None:
    """A careless author declares a tenant's reading `everybodys`. Seen red when it ran in the caller's organisation:
    charlie was told of alice's note."""
    async with house.context(ALICE) as ctx:
        await write(ctx, "Secret of A")
        assert await everybodys_notes(ctx, "Secret%") == 0
        assert await count(ctx, "Secret%") == 1, "and afterwards the transaction sees its own again"
    async with house.context(CHARLIE) as ctx:
        assert await everybodys_notes(ctx, "Secret%") == 0


async def test_what_sees_all_organisations_neither_fills_nor_asks_the_cache(house: House) -> None:
    """Seen red when it did: the number over all organisations was kept for those who belong to none."""
    for who in (ALICE, CHARLIE):
        async with house.context(who) as ctx:
            await write(ctx, "Milk")
    async with house.context(ALICE, across=True) as everywhere:
        assert await notes_like(everywhere, "Milk") == 2
    async with house.app.context() as nobodys:
        assert await notes_like(nobodys, "Milk") == 0


async def test_what_a_replica_reads_is_not_kept(house: House) -> None:
    """It may be older than what was forgotten meanwhile, and would stay. Seen red when it was kept."""
    async with house.context(ALICE) as ctx:
        ctx.db.lagging = True
        assert await notes_like(ctx, "Milk") == 0
    assert await _kept(house) is None


@pytest.mark.parametrize("how", ["forget", "forget_all", "pattern", "tag"])
async def test_it_is_forgotten_with_the_commit(house: House, how: str) -> None:
    async with house.context(ALICE) as ctx:
        assert await notes_like(ctx, "Milk") == 0
    async with house.context(ALICE) as ctx:
        match how:
            case "forget":
                notes_like.forget(ctx, "Milk")
            case "forget_all":
                notes_like.forget_all(ctx)
            case "pattern":
                forget(ctx, "notes-count:*")
            case "tag":
                forget_tag(ctx, "notes")
        await write(ctx, "Milk")
        assert await notes_like(ctx, "Milk") == 1, "the transaction reads what it wrote"
        assert await _kept(house) == 0, "and nobody else does, before the commit"
    assert await _kept(house) is None
    async with house.context(BOB) as ctx:
        assert await notes_like(ctx, "Milk") == 1


async def _kept(house: House) -> object:
    return await house.app.cache.scoped(ALICE.org).get("notes-count:Milk")


async def test_a_rollback_forgets_nothing(house: House) -> None:
    """Seen red when it was forgotten at once: what was undone had emptied the cache, or worse, filled it."""
    async with house.context(ALICE) as ctx:
        assert await notes_like(ctx, "Milk") == 0
    with pytest.raises(RuntimeError):
        await _change_and_fail(house)
    assert await _kept(house) == 0


async def _change_and_fail(house: House) -> None:
    async with house.context(ALICE) as ctx:
        notes_like.forget(ctx, "Milk")
        await write(ctx, "Milk")
        assert await notes_like(ctx, "Milk") == 1
        raise RuntimeError


async def test_commits_are_real_commits(committed_house: House) -> None:
    """The same on a connection of the pool."""
    async with committed_house.context(ALICE) as ctx:
        assert await notes_like(ctx, "Milk") == 0
    with pytest.raises(RuntimeError):
        await _change_and_fail(committed_house)
    assert await _kept(committed_house) == 0
    async with committed_house.context(ALICE) as ctx, ctx.in_org(ALICE.org) as inner:
        notes_like.forget(inner, "Milk")
    assert await _kept(committed_house) is None


async def test_hits_and_misses_are_in_the_tally(house: House) -> None:
    async with house.context(ALICE) as ctx:
        for _ in range(3):
            await notes_like(ctx, "%")
    stats = house.app.cache.stats()
    assert (stats.hits, stats.misses) == (2, 1)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_without_one_of_the_arguments_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="'country' is not in the key"):

        @cached("prices:{plan}", ttl=60)
        async def prices(ctx: Ctx, plan: str, country: str) -> int:
            return 1


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("other:{plan}:{year}", "'year' is in the key, but no argument"),
        ("{plan}", "must begin with a word of its own"),
        ("plan", "'plan' is not in the key"),
        ("notes-count:{like}", "has the same key"),
    ],
)
def test_a_key_that_cannot_be_right_does_not_start(key: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):

        @cached(key, ttl=60)
        async def wrong(ctx: Ctx, plan: str) -> int:
            return 1


def test_an_answer_that_cannot_be_kept_does_not_start() -> None:
    with pytest.raises(Exception, match="schema for"):

        @cached("context:{plan}", ttl=60)
        async def context(ctx: Ctx, plan: str) -> Cache:
            return Cache()


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Plan:
    id: UUID


def test_arguments_become_words() -> None:
    plan = Plan(uuid4())
    given_ = {"a": "x:y", "b": None, "c": True, "d": Colour.RED, "plan": plan, "day": date(2026, 1, 31), "n": 7}
    template = _template("k:{a}:{b}:{c}:{d}:{plan.id}:{day}:{n}")
    assert _filled(template, given_) == f"k:x%3Ay:!:!True:red:{plan.id}:2026-01-31:7"
    with pytest.raises(TypeError, match="Plan cannot be part of a key"):
        _filled(_template("k:{plan}"), given_)


@settings(max_examples=200)
@given(one=st.tuples(st.text(), st.text() | st.none()), other=st.tuples(st.text(), st.text() | st.none()))
def test_other_arguments_make_another_key(one: tuple[str, Any], other: tuple[str, Any]) -> None:
    """Seen red with values put in as they are: ("a:b", "c") and ("a", "b:c") had one key."""
    template = _template("k:{a}:{b}")
    keys = [_filled(template, dict(zip("ab", values, strict=True))) for values in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
