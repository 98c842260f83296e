"""Reads: only the fields that are asked for, entity tags, and changes meant for one version of a row."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings as examples, strategies as st
from pydantic import BaseModel
from pydantic_core import from_json

from nexuscore.kernel import sight
from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.http.conditional import is_among, tag_of
from nexuscore.kernel.http.fields import Fields
from nexuscore.kernel.paging import Page, PageQuery
from nexuscore.kernel.testing import ALICE, Client, House

pytestmark = pytest.mark.anyio
MILK = {"title": "Milk", "body": "two litres please", "tags": ["shop"]}
quietly = examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- fields (P9) ----------------------------------------------------------------------------------


class Person(BaseModel):
    name: str
    friends: list["Person"] = []


class Shop(BaseModel):
    id: int
    owner: Person | None
    open: dict[str, Any]
    staff: list[Person]


people = st.recursive(
    st.builds(Person, name=st.text(max_size=3)),
    lambda inner: st.builds(Person, name=st.text(max_size=3), friends=st.lists(inner, max_size=2)),
    max_leaves=4,
)
shops = st.builds(
    Shop,
    id=st.integers(0, 9),
    owner=st.none() | people,
    open=st.dictionaries(st.sampled_from(["monday", "friday"]), st.integers(0, 24)),
    staff=st.lists(people, max_size=2),
)
PATHS = [
    *("id", "owner", "open", "staff", "owner.name", "owner.friends", "owner.friends.name", "open.monday"),
    *("staff.name", "staff.friends.friends.name"),
]
UNKNOWN = ["", "colour", "id.", "id.x", ".id", "owner.colour", "owner.friends.colour", "staff.0", " id", "page"]


def paths_of(value: Any, before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every path that leads to something in an answer; lists are looked through."""
    if isinstance(value, list):
        return {path for each in value for path in paths_of(each, before)}
    if not isinstance(value, dict):
        return {before}
    return {before, *(path for name, each in value.items() for path in paths_of(each, (*before, name)))}


def is_wanted(path: tuple[str, ...], wanted: list[tuple[str, ...]]) -> bool:
    """Whether a path is asked for, is inside what is, or leads there."""
    return any(path[: len(each)] == each or each[: len(path)] == path for each in wanted)


@given(shop=shops, wanted=st.lists(st.sampled_from(PATHS), min_size=1, max_size=4), form=st.sampled_from([1, 2, 3]))
@quietly
def test_only_what_is_asked_for_comes_back_and_nothing_of_it_is_lost(shop: Shop, wanted: list[str], form: int) -> None:
    """P9, for objects, lists and pages. Seen red with `a` after `a.b` narrowed to `b`."""
    answer: Any = {1: Shop, 2: list[Shop], 3: Page[Shop]}[form]
    whole = shop.model_dump(mode="json")
    body = {1: whole, 2: [whole, whole], 3: {"data": [whole], "page": {"limit": 1}}}[form]
    fields = Fields.of(answer)
    assert fields is not None
    found = json.loads(fields.cut(json.dumps(body).encode(), fields.read(",".join(wanted))))
    rows = [found] if form == 1 else found if form == 2 else found["data"]
    asked = [tuple(each.split(".")) for each in wanted]
    for row in rows:
        assert paths_of(row) == {path for path in paths_of(whole) if is_wanted(path, asked)}
    if form == 3:
        assert found["page"] == {"limit": 1}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_field_is_refused_by_name(name: str) -> None:
    fields = Fields.of(Shop)
    assert fields is not None
    with pytest.raises(ValidationError) as caught:
        fields.read(f"id,{name}")
    assert [(fault.field, fault.params["name"]) for fault in caught.value.faults] == [("fields", name)]


@pytest.mark.parametrize("answer", [None, str, list[int], dict[str, Any], Any])
def test_an_answer_without_fields_has_none_to_choose(answer: Any) -> None:
    assert Fields.of(answer) is None


