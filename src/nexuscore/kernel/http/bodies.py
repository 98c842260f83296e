"""The JSON body of an operation: read within the limit, and checked against its schema."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError as PydanticError

from nexuscore.kernel.errors import ConfigurationError, Fault, MalformedRequest, UnsupportedMediaType
from nexuscore.kernel.faults import fault_of
from nexuscore.kernel.http.exchange import Exchange

if TYPE_CHECKING:
    from nexuscore.kernel.http.contract import Contract


def body_reader(route: "Contract") -> Callable[[Exchange], Any] | None:
    """How the one JSON body of an operation is read, or None when it takes none."""
    fields = route.dependant.body_params
    if not fields:
        return None
    if len(fields) > 1:
        raise ConfigurationError(f"{route.operation_id} takes more than one body")
    name = fields[0].name
    annotation: Any = fields[0].field_info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    newest: TypeAdapter[Any] = TypeAdapter(route.shape.body if route.upgrades else annotation)

    async def read(exchange: Exchange) -> tuple[str, Any, list[Fault]]:
        limit = route.declared.max_body
        if limit is not None:
            exchange.limit = limit
        body = await exchange.body()
        media = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and media != "application/json" and not media.endswith("+json"):
            raise UnsupportedMediaType(expected="application/json")
        try:
            value = adapter.validate_json(body or b"null")
            for upgrade in route.upgrades:
                value = upgrade(value)
            return name, newest.validate_python(value) if route.upgrades else value, []
        except PydanticError as error:
            errors = error.errors(include_url=False)
            if errors[0]["type"] == "json_invalid" and body:
                raise MalformedRequest("The body is not valid JSON.") from None
            return name, None, [fault_at({**e, "loc": ("body", *e["loc"])}) for e in errors]

    return read


def fault_at(error: Any) -> Fault:
    """One fault of one field; where it was sent is left off, the name is what a person looks for."""
    place = [str(part) for part in error["loc"][1:]]
    return fault_of(".".join(place) or "body", error)
