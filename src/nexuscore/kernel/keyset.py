"""Where a page begins: the order of a list, and the rows behind a place in it as ranges of an index.

An empty value counts as the largest, as PostgreSQL's indexes have it, so that downwards is upwards read backwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, bindparam, cast, tuple_
from sqlalchemy.sql.elements import ColumnElement

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order; the last one of an order is unique."""

    column: Any
    down: bool
    nullable: bool

    def place(self, number: int) -> Any:
        """The value at which a page begins, given as text."""
        return cast(bindparam(f"place{number}", type_=Text()), self.column.type)


def order(keys: Sequence[Key]) -> list[Any]:
    """The keys as ORDER BY takes them."""
    return [key.column.desc() if key.down else key.column.asc() for key in keys]


def behind(keys: Sequence[Key], nulls: Sequence[bool]) -> list[list[Condition]]:
    """The rows behind a place as parts that do not overlap, each one range of an index on these keys.

    `nulls` says which of the place's values are empty.
    """
    return _parts(keys, nulls, back=False)[0]


def before(keys: Sequence[Key], nulls: Sequence[bool]) -> list[list[Condition]]:
    """The rows before a place and the one at it, the same way."""
    parts, here = _parts(keys, nulls, back=True)
    return [*parts, here]


def _parts(keys: Sequence[Key], nulls: Sequence[bool], *, back: bool) -> tuple[list[list[Condition]], list[Condition]]:
    parts: list[list[Condition]] = []
    level: list[Condition] = []  # equal so far
    at = 0
    while at < len(keys):
        end = at + 1
        if keys[at].nullable:
            parts += [[*level, each] for each in _beyond(keys[at], at, nulls[at], back)]
        else:
            while end < len(keys) and keys[end].down == keys[at].down and not keys[end].nullable:
                end += 1
            parts.append([*level, _compared(keys, at, end, down=keys[at].down != back)])
        level += [_same(keys[number], number, nulls[number]) for number in range(at, end)]
        at = end
    return parts, level


def _compared(keys: Sequence[Key], at: int, end: int, *, down: bool) -> Condition:
    columns = tuple_(*(key.column for key in keys[at:end]))
    places = tuple_(*(keys[number].place(number) for number in range(at, end)))
    return columns < places if down else columns > places


def _beyond(key: Key, number: int, null: bool, back: bool) -> list[Condition]:
    down = key.down != back
    if null:
        return [key.column.is_not(None)] if down else []
    if down:
        return [key.column < key.place(number)]
    return [key.column > key.place(number), key.column.is_(None)]


def _same(key: Key, number: int, null: bool) -> Condition:
    same: Condition = key.column.is_(None) if null else key.column == key.place(number)
    return same
