"""Facts: typed, versioned, past tense, written once in the transaction that made them true.

    class NoteCreated(Event, type="note.created", subject="note_id"):
        note_id: UUID
        title: str

    @on(NoteCreated)
    async def greet(ctx: Ctx, fact: Fact[NoteCreated]) -> None: ...

The log is append-only. `follow` reads it in commit order, so a late commit is never skipped.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Index, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from nexuscore.kernel.errors import ConfigurationError, ValidationError
from nexuscore.kernel.tables import Id, IpAddress, Table

if TYPE_CHECKING:
    from nexuscore.kernel.ctx import Ctx
    from nexuscore.kernel.db import Db

_OURS = {"type", "version", "subject", "public"}
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class Event(BaseModel):
    """A fact. Fields are what subscribers may read: no secret, no more personal data than needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    subject: ClassVar[str | None] = None
    public: ClassVar[bool] = True

    def __init_subclass__(cls, **_: Any) -> None:
        """The keywords are for `__pydantic_init_subclass__`, which runs once the fields are known."""
        super().__init_subclass__()
        if taken := _OURS & inspect.get_annotations(cls).keys():
            raise ConfigurationError(
                f"{cls.__name__} cannot have a field {min(taken)!r}: that says what kind of event it is"
            )

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        type: str = "",
        version: int = 1,
        subject: str | None = None,
        public: bool = True,
        **rest: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**rest)
        if not _TYPE.fullmatch(type):
            raise ConfigurationError(f"{cls.__name__} needs a dotted type such as 'note.created'")
        if subject is not None and subject not in cls.model_fields:
            raise ConfigurationError(f"{cls.__name__}: the subject {subject!r} is not a field")
        cls.type, cls.version, cls.subject, cls.public = type, version, subject, public

    @classmethod
    def upgrade(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """Turn the data of an older `version` into this one's; override when `version` goes up."""
        return data


E = TypeVar("E", bound=Event)


class _Xid8(UserDefinedType[int]):
    """PostgreSQL's transaction id that never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "XID8"


ischema_names["xid8"] = _Xid8  # so that Alembic knows the column when it compares


class LoggedEvent(Table):
    """The append-only log, partitioned by month. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_xid_id", "xid", "id"),
        Index("ix_events_org_id_time", "org_id", "time"),
        Index("ix_events_type_time", "type", "time"),
        Index("ix_events_subject_time", "subject", "time"),
        {"postgresql_partition_by": "RANGE (time)"},
    )

    id: Mapped[Id]
    time: Mapped[datetime] = mapped_column(primary_key=True)
    org_id: Mapped[UUID | None] = mapped_column(Uuid)
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    type: Mapped[str]
    version: Mapped[int]
    subject: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    request_id: Mapped[str]
    ip: Mapped[IpAddress | None]
    xid: Mapped[int] = mapped_column(_Xid8, server_default=text("pg_current_xact_id()"))


class Heard(Table):
    """Which listener has taken in which event; written with the listener's effect."""

    __tablename__ = "heard"

    listener: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)


@dataclass(frozen=True, slots=True)
class Fact(Generic[E]):
    """An event as it stands in the log. `data` is typed when the type is still known."""

    id: UUID
    time: datetime
    org: UUID | None
    actor_kind: str
    actor_id: UUID | None
    type: str
    version: int
    subject: str | None
    body: dict[str, Any]
    request_id: str
    ip: str | None
    data: E


When = Callable[[Any, UUID | None], bool]


@dataclass(frozen=True, slots=True)
class Listener:
    """A function told of every event of one type (or of all, for `Event` itself), or of those `when` picks."""

    event: type[Event]
    run: Callable[["Ctx", Fact[Any]], Awaitable[None]]
    name: str
    when: When | None = None

    def wants(self, event: Event, org: UUID | None) -> bool:
        """Whether it is told of this one."""
        return self.when is None or self.when(event, org)

    async def __call__(self, ctx: "Ctx", fact: Fact[Any]) -> None:
        await self.run(ctx, fact)


def on(
    event: type[E], *, when: When | None = None
) -> Callable[[Callable[["Ctx", Fact[E]], Awaitable[None]]], Listener]:
    """Listen to `event`: the function runs in a job, in a transaction of its own, once per event.

    `when(event, org)` picks events before a job is made for them: an event nobody wants costs no job.
    """

    def listen(run: Callable[["Ctx", Fact[E]], Awaitable[None]]) -> Listener:
        return Listener(event, run, f"{run.__module__}.{run.__qualname__}", when)

    return listen


_EVENT = select(LoggedEvent).where(LoggedEvent.id == bindparam("id"), LoggedEvent.time == bindparam("time"))
_HEAR = upsert(Heard).on_conflict_do_nothing().returning(Heard.listener)


async def read(db: "Db", types: dict[str, type[Event]], id: UUID, time: datetime) -> Fact[Event]:
    """One event of the log by id and time."""
    return fact(await db.one(_EVENT, id=id, time=time), types)


async def hear(db: "Db", listener: str, event_id: UUID) -> bool:
    """Note that `listener` takes the event in with this transaction; False when it already did."""
    return await db.first(_HEAR, listener=listener, event_id=event_id) is not None


def fact(row: LoggedEvent, types: dict[str, type[Event]]) -> Fact[Event]:
    """A row of the log as a fact, its data brought to the current version of its class."""
    kind = types.get(row.type)
    body = row.data
    if kind is not None and row.version < kind.version:
        body = kind.upgrade(dict(body), row.version)
    data = Event.model_construct() if kind is None else kind.model_validate(body)
    return Fact(
        id=row.id,
        time=row.time,
        org=row.org_id,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        type=row.type,
        version=row.version,
        subject=row.subject,
        body=body,
        request_id=row.request_id,
        ip=str(row.ip) if row.ip is not None else None,
        data=data,
    )


START = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log in commit order; as text it can be stored or handed out."""

    xid: int = 0
    id: UUID = START

    def __str__(self) -> str:
        return f"{self.xid}-{self.id.hex}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor written as `text`; `ValidationError` when it is not one."""
        xid, _, id = text.partition("-")
        try:
            return cls(int(xid), UUID(hex=id))
        except ValueError:
            raise ValidationError(details=[{"field": "cursor", "code": "malformed"}]) from None


_FOLLOW = (
    "SELECT *, xid::text AS xid_text FROM events"
    " WHERE (xid, id) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY xid, id LIMIT $3"
)


async def follow(
    db: "Db", types: dict[str, type[Event]], after: Cursor, limit: int = 500
) -> list[tuple[Cursor, Fact[Event]]]:
    """The next facts in commit order, bounded by the oldest transaction still running."""
    rows = await db.raw(_FOLLOW, str(after.xid), after.id, limit)
    return [(Cursor(int(row.xid_text), row.id), fact(cast(LoggedEvent, row), types)) for row in rows]
