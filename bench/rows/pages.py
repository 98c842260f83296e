"""A page of the console with a table of fifty rows, signed in and with everything around it; beside it one of Django's
templates with a table of the same columns, thirty links and nobody signed in.
"""

import http.client

from bench.figures import Figure, Target
from bench.load import load, request
from bench.peers import DJANGO
from bench.row import Row, Run
from bench.stage import Server, StageError, installed, stage

MILLISECONDS = 1_000
ROWS_SHOWN = 50
READER = {"Accept": "text/html"}
BROWSER = {**READER, "Accept-Encoding": "gzip, deflate, br, zstd"}


async def _page(run: Run) -> list[Figure]:
    async with stage(installed([DJANGO])) as place:
        ours = place.member
        path = f"/console/notes?limit={ROWS_SHOWN}"
        asked = [
            (ours, "NexusCore, as browsers ask, compressed", path, BROWSER, Target(5)),
            (ours, "NexusCore, not compressed", path, READER, None),
            *(
                (peer, "Django, its templates and ORM", "/notes/page?limit=50", READER, None)
                for peer in place.servers[1:]
            ),
        ]
        spent: dict[str, list[float]] = {what: [] for _, what, *_ in asked}
        for server, _, at, headers, _ in asked:
            _shown(server, at)
            await load(server.port, [request("GET", at, {**server.headers, **headers})], run.warm_up)
        for _ in range(run.rounds):
            for server, what, at, headers, _ in asked:
                before = server.cpu()
                done = await load(server.port, [request("GET", at, {**server.headers, **headers})], run.seconds)
                spent[what].append((server.cpu() - before) / done.requests * MILLISECONDS)
        return [Figure(what, "CPU ms per page", tuple(spent[what]), target) for _, what, _, _, target in asked]


def _shown(server: Server, path: str) -> None:
    """Look once that the page holds the rows."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={**server.headers, **READER})
    answer = connection.getresponse()
    html = answer.read().decode()
    connection.close()
    rows = html.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>")
    if answer.status != 200 or rows != ROWS_SHOWN:
        raise StageError(f"{server.name} answers {path} with {answer.status} and {rows} rows", server.process)


ROWS = [Row("page", "A page with a table of 50 rows", _page)]
