"""Read one, list 50, create with an event and a job: server CPU per request and requests per second, beside peers.

All servers are up and take turns, a slice each, so that whatever else the machine does falls on all of them.
A ratio is of two slices of one round.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from bench.figures import Figure, Target
from bench.load import LoadError, Slice, load, request
from bench.peers import FASTAPI, NEST
from bench.row import Row, Run
from bench.stage import OURS, Server, Stage, StageError

FIELDS = {"id", "title", "body", "tags", "words", "created_by", "created_at", "updated_at"}
NEW = {"title": "Note of a bench", "body": "All work and no play. " * 10, "tags": ["work", "play"]}
MICROSECONDS = 1_000_000

Workload = Callable[[Stage, Server], Awaitable[list[bytes]]]


async def _read(stage: Stage, server: Server) -> list[bytes]:
    """500 notes, one after the other."""
    ids = await stage.query(f"SELECT array_agg(id) FROM (SELECT id FROM {_seen(server)} ORDER BY random() LIMIT 500) n")
    _same(server, server.ask("GET", f"{server.path}/{ids[0]}"), await _stored(stage, ids[0]))
    return [request("GET", f"{server.path}/{id}", dict(server.headers)) for id in ids]


async def _list(stage: Stage, server: Server) -> list[bytes]:
    """The 50 newest notes."""
    path = f"{server.path}?limit=50"
    answer = server.ask("GET", path)
    notes = answer["data"] if isinstance(answer, dict) else answer
    newest = await stage.query(
        f"SELECT array_agg(id) FROM (SELECT id FROM {_seen(server)} ORDER BY id DESC LIMIT 50) n"
    )
    if len(notes) != len(newest):
        raise StageError(f"{server.name} lists {len(notes)} notes, not 50")
    for note, id in zip(notes, newest, strict=True):
        _same(server, note, await _stored(stage, id))
    return [request("GET", path, dict(server.headers))]


async def _create(stage: Stage, server: Server) -> list[bytes]:
    """A note, its event and a job, in one transaction."""
    events, jobs = ("events", "pgqueuer") if server.name == OURS else ("peer_events", "peer_jobs")
    count = f"SELECT array[count(*), (SELECT count(*) FROM {events}), (SELECT count(*) FROM {jobs})] FROM notes"
    before = await stage.query(count)
    note = server.ask("POST", server.path, NEW)
    _same(server, note, {**NEW, **await _stored(stage, note["id"])})
    added = [new - old for new, old in zip(await stage.query(count), before, strict=True)]
    if added != [1, 1, 1]:
        raise StageError(f"{server.name} creates {added} notes, events and jobs, not one of each")
    return [request("POST", server.path, dict(server.headers), _body(NEW))]


def _seen(server: Server) -> str:
    """The notes a server shows: ours the organisation's, peers all."""
    org = server.headers.get("Nexus-Org")
    return f"notes WHERE org_id = '{org}'" if org else "notes"


def _body(value: Any) -> bytes:
    return json.dumps(value).encode()


async def _stored(stage: Stage, id: Any) -> dict[str, Any]:
    columns = ", ".join(sorted(FIELDS))
    text = await stage.query(f"SELECT to_json(n)::text FROM (SELECT {columns} FROM notes WHERE id = '{id}') n")
    stored: dict[str, Any] = json.loads(text)
    return stored


def _same(server: Server, answered: dict[str, Any], stored: dict[str, Any]) -> None:
    """The same fields with the same values, times to the millisecond."""
    if answered.keys() != FIELDS:
        raise StageError(f"{server.name} answers with the fields {sorted(answered)}, not {sorted(FIELDS)}")
    wrong = {name for name in FIELDS if _plain(name, answered[name]) != _plain(name, stored[name])}
    if wrong:
        raise StageError(f"{server.name} answers another value of {sorted(wrong)} than is stored: {answered}")


def _plain(name: str, value: Any) -> Any:
    return int(datetime.fromisoformat(value).timestamp() * 1000) if name.endswith("_at") else value


async def _compare(workload: Workload, fastapi: float, run: Run) -> list[Figure]:
    stage = await run.stage()
    servers = [stage.member, *stage.servers[1:]]
    requests = {server.name: await workload(stage, server) for server in servers}
    for server in servers:
        await _load(server, requests[server.name], run.warm_up)
    cpu: dict[str, list[float]] = {server.name: [] for server in servers}
    rate: dict[str, list[float]] = {server.name: [] for server in servers}
    for number in range(run.rounds):
        for server in _turned(servers, number):
            before = server.cpu()
            done = await _load(server, requests[server.name], run.seconds)
            cpu[server.name].append((server.cpu() - before) / done.requests * MICROSECONDS)
            rate[server.name].append(done.requests / done.seconds)
    targets = {FASTAPI.name: Target(fastapi, at_least=True), NEST.name: Target(1, at_least=True)}
    figures = []
    for name, spent in cpu.items():
        ratios = tuple(theirs / ours for theirs, ours in zip(spent, cpu[OURS], strict=True))
        figures += [
            Figure(name, "CPU µs per request", tuple(spent)),
            Figure(name, "requests/s", tuple(rate[name])),
            Figure(name, "times our CPU", ratios, targets.get(name)),
        ]
    return figures


async def _load(server: Server, requests: Sequence[bytes], seconds: float) -> Slice:
    try:
        return await load(server.port, requests, seconds)
    except LoadError as error:
        raise StageError(f"{server.name}: {error}", server.process) from error


def _turned(servers: Sequence[Server], by: int) -> list[Server]:
    """The servers, another one first each round."""
    at = by % len(servers)
    return [*servers[at:], *servers[:at]]


ROWS = [
    Row("read", "Read one", partial(_compare, _read, 3)),
    Row("list", "List 50", partial(_compare, _list, 5)),
    Row("create", "Create, with event and job", partial(_compare, _create, 2.5)),
]
