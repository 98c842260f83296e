"""What reads cost: an answer that has not changed beside the one it stands for, a page deep in a list of any length,
and what tags, links and cursors take of every request.
"""

import http.client
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any
from uuid import UUID

import asyncpg
import psutil

from bench.figures import Figure, Target
from bench.load import load, request
from bench.row import Row, Run
from bench.stage import Server, StageError, family, stage
from examples.main import app
from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.http import conditional
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.links import page_links
from nexuscore.kernel.paging import Listing, PageQuery, as_page, page_of

MICROSECONDS = 1_000_000
BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd"}
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CALLS = 20_000
GROW = """
INSERT INTO notes (id, org_id, title, body, tags, words)
  SELECT uuidv7(), $1, 'Note ' || n, repeat('All work and no play. ', 10), '{work,play}', 50
  FROM generate_series(1, $2) n
"""


# --- 304 ------------------------------------------------------------------------------------------


async def _unchanged(run: Run) -> list[Figure]:
    async with stage(()) as place:
        ours = place.member
        id = await place.query(f"SELECT id FROM notes WHERE org_id = '{ours.headers['Nexus-Org']}' LIMIT 1")
        figures = []
        for what, path, headers, target in (
            ("a list of 100, as browsers ask", f"{ours.path}?limit=100", BROWSER, Target(0.6)),
            ("one note, as browsers ask", f"{ours.path}/{id}", BROWSER, None),
        ):
            figures += await _pair(run, ours, what, path, headers, target)
        return figures


async def _pair(
    run: Run, ours: Server, what: str, path: str, headers: dict[str, str], target: Target | None
) -> list[Figure]:
    headers = {**ours.headers, **headers}
    whole = [request("GET", path, headers)]
    known = [request("GET", path, {**headers, "If-None-Match": _tag(ours, path, headers)})]
    for each in (whole, known):
        await load(ours.port, each, run.warm_up)
    spent: dict[int, list[float]] = {0: [], 1: []}
    for number in range(run.rounds * 2):
        for at in (0, 1) if number % 2 else (1, 0):
            before = ours.cpu()
            done = await load(ours.port, (whole, known)[at], run.seconds)
            spent[at].append((ours.cpu() - before) / done.requests * MICROSECONDS)
    shares = tuple(less / more for more, less in zip(spent[0], spent[1], strict=True))
    return [
        Figure(what, "CPU µs of the 200", tuple(spent[0])),
        Figure(what, "CPU µs of the 304", tuple(spent[1])),
        Figure(what, "share", shares, target),
    ]


def _tag(ours: Server, path: str, headers: dict[str, str]) -> str:
    """The tag of an answer, once it is seen that it is answered with a 304."""
    tag = str(_headers(ours, path, headers, 200)["etag"])
    _headers(ours, path, {**headers, "If-None-Match": tag}, 304)
    return tag


def _headers(ours: Server, path: str, headers: dict[str, str], status: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != status:
        raise StageError(f"GET {path} is answered with {answer.status}, not {status}")
    return answer.headers


# --- cursors --------------------------------------------------------------------------------------


async def _deep(run: Run) -> list[Figure]:
    """A page in the middle of a list that grows: its time, and the CPU of server and database."""
    async with stage(()) as place:
        ours = place.member
        org = UUID(ours.headers["Nexus-Org"])
        connection = await asyncpg.connect(place.dsn)
        database = psutil.Process(psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).ppid())
        await connection.execute("DELETE FROM notes")
        figures: list[Figure] = []
        there, first = 0, 0.0
        for length in LENGTHS:
            await connection.execute(GROW, org, length - there)
            await connection.execute("VACUUM ANALYZE notes")
            there = length
            cursor = _middle(ours, length)
            asked = [request("GET", f"{ours.path}?limit=50&cursor={cursor}", dict(ours.headers))]
            await load(ours.port, asked, run.warm_up)
            spent = []
            for _ in range(run.rounds):
                processes = [*family(ours.process), *family(database)]
                before = sum(map(_cpu, processes))
                done = await load(ours.port, asked, run.seconds)
                spent.append((sum(map(_cpu, processes)) - before) / done.requests * MICROSECONDS)
            first = first or median(spent)
            subject = f"the middle of {length:,} notes"
            figures.append(Figure(subject, "CPU µs, PostgreSQL's included", tuple(spent)))
            ratios = tuple(each / first for each in spent)
            figures.append(Figure(subject, "times that of 1,000", ratios, Target(1.5)))
        await connection.close()
        return figures


