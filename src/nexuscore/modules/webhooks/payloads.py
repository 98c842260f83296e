"""What is sent: the body of every delivery, and what a program can learn of it beforehand."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.events import Event
from nexuscore.kernel.samples import sample
from nexuscore.modules.webhooks.filters import public_types


def body(id: UUID, kind: type[Event], time: datetime, org: UUID, data: Any, *, test: bool = False) -> str:
    """The body of a delivery: who, what, when, and the data as the event's class publishes it."""
    message = {
        "id": id,
        "type": kind.type,
        "version": kind.version,
        "time": time,
        "org": org,
        "data": data,
    }
    if test:
        message["test"] = True
    return to_json(message).decode()


def catalogue(app: App) -> list[dict[str, Any]]:
    """Every event type that can be asked for, by the module that announces it."""
    return [
        _entry(kind, module.name)
        for module in app.modules
        for kind in sorted(module.events, key=lambda each: each.type)
        if kind.public
    ]


def preview(app: App, type: str) -> dict[str, Any]:
    """One event type with the JSON Schema of its body, and a body made up from that."""
    kind = kind_of(app, type)
    owner = next(module.name for module in app.modules if kind in module.events)
    shape = schema(kind)
    return {**_entry(kind, owner), "schema": shape, "example": sample(shape, shape.get("$defs", {}))}


def kind_of(app: App, type: str) -> type[Event]:
    """The public event class of that type."""
    kind = public_types(app).get(type)
    if kind is None:
        raise NotFoundError
    return kind


def made_up(kind: type[Event]) -> Any:
    """Data such as an event of this class has."""
    shape = kind.model_json_schema(mode="serialization")
    return sample(shape, shape.get("$defs", {}))


def schema(kind: type[Event]) -> dict[str, Any]:
    """The JSON Schema of the body of a delivery."""
    data = kind.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    shared = data.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.type,
        "description": (kind.__doc__ or "").strip(),
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "The event's id."},
            "type": {"const": kind.type},
            "version": {"const": kind.version},
            "time": {"type": "string", "format": "date-time"},
            "org": {"type": "string", "format": "uuid", "description": "The organisation it happened in."},
            "data": data,
            "test": {"const": True, "description": "Only there when somebody asked for a test."},
        },
        "required": ["id", "type", "version", "time", "org", "data"],
        **({"$defs": shared} if shared else {}),
    }


def _entry(kind: type[Event], module: str) -> dict[str, Any]:
    return {
        "type": kind.type,
        "version": kind.version,
        "module": module,
        "description": (kind.__doc__ or "").strip(),
    }
