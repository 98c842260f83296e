"""Statements to SQL: SQLAlchemy writes each statement once, asyncpg gets text and arguments.

A statement built at import is compiled on its first use and found again by identity. A statement
built per call is found by its structure, which costs 100-200 µs more: keep them at module level.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.orm import with_loader_criteria
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.expression import CompoundSelect, Executable, Select

from nexuscore.kernel.tables import DELETED, SoftDeleted

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
_LIVE = with_loader_criteria(SoftDeleted, lambda row: row.is_deleted.is_(False), include_aliases=True)
_GONE = with_loader_criteria(SoftDeleted, lambda row: row.is_deleted.is_(True), include_aliases=True)
_STRUCTURES = 500

_READS = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_MORE = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|FOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)|FOR\s+KEY\s+SHARE"
    r"|nextval|setval|set_config|pg_\w*(?:lock|notify|export|current_xact|current_snapshot)\w*)\b",
    re.IGNORECASE,
)

Keys = tuple[object, ...]  # the names given, and how the statement was wrapped
Wrap = Callable[[Any], Any]
Process = Callable[[Any], Any]


class Prepared:
    """One statement, compiled: its SQL and how the arguments are put together."""

    __slots__ = ("_fixed", "_made", "_names", "_process", "sql")

    def __init__(self, compiled: SQLCompiler, given: Keys) -> None:
        self.sql = str(compiled)
        self._names = list(compiled.positiontup or ())
        prefetch = [*compiled.insert_prefetch, *compiled.update_prefetch]
        self._made: dict[str, Callable[[], Any]] = {
            column.key: _maker(column) for column in prefetch if column.key not in given
        }
        self._fixed: dict[str, Any] = {
            name: bind.effective_value
            for name, bind in compiled.binds.items()
            if not bind.required and name not in given and name not in self._made
        }
        self._process: dict[str, Process] = {
            name: process for name, process in compiled._bind_processors.items() if callable(process)
        }

    def arguments(self, given: Mapping[str, Any], literals: Mapping[str, Any] = {}) -> list[Any]:
        """The positional arguments: what was given, else a literal, else a fresh default."""
        arguments = []
        for name in self._names:
            if name in given:
                value = given[name]
            elif name in self._made:
                value = self._made[name]()
            elif name in self._fixed:
                value = literals[name] if name in literals else self._fixed[name]
            else:
                raise TypeError(f"the statement needs a value for {name!r}: {self.sql}")
            process = self._process.get(name)
            arguments.append(value if process is None else process(value))
        return arguments

    def spelled(self, compiled: SQLCompiler, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The SQL with its IN lists spelled out for these values, and the arguments."""
        made = {name: make() for name, make in self._made.items()}
        values: dict[str, Any] = {**compiled.construct_params(dict(given), _check=False), **made}
        state = compiled._process_parameters_for_postcompile(values)
        parameters: Mapping[str, Any] = {**values, **state.additional_parameters}
        process = {**self._process, **state.processors}
        names = state.positiontup or ()
        return state.statement, [process[n](parameters[n]) if n in process else parameters[n] for n in names]


_by_identity: WeakKeyDictionary[Executable, dict[Keys, Prepared]] = WeakKeyDictionary()
_by_structure: OrderedDict[Any, tuple[Prepared, SQLCompiler]] = OrderedDict()


def prepare(statement: Executable, given: Mapping[str, Any], *, wrap: Wrap | None = None) -> tuple[str, list[Any]]:
    """The SQL of `statement` (or of what `wrap` makes of it) and its arguments, with values from `given` by name."""
    keys: Keys = (*given, wrap) if wrap is not None else tuple(given)
    known = _by_identity.get(statement)
    if known is not None:
        prepared = known.get(keys)
        if prepared is not None:
            return prepared.sql, prepared.arguments(given)
    return _find_or_compile(statement, keys, given, wrap)


@lru_cache(maxsize=4096)
def reads(sql: str) -> bool:
    """Whether a statement plainly reads: it changes nothing, locks nothing, and leaves nothing to the next one."""
    return _READS.match(sql) is not None and _MORE.search(sql) is None


def _find_or_compile(statement: Any, keys: Keys, given: Mapping[str, Any], wrap: Wrap | None) -> tuple[str, list[Any]]:
    shown = statement.get_execution_options().get(DELETED)
    structure = statement._generate_cache_key()
    place = None if structure is None else (structure.key, keys, shown)
    found = _by_structure.get(place)
    if found is not None and structure is not None:
        _by_structure.move_to_end(place)
        prepared, compiled = found
        literals = compiled.construct_params(extracted_parameters=structure.bindparams, _check=False)
        return prepared.sql, prepared.arguments(given, literals)
    visible = _visible(statement, shown)
    if wrap is not None:
        visible = wrap(visible)
    columns = list(given) or None
    compiled = cast(SQLCompiler, visible.compile(dialect=_DIALECT, column_keys=columns, cache_key=structure))
    prepared = Prepared(compiled, keys)
    if compiled.post_compile_params:  # an IN list: its SQL depends on the values, so it is not kept
        return prepared.spelled(compiled, given)
    _by_identity.setdefault(statement, {})[keys] = prepared
    if place is not None:
        _by_structure[place] = (prepared, compiled)
        if len(_by_structure) > _STRUCTURES:
            _by_structure.popitem(last=False)
    return prepared.sql, prepared.arguments(given)


def _visible(statement: Any, shown: str | None) -> Any:
    """`statement` with soft-deleted rows left out, unless its options ask for them."""
    if not isinstance(statement, Select | CompoundSelect | Update | Delete):
        return statement
    if shown == "with":
        return statement
    if isinstance(statement, Delete) and _is_soft(statement):
        raise TypeError(
            f"{statement.entity_description['name']} is soft-deleted: use soft_delete(...) or hard_delete(...)"
        )
    return statement.options(_GONE if shown == "only" else _LIVE)


def _is_soft(statement: Delete) -> bool:
    entity = statement.entity_description.get("entity")
    return isinstance(entity, type) and issubclass(entity, SoftDeleted)


def _maker(column: Any) -> Callable[[], Any]:
    """How a column's Python-side default is made: called anew each time, or a constant."""
    default = column.default if column.default is not None else column.onupdate
    if default.is_callable:
        return lambda: default.arg(None)
    return lambda: default.arg
