"""`?fields=id,author.name`: only the fields of an answer that its caller asks for, on objects, lists and pages."""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from nexuscore.kernel.db import Row
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.http.routes import Operation
from nexuscore.kernel.paging import PageJson, PageQuery, is_page

NAME = "fields"
PARAMETER = {
    "name": NAME,
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 1000},
    "description": "Only these fields, as `id,name`; of what is inside another, as `owner.name`.",
}
_KEPT = 256  # selections an operation remembers

Tree = dict[str, Any]  # name: tree of what is wanted inside; an empty one wants all of it


def fields_parameter(operation: Operation) -> list[dict[str, Any]]:
    """The parameter as an operation's documentation says it, unless its query says so itself, as that of lists does."""
    own = [get_args(each) or (each,) for each in get_type_hints(operation.endpoint, include_extras=True).values()]
    listed = any(isinstance(kind, type) and issubclass(kind, PageQuery) for kind, *_ in own)
    return [] if listed or Fields.of(operation.answer) is None else [PARAMETER]


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields that are wanted. `deep` when something inside a field is."""

    tree: Tree
    deep: bool


class Fields:
    """What the answers of one operation have, and the selections that were asked for so far."""

    def __init__(self, answer: Any) -> None:
        self._is_page = is_page(answer)
        self._item = answer.model_fields["data"].annotation if self._is_page else answer
        self._known: dict[str, Selection] = {}

    @classmethod
    def of(cls, answer: Any) -> "Fields | None":
        """The fields of `answer`; None when it has none to choose from."""
        fields = None if answer is None else cls(answer)
        return fields if fields is not None and inside(fields._item) else None

    def read(self, text: str) -> Selection:
        """What `fields=` says, or a `ValidationError` that names what is not there."""
        known = self._known.get(text)
        if known is not None:
            return known
        tree: Tree = {}
        faults = []
        for path in text.split(","):
            names = path.split(".")
            if _is_there(self._item, names):
                _plant(tree, names)
            else:
                faults.append(Fault(NAME, "unknown_field", "There is no field {name}.", {"name": path}))
        if faults:
            raise ValidationError.of(faults)
        selection = Selection(tree, any(tree.values()))
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[text] = selection
        return selection

    def body(self, value: Any, selection: Selection, encode: Callable[[Any], bytes]) -> bytes:
        """The answer with the wanted fields alone."""
        if isinstance(value, PageJson) and value.cut:
            return value
        if isinstance(value, Row) and not selection.deep:
            return to_json({name: value[name] for name in selection.tree}, fallback=str)
        return self.cut(encode(value), selection)

    def cut(self, body: bytes, selection: Selection) -> bytes:
        """The same, from an answer that is whole."""
        whole = from_json(body)
        if self._is_page:
            return to_json({**whole, "data": _cut(whole["data"], selection.tree)})
        return to_json(_cut(whole, selection.tree))


def inside(kind: Any) -> dict[str, Any] | None:
    """The fields of a type by name; empty when it has none, None when it may have any."""
    origin = get_origin(kind)
    if origin is Annotated:
        return inside(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        parts = [inside(each) for each in get_args(kind)]
        return None if None in parts else {name: each for part in parts for name, each in (part or {}).items()}
    if origin in (list, tuple, set, frozenset):
        return inside(get_args(kind)[0])
    if kind is Any or kind is dict or origin is dict:
        return None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}


def _is_there(kind: Any, names: list[str]) -> bool:
    for name in names:
        fields = inside(kind)
        if fields is None:
            return all(names)
        if name not in fields:
            return False
        kind = fields[name]
    return True


def _plant(tree: Tree, names: list[str]) -> None:
    """Add a path; what is wanted whole stays whole."""
    for at, name in enumerate(names):
        if name in tree and not tree[name]:
            return
        if at == len(names) - 1:
            tree[name] = {}
        else:
            tree = tree.setdefault(name, {})


def _cut(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_cut(each, tree) for each in value]
    if isinstance(value, dict):
        return {name: _cut(value[name], part) for name, part in tree.items() if name in value}
    return value
