# type: ignore  # noqa: PGH003 - the whole file: Litestar is installed for this peer alone
"""Notes in Litestar and SQLAlchemy's async ORM on asyncpg, answered by msgspec."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import uvicorn
from litestar import Litestar, get, post
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from msgspec import Meta, Struct, field
from sqlalchemy import BigInteger, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

ORG = UUID(os.environ["BENCH_ORG"])
engine = create_async_engine("postgresql+asyncpg://", pool_size=16, max_overflow=0)  # where to: PGHOST and the like
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        str: Text,
        int: BigInteger,
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
    }


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    org_id: Mapped[UUID]
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    words: Mapped[int | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    is_deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime | None]


class Event(Base):
    __tablename__ = "peer_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    org_id: Mapped[UUID]
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Job(Base):
    __tablename__ = "peer_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NewNote(Struct):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    body: Annotated[str, Meta(max_length=100_000)] = ""
    tags: Annotated[list[str], Meta(max_length=20)] = field(default_factory=list)


class NoteOut(Struct):
    id: UUID
    title: str
    body: str
    tags: list[str]
    words: int | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


def shown(note: Note) -> NoteOut:
    return NoteOut(
        note.id, note.title, note.body, note.tags, note.words, note.created_by, note.created_at, note.updated_at
    )


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


@get("/notes")
async def list_notes(session: AsyncSession, limit: Annotated[int, Parameter(ge=1, le=100)] = 20) -> list[NoteOut]:
    return [shown(note) for note in await session.scalars(select(Note).order_by(Note.id.desc()).limit(limit))]


@get("/notes/{note_id:uuid}")
async def read_note(session: AsyncSession, note_id: UUID) -> NoteOut:
    note = await session.get(Note, note_id)
    if note is None:
        raise NotFoundException
    return shown(note)


@post("/notes")
async def create_note(session: AsyncSession, data: NewNote) -> NoteOut:
    note = Note(org_id=ORG, title=data.title, body=data.body, tags=data.tags)
    session.add(note)
    await session.flush()
    session.add(Event(org_id=ORG, type="note.created", data={"note_id": str(note.id), "title": note.title}))
    session.add(Job(kind="note.created", payload={"note_id": str(note.id)}))
    await session.commit()
    return shown(note)


app = Litestar(
    [list_notes, read_note, create_note], dependencies={"session": Provide(open_session)}, openapi_config=None
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="warning")
