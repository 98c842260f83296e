"""Tables as templates ask for them: columns, the rows of a page, what may be sorted, chosen, taken home as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field as held
from typing import Any
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context

from nexuscore.kernel.money import Money

KINDS = frozenset({"text", "moment", "day", "number", "money", "micro", "size", "badge", "code", "bool", "list", "id"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AsCsv(Exception):
    """Not a failure: the request wants this table as CSV, so drawing the rest of the page is idle."""

    def __init__(self, name: str, rows: list[list[str]], next_cursor: str | None) -> None:
        super().__init__(name)
        self.name = name
        self.rows = rows
        self.next_cursor = next_cursor


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a field of the rows, its heading, and what kind of thing it holds.

    `href` leads from the cell to a page, with the row's fields in braces. A column with `extra` is shown when asked
    for; with `sort`, the list may be ordered by it.
    """

    field: str
    label: str
    kind: str = "text"
    href: str = ""
    extra: bool = False
    sort: bool = False
    tones: Mapping[str, str] = held(default_factory=dict)
    words: Mapping[str, str] = held(default_factory=dict)

    def to(self, row: Any) -> str:
        """Where the cell of a row leads."""
        return self.href.format_map(row) if self.href else ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table ready to be drawn."""

    name: str
    columns: list[Column]
    all: Sequence[Column]
    rows: Sequence[Any]
    page: Mapping[str, Any] | None
    query: Mapping[str, str]
    at: str

    def link(self, **change: str | None) -> str:
        """This page with another part of the query."""
        query = {name: value for name, value in {**self.query, **change}.items() if value}
        return f"{self.at}?{urlencode(query)}" if query else self.at

    @property
    def csv(self) -> str:
        """Where the same table is as CSV."""
        return self.link(csv=self.name, cursor=None, offset=None)

    @property
    def older(self) -> str | None:
        """Where the list goes on."""
        cursor = self.page.get("next_cursor") if self.page else None
        return self.link(cursor=cursor, offset=None) if cursor else None

    @property
    def newest(self) -> str | None:
        """Where the list begins, for who is not there."""
        return self.link(cursor=None, offset=None) if "cursor" in self.query or "offset" in self.query else None

    def sorted_by(self, column: Column) -> str:
        """How the list is ordered by a column now: `ascending`, `descending` or `none`."""
        sort = self.query.get("sort", "")
        return {column.field: "ascending", f"-{column.field}": "descending"}.get(sort, "none")

    def sorting(self, column: Column) -> str:
        """Where it is ordered the other way."""
        turned = f"-{column.field}" if self.sorted_by(column) == "ascending" else column.field
        return self.link(sort=turned, cursor=None, offset=None)


@pass_context
def grid(context: Context, page: Any, columns: Sequence[Column], name: str = "rows") -> Grid:
    """The columns somebody wants of a page of rows; whoever asks for CSV gets that instead of the page."""
    wrong = [column.kind for column in columns if column.kind not in KINDS]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no kind of column; there are {', '.join(sorted(KINDS))}")
    query: Mapping[str, str] = context["query"]
    rows = page["data"] if isinstance(page, Mapping) else page
    about = page.get("page") if isinstance(page, Mapping) else None
    if query.get("csv") == name:
        raise AsCsv(name, _table(columns, rows), about.get("next_cursor") if about else None)
    wanted = query.get(f"{name}.columns")
    chosen = set(wanted.split(",")) if wanted else {column.field for column in columns if not column.extra}
    shown = [column for column in columns if column.field in chosen] or list(columns)
    return Grid(name, shown, columns, rows, about, query, context["at"])


def _table(columns: Sequence[Column], rows: Sequence[Any]) -> list[list[str]]:
    return [[column.label for column in columns], *([_cell(row, column) for column in columns] for row in rows)]


def _cell(row: Any, column: Column) -> str:
    """What a spreadsheet gets: amounts as people write them. What it would take for a formula is given a quote."""
    value = row[column.field]
    if value is None:
        return ""
    if column.kind == "list":
        value = ", ".join(map(str, value))
    if column.kind == "money":
        value = Money(value, row.get("currency", "SGD")).amount
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """The bytes of a CSV file, with the mark that tells Excel it is UTF-8."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


__all__ = ["AsCsv", "Column", "Grid", "as_csv", "grid"]
