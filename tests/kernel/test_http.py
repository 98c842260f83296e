"""The HTTP ground: bad input gets a clear answer with a code, and loses nothing."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import pytest

from examples.notes.events import NoteCreated
from nexuscore.kernel.access import PermissionDenied
from nexuscore.kernel.http.describe import HEADERS
from nexuscore.kernel.http.exchange import client_ip
from nexuscore.kernel.testing import ALICE, Client, House

pytestmark = pytest.mark.anyio
MILK = {"title": "Milk"}
JSON = {"content-type": "application/json"}

BAD_BODIES = [
    (b"", 422, "validation_failed", "body"),
    (b"{", 400, "malformed_request", None),
    (b"\xff\xfe", 400, "malformed_request", None),
    (b"[]", 422, "validation_failed", "body"),
    (b"null", 422, "validation_failed", "body"),
    (b"{}", 422, "validation_failed", "title"),
    (b'{"title": ""}', 422, "validation_failed", "title"),
    (b'{"title": 7}', 422, "validation_failed", "title"),
    (b'{"title": "a", "colour": "red"}', 422, "validation_failed", "colour"),
    (b'{"title": "a", "tags": ["A B"]}', 422, "validation_failed", "tags.0"),
    (b'{"title": "a\\u0000b"}', 422, "validation_failed", ""),
    (b'{"title": "\\ud800"}', 400, "malformed_request", None),
    (json.dumps({"title": "x" * 201}).encode(), 422, "validation_failed", "title"),
    (b'{"title": "a", "body": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400, "malformed_request", None),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD_BODIES)
async def test_a_bad_body_is_refused_by_name(
    house: House, alice: Client, body: bytes, status: int, code: str, field: str | None
) -> None:
    async with house.expect_events():
        answer = await alice.request("POST", "/notes", content=body, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["error_code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    if field is not None:
        assert problem["details"][0]["field"] == field


BAD_QUERIES = [
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=x", "limit"),
    ("limit=99999999999999999999", "limit"),
    ("offset=-1", "offset"),
    ("offset=9223372036854775808", "offset"),
    ("cursor=!!", "cursor"),
    ("cursor=", "cursor"),
    ("cursor=bm90LWEtdXVpZA", "cursor"),
    ("cursor=" + "a" * 300, "cursor"),
    ("cursor=MDFhMWZhNGMtMzE2Yy03MjEzLWEyZTgtMjZkOTk1N2UwMzAy&offset=5", "cursor"),
    ("colour=red", "colour"),
    ("total=perhaps", "total"),
]


@pytest.mark.parametrize(("query", "field"), BAD_QUERIES)
async def test_a_bad_query_is_refused_by_name(alice: Client, query: str, field: str) -> None:
    answer = await alice.get(f"/notes?{query}")
    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == field


@pytest.mark.parametrize(
    "id", ["x", "0", "%00", "01a1fa4c-316c-7213-a2e8", "é", "{}", "{note_id}", "'; drop table notes"]
)
async def test_a_malformed_id_is_refused_by_name(alice: Client, id: str) -> None:
    answer = await alice.get(f"/notes/{id}")
    assert answer.status_code in {404, 422}
    assert answer.json()["error_code"] in {"not_found", "validation_failed"}


async def test_an_unknown_id_and_an_unknown_path_are_not_found(alice: Client) -> None:
    for path in (f"/notes/{uuid4()}", "/nowhere", "/notes/"):
        answer = await alice.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


async def test_a_problem_has_every_field_old_and_new_clients_read(alice: Client) -> None:
    answer = await alice.get(f"/notes/{uuid4()}", headers={"x-request-id": "abc-1"})
    problem = answer.json()
    assert problem["title"]
    assert problem["detail"] == problem["error"] == "We could not find what you asked for."
    assert (problem["status"], problem["success"], problem["request_id"]) == (404, False, "abc-1")
    assert problem["type"].endswith("not_found")
    assert problem["instance"].startswith("/api/v1/notes/")


@pytest.mark.parametrize(("language", "text"), [("he", "לא"), ("pl", "Nie"), ("tlh", "We"), ("", "We")])
async def test_a_problem_speaks_the_callers_language(alice: Client, language: str, text: str) -> None:
    answer = await alice.get(f"/notes/{uuid4()}", headers={"accept-language": language})
    assert answer.json()["detail"].startswith(text)


async def test_a_wrong_method_names_the_right_ones(alice: Client) -> None:
    answer = await alice.put("/notes", MILK)
    assert (answer.status_code, answer.json()["error_code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_a_wrong_media_type_is_refused(alice: Client) -> None:
    answer = await alice.request("POST", "/notes", content=b"<x/>", headers={"content-type": "application/xml"})
    assert (answer.status_code, answer.json()["error_code"]) == (415, "unsupported_media_type")


async def test_an_oversized_body_is_refused_whether_announced_or_not(alice: Client) -> None:
    big = b'{"title": "a", "body": "' + b"x" * 1_100_000 + b'"}'

    async def unannounced() -> Any:
        for start in range(0, len(big), 100_000):
            yield big[start : start + 100_000]

    for content in (big, unannounced()):
        answer = await alice.http.post("/api/v1/notes", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["error_code"]) == (413, "payload_too_large")


async def test_nobody_and_a_wrong_token_are_sent_to_sign_in(house: House, nobody: Client) -> None:
    assert (await nobody.get("/notes")).json()["error_code"] == "authentication_required"
    assert (await house.client("mallory").get("/notes")).status_code == 401


async def test_a_request_id_is_kept_when_harmless_and_replaced_when_not(alice: Client) -> None:
    kept = await alice.get("/notes", headers={"x-request-id": "order-66"})
    assert kept.headers["x-request-id"] == "order-66"
    for bad in ("a b", "x" * 65, "a\tb", "{}"):
        replaced = await alice.get("/notes", headers={"x-request-id": bad})
        assert replaced.headers["x-request-id"] != bad
        assert len(replaced.headers["x-request-id"]) >= 16


async def test_a_trace_goes_on_when_valid_and_begins_when_not(alice: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    on = await alice.get("/notes", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert on.headers["traceparent"].startswith(f"00-{trace}-")
    assert "00f067aa0ba902b7" not in on.headers["traceparent"]
    anew = await alice.get("/notes", headers={"traceparent": "00-zz-1-01"})
    assert len(anew.headers["traceparent"]) == 55


async def test_the_log_line_of_a_request_says_what_it_cost_and_nothing_private(
    alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    await alice.post("/notes", {"title": "call 91234567 or dan@example.com"}, headers={"x-request-id": "r-1"})
    line = next(line for line in capsys.readouterr().out.splitlines() if "request_id=r-1" in line)
    for part in ("method=POST", "route=/api/v1/notes", "status=201", "queries=2", "db_ms=", "org=", "actor=", "size="):
        assert part in line
    assert "dan@" not in line
    assert "91234567" not in line


async def test_the_request_id_reaches_the_log_of_facts(house: House, alice: Client) -> None:
    await alice.post("/notes", MILK, headers={"x-request-id": "trace-me"})
    (fact,) = await house.facts(NoteCreated)
    assert fact.request_id == "trace-me"


async def test_every_answer_is_hardened(alice: Client, nobody: Client) -> None:
    for answer in (await alice.get("/notes"), await nobody.get("/notes"), await alice.get("/nowhere")):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_no_cors_unless_set(alice: Client) -> None:
    answer = await alice.request("OPTIONS", "/notes", headers={"origin": "https://evil.example"})
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


class TestCors:
    """With an origin in the settings, its pages may read; nobody else's."""

    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"NEXUS_CORS_ORIGINS": "https://app.example"}

    async def test_a_named_origin_may_ask_and_read(self, alice: Client) -> None:
        origin = {"origin": "https://app.example"}
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        first = await alice.request("OPTIONS", "/notes", headers={**origin, **asked})
        assert first.status_code == 204
        assert first.headers["access-control-allow-headers"] == "authorization"
        for answer in (first, await alice.get("/notes", headers=origin), await alice.get("/nowhere", headers=origin)):
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "Origin" in answer.headers["vary"].split(", ")
        shown = set(first.headers["access-control-expose-headers"].split(", "))
        documented = {name.lower() for name in (*HEADERS, "Deprecation", "Sunset")}
        assert shown == documented - {"last-modified", "www-authenticate"} | {"traceparent"}, "browsers hide the rest"

    @pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil.example", "null", "*"])
    async def test_another_origin_may_not(self, alice: Client, origin: str) -> None:
        asked = {"origin": origin, "access-control-request-method": "POST"}
        assert (await alice.request("OPTIONS", "/notes", headers=asked)).status_code == 405
        assert "access-control-allow-origin" not in (await alice.get("/notes", headers={"origin": origin})).headers


