"""What the path and the query string hold, as an endpoint's arguments.

FastAPI declares and documents them, and could read them too; but it asks every field anew on every request what it is.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi._compat import ModelField, field_annotation_is_sequence
from pydantic import BaseModel

from nexuscore.kernel.errors import Fault
from nexuscore.kernel.faults import fault_of


class Parameters:
    """The parameters of one place of one operation, planned once."""

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self._models = [field for field in fields if _model(field)]
        self._single = {_alias(field): field for field in fields if not _model(field)}
        self._lists = {name for field in fields for name in _list_names(field)}

    @property
    def names(self) -> set[str]:
        """Every name that is read."""
        models = [model for field in self._models if (model := _model(field)) is not None]
        return {*self._single, *(name for model in models for name in model.model_fields)}

    def read(self, pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, Any], list[Fault]]:
        """The arguments, and what is wrong with those that are missing here. The last of a repeated name counts."""
        sent: dict[str, Any] = {}
        for name, value in pairs:
            if name in self._lists:
                sent.setdefault(name, []).append(value)
            else:
                sent[name] = value
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for alias, field in self._single.items():
            if alias in sent:
                values[field.name], errors = field.validate(sent[alias], loc=(alias,))
                faults += map(_fault, errors)
            elif field.field_info.is_required():
                faults.append(_fault({"type": "missing", "loc": (alias,), "msg": "", "input": None}))
            else:
                values[field.name] = field.get_default()
        for field in self._models:
            values[field.name], errors = field.validate(sent)
            faults += map(_fault, errors)
        return values, faults


def _fault(error: Any) -> Fault:
    return fault_of(".".join(map(str, error["loc"])), error)


def _model(field: ModelField) -> type[BaseModel] | None:
    kind = field.field_info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _alias(field: ModelField) -> str:
    return field.validation_alias or field.alias


def _list_names(field: ModelField) -> list[str]:
    model = _model(field)
    if model is None:
        return [_alias(field)] if field_annotation_is_sequence(field.field_info.annotation) else []
    listed = {name: info for name, info in model.model_fields.items() if field_annotation_is_sequence(info.annotation)}
    return [str(info.validation_alias or info.alias or name) for name, info in listed.items()]
