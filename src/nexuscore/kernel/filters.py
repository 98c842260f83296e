"""What a list can be narrowed by, declared from the columns of its table.

DELIVERIES = Listing(
    select(...),
    by=Delivery.id,
    filters={"state": equals(Delivery.state, State), "since": since(Delivery.created_at)},
)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AwareDatetime, StringConstraints
from sqlalchemy import and_, bindparam, cast
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.elements import BindParameter, ColumnElement

Condition = ColumnElement[bool]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def holding(text: str) -> str:
    """What ILIKE finds `text` by, wherever it stands: `%` and `_` in it are letters like others."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter of type `kind`, and the condition it stands for.

    `where` makes the condition from the value's place in the statement; without a `column` there is no value, and the
    condition holds when the parameter is true.
    """

    kind: Any
    where: Callable[[BindParameter[Any]], Condition]
    meaning: str
    column: Any = None

    def condition(self, name: str) -> Condition:
        """The condition, its value given as `only_NAME`."""
        return self.where(bindparam(f"only_{name}", type_=None if self.column is None else self.column.type))


def equals(column: Any, kind: Any = None) -> Filter:
    """Rows with this value; `kind` when the column's type says too little, such as a Literal of states."""
    return Filter(_kind(column, kind), lambda value: column == value, f"Only with this `{column.key}`.", column)


def since(column: Any, kind: Any = None) -> Filter:
    """Rows with this value or a larger one."""
    return Filter(_kind(column, kind), lambda value: column >= value, f"`{column.key}` is this or later.", column)


def until(column: Any, kind: Any = None) -> Filter:
    """Rows with a smaller value."""
    return Filter(_kind(column, kind), lambda value: column < value, f"`{column.key}` is before this.", column)


def has(column: Any, kind: Any = Word) -> Filter:
    """Rows whose array holds this value."""
    element = column.type.item_type
    return Filter(
        kind,
        lambda value: column.contains(cast(array([value]), column.type)),
        f"Only with this in `{column.key}`.",
        _Element(element),
    )


def flag(meaning: str, *conditions: Condition) -> Filter:
    """Rows for which all this holds, when the parameter is true; otherwise all rows."""
    return Filter(bool, lambda _: and_(*conditions), meaning)


@dataclass(frozen=True, slots=True)
class _Element:
    type: Any


def _kind(column: Any, kind: Any) -> Any:
    if kind is not None:
        return kind
    plain = column.type.python_type
    return {"str": Word, "datetime": AwareDatetime}.get(plain.__name__, plain)
