"""What goes over the wire: schemas, replies, problem bodies, and how a row becomes JSON."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from nexuscore.kernel.db import Json, Row
from nexuscore.kernel.errors import NexusError

JSON = "application/json"
Headers = list[tuple[bytes, bytes]]


class Schema(BaseModel):
    """The base of everything that goes over the wire: unknown fields are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Problem(Schema):
    """Every error's body (RFC 9457), with the fields older clients of the five systems expect."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    success: bool
    error: str
    error_code: str
    details: Any
    request_id: str


@dataclass(slots=True)
class Reply:
    """An answer on its way out, for an operation that must say more than its body.

    A `stream` takes the place of the body: it is read as fast as the caller reads, and closed when they go away. It
    runs after the transaction has ended, so it opens what it needs itself, with `app.context`.
    """

    status: int = 200
    body: bytes = b""
    media: str = JSON
    headers: Headers = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None
    version: str = ""  # of the row that was loaded, see `conditional`
    padded: bool = False  # of a random length besides: it may be packed, whoever it is for

    def header(self, name: str, value: str) -> "Reply":
        """Add a header; control characters are refused, so none can be smuggled in."""
        if any(ord(char) < 32 or ord(char) > 255 for char in value):
            raise ValueError(f"header {name} has a character that does not belong there")
        self.headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        return self


def problem(error: NexusError, *, locale: str, request_id: str, instance: str) -> Reply:
    """`error` as an answer."""
    body = error.problem(locale=locale, request_id=request_id, instance=instance)
    reply = Reply(error.status, to_json(body, fallback=str), "application/problem+json")
    for name, value in error.headers.items():
        reply.header(name, value)
    return reply


Encode = Callable[[Any], bytes]


def encoder(answer: Any, *, check: bool) -> Encode:
    """How answers declared as `answer` become bytes. With `check`, each is held against its schema."""
    encode = _encoder(answer)
    if answer is None or not check:
        return encode
    schema: TypeAdapter[Any] = TypeAdapter(answer)

    def checked(value: Any) -> bytes:
        body = encode(value)
        schema.validate_json(body)
        return body

    return checked


def _encoder(answer: Any) -> Encode:
    fields = tuple(answer.model_fields) if isinstance(answer, type) and issubclass(answer, BaseModel) else ()

    def encode(value: Any) -> bytes:
        if isinstance(value, Json):
            return value
        if isinstance(value, Row):
            return to_json({name: value[name] for name in fields}, fallback=str)
        if isinstance(value, BaseModel):
            return value.__pydantic_serializer__.to_json(value)
        if value is None:
            return b""
        try:
            return to_json(value, fallback=_plain(fields))
        except PydanticSerializationError as error:
            raise TypeError(f"{type(value).__name__} cannot be answered as {answer}") from error

    return encode


def _plain(fields: tuple[str, ...]) -> Callable[[Any], Any]:
    def plain(value: Any) -> Any:
        return dict(value) if isinstance(value, Row) else str(value)

    return plain
