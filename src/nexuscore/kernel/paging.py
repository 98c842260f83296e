"""Lists in pages: `limit` and `offset`, or a `cursor` to walk on at the same cost however far.

    NOTES = Listing(
        select(*columns(Note, NoteOut.model_fields)),
        by=Note.id,
        sorts=(Note.title, Note.created_at),
        filters={"tag": has(Note.tags)},
        search=(Note.title, Note.body),
    )

    @routes.get("", answer=Page[NoteOut], listing=NOTES)
    async def list_notes(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
        return await ctx.db.page(NOTES, query)

PostgreSQL builds the JSON; the page passes through as bytes. A statement is made once for each shape of a query.
"""

from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_core import to_json
from sqlalchemy import Select, Text, bindparam, cast, false, func, literal_column, null, or_, select, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import InstrumentedAttribute

from nexuscore.kernel import cursors, keyset
from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.filters import Filter, holding
from nexuscore.kernel.keyset import Key
from nexuscore.kernel.rowjson import Json, as_array, hash_of, shown

T = TypeVar("T")
MAX_LIMIT = 100
_SHAPES = 64  # statements a list keeps
_SORTS = 256

Sort = tuple[tuple[str, bool], ...]  # columns by name, and whether downwards


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
    """The query parameters every list takes. An operation that names its `listing` takes that list's own too."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    asked: ClassVar[tuple[str, ...]] = ()  # what a listing added

    limit: int = Field(20, ge=1, le=MAX_LIMIT, description="How many rows, at most 100.")
    offset: int = Field(0, ge=0, le=1_000_000, description="How many rows to skip.")
    cursor: str | None = Field(
        None, max_length=cursors.LONGEST, description="`next_cursor` of the page before; not with `offset`."
    )
    total: bool = Field(False, description="Count all rows too. Costs a scan of the list.")
    fields: str | None = Field(None, max_length=1000, description="Only these fields of each row, as `id,name`.")

    @property
    def whole(self) -> Self:
        """The same without `fields`, for a list that is worked on before it is answered."""
        return self.model_copy(update={"fields": None})


def is_page(answer: Any) -> bool:
    """Whether what an operation answers is a page of a list."""
    return isinstance(answer, type) and issubclass(answer, Page)


class PageJson(Json):
    """A page as it is answered, and where it stands. `cut` says that it holds only the fields that were asked for.

    Its `tag` tells it from every other content of this page, and is known without the rows. So one that is `unchanged`
    for a caller who has it has none.
    """

    info: dict[str, Any]
    cut: bool = False
    tag: str
    unchanged: bool = False


class Shape(NamedTuple):
    """What about a page changes its statement."""

    sort: Sort
    filters: tuple[str, ...] = ()
    search: bool = False
    shown: tuple[str, ...] | None = None
    nulls: tuple[bool, ...] | None = None  # which values of the cursor's place are empty; None without a cursor
    skips: bool = False
    counted: bool = False
    hashed: bool = False  # the rows' hash in place of the rows


@dataclass(frozen=True, slots=True)
class Place:
    """A page that was asked for: what its statement is made of, the values it takes, what its cursors are good for."""

    shape: Shape
    given: dict[str, Any]
    about: bytes
    cut: bool


class Listing:
    """A list as one select, newest first by the unique column `by`.

    `sorts` are the columns it can be sorted by (an index on each, and `by` behind it, keeps every page as cheap as the
    first), `filters` what it can be narrowed by, `search` the texts `q` looks into. `order` is another first order.
    """

    def __init__(
        self,
        rows: Select[*tuple[Any, ...]],
        *,
        by: InstrumentedAttribute[Any],
        sorts: Sequence[Any] | Mapping[str, Any] = (),
        order: str = "",
        filters: Mapping[str, Filter] | None = None,
        search: Sequence[Any] = (),
    ) -> None:
        self.by = by
        self.rows = rows
        named = sorts if isinstance(sorts, Mapping) else {column.key: column for column in sorts}
        self.sorts: dict[str, Any] = {**named, by.key: by}
        self.filters = dict(filters or {})
        self.search = tuple(search)
        self._read: dict[str, Sort] = {}
        self._usual = self.sort(order) if order else ((by.key, True),)
        self._made: OrderedDict[Shape, Select[Any]] = OrderedDict()

    # --- what callers may ask -----------------------------------------------------------------------

    def asks(self, base: type[PageQuery]) -> type[PageQuery]:
        """`base` with this list's own parameters."""
        names = "|".join(self.sorts)
        own: dict[str, Any] = {
            "sort": (
                str | None,
                Field(
                    None,
                    max_length=200,
                    description=f"Sorted by these, `-` for downwards: {', '.join(f'`{name}`' for name in self.sorts)}.",
                    json_schema_extra={
                        "pattern": f"^-?({names})(,-?({names}))*$",
                        "examples": [f"-{name}" for name in [*self.sorts][-1:]],
                    },
                ),
            ),
            **{
                name: (bool, Field(False, description=each.meaning))
                if each.column is None
                else (each.kind | None, Field(None, description=each.meaning))
                for name, each in self.filters.items()
            },
        }
        if self.search:
            looked = ", ".join(f"`{column.key}`" for column in self.search)
            own["q"] = (
                str | None,
                Field(None, min_length=1, max_length=200, description=f"A text in {looked}, in capitals or not."),
            )
        model = create_model(base.__name__, __base__=base, __doc__=base.__doc__, **own)
        model.asked = tuple(own)
        return model

    def sort(self, text: str) -> Sort:
        """What `sort=` says, or a `ValidationError` that names what this list cannot be sorted by."""
        known = self._read.get(text)
        if known is not None:
            return known
        wanted = tuple((name.removeprefix("-"), name.startswith("-")) for name in text.split(","))
        names = [name for name, _ in wanted]
        faults = [
            Fault("sort", "unknown_sort", "This list cannot be sorted by {name}.", {"name": name})
            for name in names
            if name not in self.sorts
        ]
        if not faults and len(set(names)) < len(names):
            faults = [Fault("sort", "sorted_twice", "Name each column once.")]
        if faults:
            raise ValidationError.of(faults)
        if len(self._read) >= _SORTS:
            self._read.clear()
        self._read[text] = wanted
        return wanted

    def place(self, query: PageQuery, keyring: Keyring) -> Place:
        """The statement that answers `query`, its values, and what the next cursor will be good for."""
        sort, looks = self._usual, False
        used: tuple[str, ...] = ()
        given: dict[str, Any] = {"limit": query.limit, "more": query.limit + 1, "last": query.limit - 1}
        about = self.mark
        if type(query).asked:
            values = vars(query)
            if values["sort"] is not None:
                sort = self.sort(values["sort"])
            used = tuple(name for name in self.filters if values[name] is not None and values[name] is not False)
            given |= {f"only_{name}": values[name] for name in used if self.filters[name].column is not None}
            looks = values.get("q") is not None
            if looks:
                given["looked"] = holding(values["q"])
            if looks or used or sort != self._usual:
                narrowed = {name: values[name] for name in type(query).asked if values[name] is not None}
                about += to_json({**narrowed, "sort": sort})
        nulls = None
        if query.cursor is not None:
            if query.offset:
                raise ValidationError.of([Fault("cursor", "not_together", "A cursor goes without offset.")])
            place = cursors.read(keyring, about, query.cursor)
            nulls = tuple(value is None for value in place)
            given |= {f"place{number}": value for number, value in enumerate(place) if value is not None}
        elif query.offset:
            given["skip"] = query.offset
        shown, cut = self._shown(query.fields)
        shape = Shape(sort, used, looks, shown, nulls, query.offset > 0, query.total)
        return Place(shape, given, about, cut)

    def _shown(self, fields: str | None) -> tuple[tuple[str, ...] | None, bool]:
        """The columns that have the wanted fields, and whether that is all there is to cut."""
        if fields is None:
            return None, False
        wanted = {name.partition(".")[0] for name in fields.split(",")}
        shown = tuple(name for name in self.names if name in wanted)
        return (shown, "." not in fields) if len(shown) == len(wanted) else (None, False)

    # --- statements ---------------------------------------------------------------------------------

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What a row shows."""
        return tuple(self.rows.selected_columns.keys())

    @cached_property
    def mark(self) -> bytes:
        """What tells this list from others, in every process of this and the next release."""
        text = f"{self.by} {self.rows.whereclause}"
        return sha256(text.encode()).digest()[:8]

    def statement(self, shape: Shape) -> Select[Any]:
        """The statement of a shape; those asked for last are kept."""
        made = self._made.get(shape)
        if made is None:
            made = self._made[shape] = self._build(shape)
            if len(self._made) > _SHAPES:
                self._made.popitem(last=False)
        else:
            self._made.move_to_end(shape)
        return made

    def keys(self, sort: Sort) -> list[Key]:
        """The columns of an order, with `by` at its end."""
        keys = [Key(self.sorts[name], down, _nullable(self.sorts[name])) for name, down in sort]
        if self.by.key not in dict(sort):
            keys.append(Key(self.by, keys[-1].down, nullable=False))
        return keys

    def _build(self, shape: Shape) -> Select[Any]:
        rows = self.rows.where(*(self.filters[name].condition(name) for name in shape.filters))
        if shape.search:
            looked = bindparam("looked", type_=Text())
            rows = rows.where(or_(*(column.ilike(looked, escape="\\") for column in self.search)))
        keys = self.keys(shape.sort)
        found = self._found(rows, keys, shape).cte("found")
        names = shape.shown or self.names
        page = select(*(shown(found.c[name]) for name in names)).limit(bindparam("limit")).subquery("r")
        ends = array([cast(found.c[f"_key{number}"], Text) for number in range(len(keys))])
        last = select(ends).select_from(found).offset(bindparam("last")).limit(1).scalar_subquery()
        total = select(func.count()).select_from(rows.subquery()).scalar_subquery()
        data = as_array(page)
        return select(
            (hash_of(data) if shape.hashed else data).label("data"),
            select(func.count()).select_from(found).scalar_subquery().label("number"),
            last.label("last"),
            (total if shape.counted else null()).label("total"),
            self._is_behind(rows, keys, shape).label("has_prev"),
        ).select_from(page)

    def _found(self, rows: Select[Any], keys: list[Key], shape: Shape) -> Any:
        """The rows of the page and one more, with the values of their keys."""
        rows = rows.add_columns(*(key.column.label(f"_key{number}") for number, key in enumerate(keys)))
        most: Any = bindparam("more")
        if shape.nulls is None:
            found = rows.order_by(*keyset.order(keys)).limit(most)
            return found.offset(bindparam("skip")) if shape.skips else found
        parts = keyset.behind(keys, shape.nulls)
        found_parts = [rows.where(*part).order_by(*keyset.order(keys)).limit(most) for part in parts]
        if len(parts) == 1:
            return found_parts[0]
        whole = union_all(*found_parts).subquery()
        ordered = [Key(whole.c[f"_key{number}"], key.down, key.nullable) for number, key in enumerate(keys)]
        return select(whole).order_by(*keyset.order(ordered)).limit(most)

    def _is_behind(self, rows: Select[Any], keys: list[Key], shape: Shape) -> Any:
        """Whether there are rows before the page."""
        if shape.nulls is not None:
            parts = keyset.before(keys, shape.nulls)
        elif shape.skips:
            parts = [[]]
        else:
            return false()
        # In order and not by EXISTS, for which PostgreSQL may read rows as they lie: half of the table, at worst.
        back = keyset.order([Key(key.column, not key.down, key.nullable) for key in keys])
        one: Select[Any] = rows.with_only_columns(literal_column("1"), maintain_column_froms=True)
        found = (one.where(*part).order_by(*back).limit(1).scalar_subquery() for part in parts)
        return or_(*(each.is_not(None) for each in found))


def _nullable(column: Any) -> bool:
    return bool(getattr(getattr(column, "expression", column), "nullable", True))


def as_page(row: Any, query: PageQuery, place: Place, keyring: Keyring) -> PageJson:
    """The body of a page: the array as PostgreSQL built it, and where it stands."""
    return page_of(row.data, cut=place.cut, **_info(row, query, place, keyring))


def as_unchanged(row: Any, query: PageQuery, place: Place, keyring: Keyring, known: Container[str]) -> PageJson | None:
    """The page without its rows, when its tag is `known`; the row has their hash."""
    info = _info(row, query, place, keyring)
    tag = _tag(row.data, to_json(info))
    if tag not in known:
        return None
    page = page_of(b"[]", cut=place.cut, **info)
    page.tag, page.unchanged = tag, True
    return page


def _info(row: Any, query: PageQuery, place: Place, keyring: Keyring) -> dict[str, Any]:
    has_next = row.number > query.limit
    return {
        "limit": query.limit,
        "offset": query.offset,
        "total": row.total,
        "has_next": has_next,
        "has_prev": row.has_prev,
        "next_cursor": cursors.write(keyring, place.about, row.last) if has_next else None,
    }


def page_of(data: bytes, *, cut: bool = False, **info: Any) -> PageJson:
    """A page from a JSON array and what `PageInfo` says of it."""
    told = to_json(info)
    page = PageJson(b'{"data":%s,"page":%s}' % (data, told))
    page.info, page.cut, page.tag = info, cut, _tag(sha256(data).hexdigest(), told)
    return page


def _tag(rows: str, info: bytes) -> str:
    """The entity tag of a page, from the hash of its rows."""
    return f'"{sha256(rows.encode() + info).hexdigest()[:24]}"'
