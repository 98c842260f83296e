"""Rows as JSON, built by PostgreSQL: what goes out this way reads as what goes out through a schema."""

from typing import Any

from sqlalchemy import DateTime, Numeric, Subquery, Text, cast, func, literal_column
from sqlalchemy.sql.elements import ColumnElement

_TIME: Any = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")


class Json(bytes):
    """JSON text as PostgreSQL built it, on its way out untouched."""


def as_array(rows: Subquery) -> ColumnElement[Any]:
    """One JSON array of `rows`, which the statement selects from: as bytes, which nobody has to decode."""
    whole: Any = literal_column(str(rows.name))
    text = cast(func.coalesce(func.json_agg(whole), literal_column("'[]'::json")), Text)
    return func.convert_to(text, literal_column("'UTF8'"))


def hash_of(array: ColumnElement[Any]) -> ColumnElement[Any]:
    """The SHA-256 of that, in hexadecimal digits."""
    return func.encode(func.sha256(array), literal_column("'hex'"))


def shown(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as it is answered: a time ends in Z, where PostgreSQL would write +00:00; a decimal is text, exact."""
    if type(column.type) is Numeric:
        return cast(column, Text).label(column.key)
    if not (isinstance(column.type, DateTime) and column.type.timezone):
        return column
    return func.to_char(column.op("AT TIME ZONE")(literal_column("'UTC'")), _TIME).label(column.key)
