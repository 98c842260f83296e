"""Lists in pages: `limit` and `offset`, or a `cursor` to walk on without counting.

    NOTES = Listing(select(*columns(Note, NoteOut.model_fields)), by=Note.id)

    page = await ctx.db.page(NOTES, query)

PostgreSQL builds the JSON; the page passes through as bytes.
"""

import base64
import binascii
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from sqlalchemy import Select, bindparam, func, literal_column, null, select
from sqlalchemy.orm import InstrumentedAttribute

from nexuscore.kernel.errors import Fault, ValidationError

T = TypeVar("T")
MAX_LIMIT = 100


class PageInfo(BaseModel):
    """Where a page stands. `next_cursor` is null on the last page, `total` unless it was asked for."""

    limit: int
    offset: int
    total: int | None
    has_next: bool
    has_prev: bool
    next_cursor: str | None


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    data: list[T]
    page: PageInfo


class PageQuery(BaseModel):
    """The query parameters every list takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(20, ge=1, le=MAX_LIMIT, description="How many rows, at most 100.")
    offset: int = Field(0, ge=0, le=1_000_000, description="How many rows to skip.")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before; not with `offset`.")
    total: bool = Field(False, description="Count all rows too. Costs a scan of the list.")


class Listing:
    """A list as one select, newest first by the unique column `by`, which it must show."""

    def __init__(
        self,
        rows: Select[Any],
        *,
        by: InstrumentedAttribute[Any],
        parse: Callable[[str], Any] = UUID,
    ) -> None:
        self.by = by
        self.rows = rows
        self._parse = parse

    @cached_property
    def first(self) -> Select[Any]:
        """The statement of a page found by offset."""
        return self._page(self.rows, counted=False)

    @cached_property
    def counted(self) -> Select[Any]:
        """The same with the number of all rows."""
        return self._page(self.rows, counted=True)

    @cached_property
    def following(self) -> Select[Any]:
        """The statement of a page found by cursor."""
        return self._page(self.rows.where(self.by < bindparam("after")), counted=False)

    def _page(self, rows: Select[Any], *, counted: bool) -> Select[Any]:
        found = rows.order_by(self.by.desc()).limit(bindparam("more")).offset(bindparam("skip")).cte("found")
        shown = select(found).limit(bindparam("limit")).subquery("r")
        array = func.coalesce(func.json_agg(literal_column("r")), literal_column("'[]'::json"))
        number = select(func.count()).select_from(found).scalar_subquery()
        last = func.min(shown.c[self.by.key].op("::")(literal_column("text")))
        total = select(func.count()).select_from(rows.subquery()).scalar_subquery()
        return select(
            array.op("::")(literal_column("text")).label("data"),
            number.label("number"),
            last.label("last"),
            (total if counted else null()).label("total"),
        ).select_from(shown)

    def place(self, query: PageQuery) -> tuple[Select[Any], dict[str, Any]]:
        """The statement that answers `query`, and its arguments."""
        given = {"limit": query.limit, "more": query.limit + 1, "skip": query.offset}
        if query.cursor is None:
            return (self.counted if query.total else self.first), given
        if query.offset or query.total:
            raise ValidationError.of([Fault("cursor", "not_together", "A cursor goes without offset and total.")])
        return self.following, {**given, "after": self._read(query.cursor)}

    def _read(self, cursor: str) -> Any:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            return self._parse(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
        except (ValueError, binascii.Error):
            raise ValidationError.of([Fault("cursor", "malformed", "This is not a cursor of this list.")]) from None


def as_page(row: Any, query: PageQuery) -> bytes:
    """The body of a page: the array as PostgreSQL built it, and where it stands."""
    has_next = row.number > query.limit
    info = {
        "limit": query.limit,
        "offset": query.offset,
        "total": row.total,
        "has_next": has_next,
        "has_prev": bool(query.offset or query.cursor),
        "next_cursor": cursor_of(row.last) if has_next else None,
    }
    return b'{"data":%s,"page":%s}' % (row.data.encode(), to_json(info))


def cursor_of(value: str) -> str:
    """A place in a list as the text callers hand back."""
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
