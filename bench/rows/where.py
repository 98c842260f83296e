"""Where the microseconds of one of our requests go: read one, as a person who has signed in, part by part.

The app runs in this process, on the stage's database. Its CPU per request is measured without a profiler; the shares
of the parts are the profiler's, which makes small functions look dearer than they are.
"""

import cProfile
import os
import pstats
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.row import Row, Run
from bench.stage import Stage
from examples.main import app as example
from nexuscore.kernel import log
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.tables import APP_ROLE

REQUESTS = 1500
PARTS = (  # the first that a file's path holds
    ("/modules/identity/", "who asks: token, session, permissions"),
    ("/modules/orgs/", "who asks: token, session, permissions"),
    ("/joserfc/", "who asks: token, session, permissions"),
    ("/kernel/limits", "limits and overload"),
    ("/kernel/quotas", "limits and overload"),
    ("/http/limiting", "limits and overload"),
    ("/http/load", "limits and overload"),
    ("/kernel/log", "log, figures, traces"),
    ("/kernel/sight", "log, figures, traces"),
    ("/kernel/metrics", "log, figures, traces"),
    ("/kernel/redaction", "log, figures, traces"),
    ("/prometheus_client/", "log, figures, traces"),
    ("/structlog/", "log, figures, traces"),
    ("/http/conditional", "tags, fields, headers, encoding"),
    ("/http/sending", "tags, fields, headers, encoding"),
    ("/http/encoding", "tags, fields, headers, encoding"),
    ("/http/answers", "tags, fields, headers, encoding"),
    ("/http/fields", "tags, fields, headers, encoding"),
    ("/asyncpg/", "database: driver, transaction, statements"),
    ("/kernel/db", "database: driver, transaction, statements"),
    ("/kernel/database", "database: driver, transaction, statements"),
    ("/kernel/statements", "database: driver, transaction, statements"),
    ("/kernel/http/", "edge: routing, parameters, context"),
    ("/kernel/", "edge: routing, parameters, context"),
    ("/examples/", "the verb"),
)
LOOP = "event loop, everything else"


async def _where(run: Run) -> list[Figure]:
    stage = await run.stage()
    scope = await _scope(stage)
    app = _app(stage)
    with Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230 - it is open at once
        log.configure(level="info", format="json", stream=nowhere)
        await app.start(stage.dsn.replace("postgres@", f"{APP_ROLE}@"))
        try:
            await _ask(app, scope, REQUESTS)
            whole, shares = [], []
            for _ in range(max(3, run.rounds // 2)):
                before = time.process_time()
                await _ask(app, scope, REQUESTS)
                whole.append((time.process_time() - before) / REQUESTS * 1e6)
                shares.append(await _shares(app, scope))
        finally:
            await app.stop()
    names = sorted({name for each in shares for name in each}, key=lambda name: -shares[0][name])
    figures = [Figure("one request, in all", "CPU µs", tuple(whole))]
    for name in names:
        spent = tuple(share[name] * cpu for share, cpu in zip(shares, whole, strict=True))
        figures.append(Figure(name, "CPU µs", spent, note=f"{shares[0][name]:.0%}"))
    return figures


def _app(stage: Stage) -> App:
    """The app as the member's server runs it: the same address in tokens, and room for many requests."""
    modules = [module for module in example.modules if module.name != "kernel"]
    classes: list[type[Settings]] = [KernelSettings, *(cls for module in modules for cls in module.settings)]
    own = {"NEXUS_PUBLIC_URL": f"http://127.0.0.1:{stage.member.port}", "NEXUS_LIMITS": "user=10000000/h"}
    return compose(modules, settings=load(classes, environ=own, env_file=None))


async def _scope(stage: Stage) -> dict[str, Any]:
    """A request for a note of the member's, as a server hands it to the app."""
    org = stage.member.headers["Nexus-Org"]
    id = await stage.query(f"SELECT id FROM notes WHERE org_id = '{org}' LIMIT 1")
    headers = {"host": "127.0.0.1", "user-agent": "bench", **stage.member.headers}
    return {
        "type": "http",
        "method": "GET",
        "path": f"/api/v1/notes/{id}",
        "query_string": b"",
        "client": ("127.0.0.1", 50_000),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }


async def _ask(app: App, scope: dict[str, Any], times: int) -> None:
    statuses: Counter[int] = Counter()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses[message["status"]] += 1

    for _ in range(times):
        await app(dict(scope), receive, send)
    assert statuses == {200: times}, statuses


async def _shares(app: App, scope: dict[str, Any]) -> Counter[str]:
    """What part of the time each part takes itself; what is built in counts for whoever called it."""
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    await _ask(app, scope, REQUESTS)
    profile.disable()
    spent: Counter[str] = Counter()
    stats: Any = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed leaves it out
    for (file, _, _), (_, _, own, _, callers) in stats.items():
        if file != "~":
            spent[_part(file)] += own
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():
            spent[_part(caller)] += part
    total = sum(spent.values())
    return Counter({name: value / total for name, value in spent.items()})


def _part(file: str) -> str:
    return next((name for place, name in PARTS if place in file), LOOP)


ROWS = [Row("where", "Where the microseconds of read one go", _where)]