async def test_fields_of_an_object_and_of_a_list(alice: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    assert (await alice.get(f"/notes/{id}?fields=title,tags")).json() == {"title": "Milk", "tags": ["shop"]}
    listed = (await alice.get("/notes?fields=id&total=true")).json()
    assert listed["data"] == [{"id": id}]
    assert listed["page"]["total"] == 1


@pytest.mark.parametrize("path", ["/notes", "/notes/{id}"])
async def test_an_unknown_field_of_an_operation_is_422(alice: Client, path: str) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    answer = await alice.get(path.format(id=id) + "?fields=title,colour,org_id")
    problem = answer.json()
    assert (answer.status_code, problem["error_code"]) == (422, "validation_failed")
    assert [(each["field"], each["code"]) for each in problem["details"]] == [("fields", "unknown_field")] * 2
    assert "colour" in problem["details"][0]["message"]


async def test_a_change_takes_no_fields(alice: Client) -> None:
    assert (await alice.post("/notes?fields=id", MILK)).status_code == 422


# --- entity tags (P11) ----------------------------------------------------------------------------


@given(
    asked=st.fixed_dictionaries(
        {},
        optional={
            "limit": st.integers(1, 3),
            "offset": st.integers(0, 3),
            "sort": st.sampled_from(["title", "-title", "id"]),
            "fields": st.sampled_from(["id", "title,tags"]),
            "tag": st.sampled_from(["a", "b"]),
            "total": st.booleans(),
        },
    ),
    one=st.booleans(),
    before=st.lists(st.sampled_from(['"x"', 'W/"y"', '"z-gzip"']), max_size=2),
    weak=st.booleans(),
    changed=st.booleans(),
    coding=st.sampled_from(["identity", "gzip", "zstd"]),
)
@quietly
async def test_every_read_has_a_tag_and_whoever_has_it_is_not_sent_it_again(
    house: House,
    asked: dict[str, Any],
    one: bool,
    before: list[str],
    weak: bool,
    changed: bool,
    coding: str,
) -> None:
    """P11. Seen red with a tag of the row's version alone: other fields of it were 304."""
    alice = house.client(ALICE)
    if not (await alice.get("/notes")).json()["data"]:
        for number in range(4):
            await alice.post("/notes", {"title": f"{number}", "body": "x" * 2000, "tags": ["a", "b"][: number % 3]})
    id = (await alice.get("/notes?limit=1&sort=id")).json()["data"][0]["id"]
    only = {name: value for name, value in asked.items() if name == "fields"}
    path, query = (f"/notes/{id}", only) if one else ("/notes", asked)
    accepts = {"accept-encoding": coding}
    first = await alice.get(path, params=query, headers=accepts)
    tag = first.headers["etag"]
    assert first.status_code == 200
    assert tag.startswith('"')
    if changed:
        assert (await alice.patch(f"/notes/{id}", {"title": uuid4().hex})).status_code == 200
    header = ", ".join([*before, f"W/{tag}" if weak else tag])
    second = await alice.get(path, params=query, headers={**accepts, "if-none-match": header})
    now = await alice.get(path, params=query, headers=accepts)
    assert now.content == first.content or now.headers["etag"] != tag
    if now.headers["etag"] == tag:
        assert (second.status_code, second.content) == (304, b"")
        assert second.headers["etag"] == tag
        assert "content-type" not in second.headers
        assert "content-length" not in second.headers
        for name in ("cache-control", "vary", "last-modified", "link"):
            assert second.headers.get(name) == first.headers.get(name)
    else:
        assert (second.status_code, second.content) == (200, now.content)
        assert changed
    if one:
        other = await alice.get(
            path, params={"fields": "body"}, headers={"accept-encoding": "identity", "if-none-match": tag}
        )
        assert (other.status_code, other.json().keys()) == (200, {"body"})
    others = await alice.get(path, params=query, headers={**accepts, "if-none-match": ", ".join(before) or '"no"'})
    assert others.status_code == 200
    assert (await alice.get(path, params=query, headers={**accepts, "if-none-match": "*"})).status_code == 304


def test_two_answers_have_two_tags() -> None:
    assert len({tag_of(b"a"), tag_of(b"b"), tag_of(b"a", "1"), tag_of(b"a", "2")}) == 4
    assert is_among('"a", W/"b"', '"b"')
    assert not is_among('"a"b, "bb"', '"b"')


LISTED = [
    {"limit": 3},
    {"limit": 1, "offset": 1, "total": True},
    {"limit": 100, "sort": "-title"},
    {"limit": 5, "tag": "shop", "q": "milk"},
    {"limit": 3, "fields": "id,title"},
]


@pytest.mark.parametrize("query", LISTED, ids=str)
async def test_a_list_that_has_not_changed_is_told_by_its_hash_alone(
    alice: Client, house: House, query: dict[str, Any]
) -> None:
    """Seen red with what stands beside the rows left out of the tag: there was no next page any more, and still 304."""
    plain = {"accept-encoding": "identity"}
    notes = next(route.declared.listing for route in house.app.routes if route.operation_id == "list_notes")
    assert notes is not None
    for title in ("Milk", "Brot & Käse", "שלום", 'a "quoted" \\ one'):
        await alice.post("/notes", {**MILK, "title": title})
    first = await alice.get("/notes", params=query, headers=plain)
    tally, token = sight.begin()
    async with house.context(ALICE) as ctx:
        asked = notes.asks(PageQuery).model_validate({name: str(value) for name, value in query.items()})
        ctx.db.known = frozenset({first.headers["etag"]})
        page = await ctx.db.page(notes, asked)
    sight.end(token)
    assert (page.unchanged, tally.queries, from_json(page)["data"]) == (True, 1, [])
    second = await alice.get("/notes", params=query, headers={"if-none-match": first.headers["etag"]})
    assert (second.status_code, second.headers.get("link")) == (304, first.headers.get("link"))
    whole = await alice.get("/notes")
    await alice.delete(f"/notes/{whole.json()['data'][-1]['id']}")
    third = await alice.get("/notes", params=query, headers={"if-none-match": first.headers["etag"]})
    assert third.status_code == 200
    assert third.headers["etag"] != first.headers["etag"]


async def test_nobody_in_between_keeps_an_answer(alice: Client, nobody: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    for answer in (await alice.get(f"/notes/{id}"), await alice.get("/notes"), await nobody.get("/notes")):
        assert answer.headers["cache-control"] == "private, no-cache"
        assert {"Authorization", "Cookie", "Nexus-Org"} <= {each.strip() for each in answer.headers["vary"].split(",")}
    assert (await nobody.get("/health/live")).headers["cache-control"] == "no-store"
    assert "etag" not in (await nobody.get("/health/live")).headers
    assert "etag" not in (await nobody.get("/notes")).headers


async def test_a_row_says_when_it_was_changed(alice: Client) -> None:
    made = await alice.post("/notes", MILK)
    answer = await alice.get(f"/notes/{made.json()['id']}")
    assert answer.headers["last-modified"].endswith("GMT")
    assert made.headers["etag"] == answer.headers["etag"]
    assert "last-modified" not in (await alice.get("/notes")).headers


async def test_links_lead_to_the_other_pages(alice: Client) -> None:
    for title in "abcde":
        await alice.post("/notes", {"title": title, "tags": ["x"]})
    seen: list[str] = []
    answer = await alice.get("/notes?sort=title&tag=x&limit=2")
    while True:
        seen += [note["title"] for note in answer.json()["data"]]
        if "next" not in answer.links:
            break
        answer = await alice.get(answer.links["next"]["url"])
    assert seen == list("abcde")
    first = await alice.get(answer.links["first"]["url"])
    assert [note["title"] for note in first.json()["data"]] == ["a", "b"]
    middle = await alice.get("/notes?sort=title&offset=3&limit=2")
    previous = await alice.get(middle.links["prev"]["url"])
    assert [note["title"] for note in previous.json()["data"]] == ["b", "c"]


# --- changes meant for one version ----------------------------------------------------------------


async def patched(client: Client, id: str, tag: str, title: str = "new") -> httpx2.Response:
    return await client.patch(f"/notes/{id}", {"title": title}, headers={"if-match": tag})


async def test_a_change_of_what_somebody_else_changed_is_refused(alice: Client) -> None:
    made = await alice.post("/notes", MILK)
    id, tag = made.json()["id"], made.headers["etag"]
    first = await patched(alice, id, tag, "first")
    assert first.status_code == 200
    second = await patched(alice, id, tag, "second")
    assert (second.status_code, second.json()["error_code"]) == (412, "precondition_failed")
    other_fields = (await alice.get(f"/notes/{id}?fields=id")).headers["etag"]
    assert (await patched(alice, id, f'"x", {other_fields}', "third")).status_code == 200
    assert (await patched(alice, id, "*", "fourth")).status_code == 200
    for stale in ('"x"', f"W/{first.headers['etag']}", "x", "", (await alice.get("/notes")).headers["etag"]):
        assert (await patched(alice, id, stale)).status_code == 412
    gone = await alice.delete(f"/notes/{id}", headers={"if-match": tag})
    assert gone.status_code == 412
    assert (await alice.get(f"/notes/{id}")).json()["title"] == "fourth"


async def test_a_packed_answers_tag_will_do(alice: Client) -> None:
    made = await alice.post("/notes", {**MILK, "body": "x" * 3000}, headers={"accept-encoding": "gzip"})
    assert made.headers["etag"].endswith('-gzip"')
    assert (await patched(alice, made.json()["id"], made.headers["etag"])).status_code == 200


async def test_what_is_said_in_several_lines_is_said(alice: Client) -> None:
    """Tags, codings and languages; of what is no list the first line counts."""
    id = (await alice.post("/notes", {"title": "Milk", "body": "x" * 2000})).json()["id"]
    path = f"/notes/{id}"
    tag = (await alice.get(path, headers={"accept-encoding": "identity"})).headers["etag"]
    for lines in ([tag, '"b"'], ['"a"', tag]):
        answer = await alice.get(path, headers=[("if-none-match", each) for each in lines])
        assert answer.status_code == 304
    changed = await alice.patch(path, {"title": "Bread"}, headers=[("if-match", '"a"'), ("if-match", tag)])
    assert changed.status_code == 200
    sent = [("accept-encoding", "br;q=0.1"), ("accept-encoding", "gzip"), ("accept-encoding", "zstd;q=0")]
    sent += [("x-request-id", "first"), ("x-request-id", "second")]
    answer = await alice.get(path, headers=sent)
    assert (answer.headers["content-encoding"], answer.headers["x-request-id"]) == ("gzip", "first")
    languages = [("accept-language", "fr"), ("accept-language", "pl;q=0.5"), ("accept-language", "he;q=0.9")]
    refused = await alice.http.get("/api/v1/notes/x", headers=languages)
    assert any("\u05d0" <= letter <= "\u05ea" for letter in refused.json()["error"]), "Hebrew is liked best"


async def test_a_condition_that_cannot_be_checked_is_not_ignored(alice: Client) -> None:
    answer = await alice.post("/notes", MILK, headers={"if-match": '"x"'})
    assert (answer.status_code, answer.json()["error_code"]) == (412, "precondition_unsupported")
    assert (await alice.get("/notes?total=true")).json()["page"]["total"] == 0
    assert (await alice.post("/notes", MILK, headers={"if-match": "*"})).status_code == 201


async def test_of_two_changes_at_once_one_is_refused(committed_house: House) -> None:
    """No update is lost. Seen red with the version compared on the row as it was loaded, without holding it."""
    alice = committed_house.client(ALICE)
    for round in range(5):
        made = await alice.post("/notes", MILK)
        id, tag = made.json()["id"], made.headers["etag"]
        answers = await asyncio.gather(*(patched(alice, id, tag, f"{round}-{number}") for number in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
        (kept,) = [answer.json()["title"] for answer in answers if answer.status_code == 200]
        assert (await alice.get(f"/notes/{id}")).json()["title"] == kept


async def test_a_sent_again_change_is_answered_again_not_refused(alice: Client) -> None:
    made = await alice.post("/notes", MILK)
    id, headers = made.json()["id"], {"if-match": made.headers["etag"], "idempotency-key": "once"}
    for _ in range(2):
        answer = await alice.patch(f"/notes/{id}", {"title": "new"}, headers=headers)
        assert answer.status_code == 200
