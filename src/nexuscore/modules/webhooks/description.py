"""What the OpenAPI document says of the webhooks we send: one for every public event."""

import inspect
from typing import Any

from nexuscore.kernel.app import App
from nexuscore.kernel.events import Event
from nexuscore.kernel.http.documents import Chapter
from nexuscore.kernel.samples import SAMPLE_ID, sample
from nexuscore.modules.webhooks.filters import public_types

_SIGNED = {
    "webhook-id": (
        "The delivery's id, the same at every attempt: keep it, and take no delivery in twice.",
        SAMPLE_ID,
    ),
    "webhook-timestamp": (
        "When this attempt was made, in seconds since 1970. Refuse what is older than five minutes.",
        "1795867200",
    ),
    "webhook-signature": (
        "`v1,` and the Base64 of an HMAC-SHA256 over id, timestamp and body (Standard Webhooks), one for each secret.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_ANSWERS = {
    "2XX": {"description": "Taken in. Answer within 15 seconds, and do the work later."},
    "410": {"description": "The address is gone: it is told nothing more."},
    "default": {"description": "Not taken in: the delivery is tried again."},
}


class WebhookChapter(Chapter):
    """Every public event as a webhook."""

    def write(self, app: App, document: dict[str, Any]) -> None:
        """Add the webhooks, and the schemas of their bodies."""
        schemas = document["components"]["schemas"]
        hooks = document.setdefault("webhooks", {})
        for type, kind in sorted(public_types(app).items()):
            name = "".join(part.capitalize() for part in type.replace(".", "_").split("_"))
            schemas.update(_schemas(name, kind))
            hooks[type] = {"post": _operation(name, kind, schemas)}


def _operation(name: str, kind: type[Event], schemas: dict[str, Any]) -> dict[str, Any]:
    words = inspect.getdoc(kind) or kind.type
    shape = {"$ref": f"#/components/schemas/{name}Webhook"}
    return {
        "operationId": f"on_{kind.type.replace('.', '_')}",
        "summary": kind.type,
        "description": words,
        "tags": ["Webhooks"],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": about,
                "schema": {"type": "string"},
                "example": example,
            }
            for header, (about, example) in _SIGNED.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": shape, "example": sample(shape, schemas)}},
        },
        "responses": _ANSWERS,
        "security": [],
    }


def _schemas(name: str, kind: type[Event]) -> dict[str, Any]:
    """The body of a delivery, the event's data, and what these refer to; named after the event."""
    data = kind.model_json_schema(mode="serialization", ref_template=f"#/components/schemas/{name}{{model}}")
    inner = {f"{name}{each}": shape for each, shape in data.pop("$defs", {}).items()}
    data["title"] = f"{name}Data"
    body = {
        "title": f"{name}Webhook",
        "description": inspect.getdoc(kind) or kind.type,
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "The event's id."},
            "type": {"const": kind.type, "description": "What happened."},
            "version": {"const": kind.version, "description": "The version of `data`."},
            "time": {"type": "string", "format": "date-time", "description": "When it happened."},
            "org": {"type": "string", "format": "uuid", "description": "The organisation it happened in."},
            "data": {"$ref": f"#/components/schemas/{name}Data"},
            "test": {"type": "boolean", "description": "There, and true, when somebody asked for a test."},
        },
        "required": ["id", "type", "version", "time", "org", "data"],
    }
    return {f"{name}Webhook": body, f"{name}Data": data, **inner}
