"""Notes in FastAPI and SQLAlchemy's async ORM on asyncpg, as its tutorials write them."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

ORG = UUID(os.environ["BENCH_ORG"])
engine = create_async_engine("postgresql+asyncpg://", pool_size=16, max_overflow=0)  # where to: PGHOST and the like
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


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


class NewNote(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=100_000)
    tags: list[str] = Field(default_factory=list, max_length=20)


class NoteOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    body: str
    tags: list[str]
    words: int | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]


@app.get("/notes", response_model=list[NoteOut])
async def list_notes(session: Session, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    return (await session.scalars(select(Note).order_by(Note.id.desc()).limit(limit))).all()


@app.get("/notes/{note_id}", response_model=NoteOut)
async def read_note(session: Session, note_id: UUID) -> Any:
    note = await session.get(Note, note_id)
    if note is None:
        raise HTTPException(404)
    return note


@app.post("/notes", response_model=NoteOut, status_code=201)
async def create_note(session: Session, new: NewNote) -> Any:
    note = Note(org_id=ORG, **new.model_dump())
    session.add(note)
    await session.flush()
    session.add(Event(org_id=ORG, type="note.created", data={"note_id": str(note.id), "title": note.title}))
    session.add(Job(kind="note.created", payload={"note_id": str(note.id)}))
    await session.commit()
    return note


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="warning")