def _middle(ours: Server, length: int) -> str:
    """The cursor of a place half way down."""
    answer = ours.ask("GET", f"{ours.path}?limit=1&offset={length // 2}")
    return str(answer["page"]["next_cursor"])


def _cpu(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


# --- one organisation, or another each time ---------------------------------------------------------


async def _turns(run: Run) -> list[Figure]:
    """A connection keeps whom it reads for; the dearest case is one where nobody comes twice in a row."""
    async with stage(()) as place:
        servers = (place.member, place.servers[0])
        both = [request("GET", f"{each.path}?limit=1", dict(each.headers)) for each in servers]
        asked = {"the same organisation": both[:1], "two organisations in turn": both}
        spent: dict[str, list[float]] = {what: [] for what in asked}
        for number in range(run.rounds + 1):
            for what, requests in asked.items():
                before = place.member.cpu()
                done = await load(place.member.port, requests, run.seconds)
                if number:
                    spent[what].append((place.member.cpu() - before) / done.requests * MICROSECONDS)
        alone, shared = spent.values()
        ratios = tuple(two / one for one, two in zip(alone, shared, strict=True))
        figures = [Figure(what, "CPU µs", tuple(values)) for what, values in spent.items()]
        return [*figures, Figure("two organisations in turn", "times one", ratios)]


# --- what every read pays ---------------------------------------------------------------------------


async def _paid(run: Run) -> list[Figure]:
    """In this process, without a server: the functions that every read goes through, with what they are given there."""
    keyring = Keyring.from_secrets("k" * 40)
    scope = {"method": "GET", "path": "/api/v1/notes", "query_string": b"limit=50", "headers": []}
    exchange = Exchange(app, scope, _nothing, limit=0)
    note, page = b"n" * 400, b"p" * 20_000
    notes = next(route.declared.listing for route in app.routes if route.operation_id == "list_notes")
    assert notes is not None
    query = notes.asks(PageQuery).model_validate({"limit": 50})
    info: dict[str, Any] = {"next_cursor": "c" * 120, "offset": 0, "limit": 50, "has_next": True, "has_prev": False}
    row = _Found()
    figures = []
    for what, call in (
        ("the tag of one note", lambda: conditional.answer(exchange, Reply(200, note, version="6442b1f4d1c00"))),
        ("the frame of a page of 50, and its tag", lambda: page_of(page, **info)),
        ("a page's statement and its cursor", lambda: _placed(notes, row, query, keyring)),
        ("links", lambda: page_links(exchange, info)),
        ("the version of the API", lambda: _entered(exchange)),
    ):
        figures.append(Figure(what, "CPU µs", tuple(_timed(call) for _ in range(run.rounds))))
    whole = tuple(map(sum, zip(*(figure.values for figure in figures[1:]), strict=True)))
    return [*figures, Figure("all of a page's", "CPU µs", whole, Target(100))]


def _placed(notes: Listing, row: "_Found", query: PageQuery, keyring: Keyring) -> None:
    place = notes.place(query, keyring)
    notes.statement(place.shape)
    as_page(row, query, place, keyring)


class _Found:
    """A row as the database answers for a page."""

    data, number, last, total, has_prev = b"[]", 51, ["01a1fafb-e7a0-7a61-8b29-0f53d4a3c1de"], None, False


def _entered(exchange: Exchange) -> None:
    app.versions.headers(exchange.path)
    app.versions.require_open(exchange.path)


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def _timed(call: Callable[[], object]) -> float:
    call()
    started = process_time()
    for _ in range(CALLS):
        call()
    return (process_time() - started) / CALLS * MICROSECONDS


ROWS = [
    Row("unchanged", "An answer that has not changed: 304 beside its 200", _unchanged),
    Row("deep", "A page of 50 by cursor, in lists of any length", _deep),
    Row("turns", "A list of one, for one organisation or for two that take turns", _turns),
    Row("reads", "What tags, links and cursors cost, per request", _paid),
]