async def test_a_denial_is_a_fact_and_another_tenants_row_is_not_there(
    house: House, alice: Client, bob: Client, charlie: Client
) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    async with house.expect_events(PermissionDenied, PermissionDenied) as facts:
        assert (await bob.delete(f"/notes/{id}")).status_code == 403
        assert (await charlie.get(f"/notes/{id}")).status_code == 404
        assert (await charlie.get(f"/notes/{uuid4()}")).status_code == 404
    assert [fact.body["operation"] for fact in facts] == ["delete_note", "read_note"]
    assert facts[1].body["id"] == id


async def test_head_is_get_without_a_body(alice: Client) -> None:
    answer = await alice.request("HEAD", "/notes")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_a_fault_of_ours_tells_nothing(
    house: House, alice: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("examples.notes.service.page", broken)
    answer = await alice.get("/notes")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_request_that_takes_too_long_is_stopped(
    committed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(ctx: Any, *_: object) -> None:
        await ctx.db.raw("SELECT pg_sleep(30)")

    house = committed_house
    object.__setattr__(house.app.kernel, "request_timeout_s", 0.2)
    monkeypatch.setattr("examples.notes.service.page", slow)
    alice = house.client(ALICE)
    answer = await alice.get("/notes")
    assert (answer.status_code, answer.json()["error_code"]) == (504, "request_timeout")
    monkeypatch.undo()
    assert (await alice.get("/notes")).status_code == 200


async def test_a_database_that_is_gone_is_503_and_comes_back(committed_house: House) -> None:
    house = committed_house
    alice = house.client(ALICE)
    async with house.app.database.transaction() as db:
        await db.raw(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
        )
    statuses = [(await alice.get("/notes")).status_code for _ in range(6)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


async def test_metrics_name_routes_not_ids(alice: Client, nobody: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    await alice.get(f"/notes/{id}")
    text = (await nobody.get("/metrics")).text
    assert 'route="/api/v1/notes/{note_id}"' in text
    assert id not in text


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "seen"),
    [
        ("203.0.113.9", "1.2.3.4", (), "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4", ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", "nonsense", ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", None, ("10.0.0.0/8",), "10.0.0.1"),
        ("::1", "2001:db8::1", ("::1/128",), "2001:db8::1"),
    ],
)
def test_only_trusted_proxies_say_who_asks(
    peer: str, forwarded: str | None, trusted: tuple[str, ...], seen: str
) -> None:
    assert client_ip({"client": (peer, 1)}, forwarded, trusted) == seen


async def test_a_cancelled_request_never_hands_its_answer_to_another(committed_house: House) -> None:
    """Hole 27. Seen red with `_abandon` rolling back on a cancelled connection instead of closing it."""
    app = committed_house.app

    async def ask(value: int) -> int:
        async with app.database.transaction() as db:
            (row,) = await db.raw("SELECT $1::int AS value, pg_sleep(0.002)", value)
            assert row.value == value
            return value

    for round in range(30):
        tasks = [asyncio.create_task(ask(round * 100 + n)) for n in range(12)]
        await asyncio.sleep(0.001 * (round % 5))
        for task in tasks[::3]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(a, int | asyncio.CancelledError) for a in answers), answers


async def test_a_client_that_goes_away_mid_body_loses_nothing(house: House) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer alice"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/notes", "query_string": b"",
        "headers": headers, "client": ("1.2.3.4", 1),
    }  # fmt: skip
    async with house.expect_events():
        await house.app(scope, receive, send)
    assert sent[0]["status"] == 400
