"""A row of the log in its canonical form: the bytes that are hashed, archived and exported.

The form is JSON on one line, made from PostgreSQL's own texts, so that it is the same on every machine and in every
year: `sha256sum` of a line of an archive is the hash its seal holds.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from uuid import UUID

TEXTS = """e.xid::text AS xid, e.id::text AS id,
 CASE WHEN e.time >= '0001-01-01Z' AND e.time < '10000-01-01Z'
  THEN to_char(e.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE e.time::text END AS time,
 e.type, e.version, e.subject, e.org_id::text AS org_id, e.actor_kind, e.actor_id::text AS actor_id,
 e.request_id, abbrev(e.ip) AS ip, e.data::text AS data"""
_BEFORE_DATA = (
    *("id", "time", "type", "version", "subject", "org_id"),
    *("actor_kind", "actor_id", "request_id", "ip", "xid"),
)

Place = tuple[int, UUID]
"""Where a row stands in commit order: transaction and id."""


def canonical(row: Any) -> bytes:
    """The line of a row selected as `TEXTS`, without its line end."""
    head = json.dumps({name: row[name] for name in _BEFORE_DATA}, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"data":{row["data"]}}}'.encode()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a seal remembers of a row: enough to name it when it is gone."""

    xid: int
    id: UUID
    time: str
    digest: str
    type: str

    @classmethod
    def of(cls, row: Any, line: bytes) -> Self:
        """The entry of a row (or a parsed line) and its canonical form."""
        return cls(int(row["xid"]), UUID(row["id"]), row["time"], hashlib.sha256(line).hexdigest(), row["type"])

    @property
    def place(self) -> Place:
        return self.xid, self.id

    @property
    def month(self) -> date | None:
        """The month of its time, if that is one a calendar has."""
        try:
            return date.fromisoformat(self.time[:10]).replace(day=1)
        except ValueError:
            return None

    def written(self) -> str:
        """The entry as a line of the seal's list."""
        return f"{self.xid} {self.id} {self.time} {self.digest} {json.dumps(self.type)}\n"

    @classmethod
    def read(cls, line: str) -> Self:
        """The entry `written` wrote."""
        xid, id, time, digest, type = line.split(" ", 4)
        return cls(int(xid), UUID(id), time, digest, json.loads(type))
