"""Forms as browsers send them, read into the same schemas the API takes.

Names with dots are fields of fields (`address.city`), a list takes repeated names or lines of text, and what was left
empty is left out where the schema has no use for an empty text.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, TypeAdapter, ValidationError as PydanticError

from nexuscore.kernel.errors import Fault, MalformedRequest, NexusError, UnsupportedMediaType, ValidationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.money import Money

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TYPED, WORD = "_typed", "_word"
_MOST_FIELDS = 2_000
_MOST_MINOR = 10**12
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    media: str
    body: bytes = field(repr=False)


@dataclass(slots=True)
class Sent:
    """What a form held when it was sent, and what was wrong with it: what the form shows when it is drawn again."""

    values: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    said: str = ""
    code: str = ""

    def value(self, name: str) -> str | None:
        """What a field held; the last of a repeated name."""
        found = self.values.get(name)
        return found[-1] if found else None

    def blame(self, error: NexusError, locale: str) -> None:
        """Take over what an error says of the fields, and of the whole."""
        self.said, self.code = error.text(locale), error.code
        details = error.public_details(locale)
        if isinstance(error, ValidationError) and isinstance(details, Sequence):
            for fault in details:
                self.faults.setdefault(str(fault["field"]), str(fault["message"]))


async def read_form(exchange: Exchange) -> Sent | None:
    """The form of a request; None when its body is JSON, which programs may send to a page's address too."""
    media, _, _ = exchange.headers.get("content-type", "").partition(";")
    media = media.strip().lower()
    if media == "application/json":
        return None
    body = await exchange.body()
    if not body:
        return Sent()
    if media == URLENCODED:
        return _gathered(_pairs(body))
    if media == MULTIPART:
        return _multipart(exchange.headers["content-type"], body)
    raise UnsupportedMediaType(expected=f"{URLENCODED}, {MULTIPART}")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedRequest("The form cannot be read.") from None


def _gathered(pairs: Iterable[tuple[str, str]]) -> Sent:
    sent = Sent()
    for name, value in pairs:
        sent.values.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return sent


def _multipart(media: str, body: bytes) -> Sent:
    head = f"Content-Type: {media}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    pairs: list[tuple[str, str]] = []
    files: dict[str, list[Upload]] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str) or len(pairs) > _MOST_FIELDS:
            raise MalformedRequest("The form cannot be read.")
        data = part.get_payload(decode=True)
        held = data if isinstance(data, bytes) else b""
        filename = part.get_filename()
        if filename is None:
            pairs.append((name, held.decode("utf-8", "replace")))
        elif filename:
            files.setdefault(name, []).append(Upload(filename, part.get_content_type(), held))
    sent = _gathered(pairs)
    sent.files = files
    return sent


def veiled(token: str) -> str:
    """A token as it stands in a page: other text each time, so that a packed page's length tells nothing of it."""
    plain = token.encode()
    mask = os.urandom(len(plain))
    hidden = bytes(a ^ b for a, b in zip(plain, mask, strict=True))
    return urlsafe_b64encode(mask + hidden).decode()


def unveiled(text: str) -> str:
    """The token again; nothing for what is none."""
    try:
        both = urlsafe_b64decode(text)
        half = len(both) // 2
        return bytes(a ^ b for a, b in zip(both[:half], both[half:], strict=True)).decode("ascii")
    except ValueError:
        return ""


def amount_of(text: str, currency: str, field: str = "amount", *, least: int = 1) -> Money:
    """An amount as people type it into a field: "12.30", and "12,30" where that is how one writes.

    What is less than `least` (minor units) is refused. A comma before three digits may mean a thousand or a decimal: it
    is refused too, since neither may be guessed.
    """
    plain = "".join(text.split())
    whole, comma, decimals = plain.rpartition(",")
    if comma and "." not in plain and len(decimals) in (1, 2):
        plain = f"{whole}.{decimals}"
    try:
        money = Money.parse(plain, currency)
    except ValueError:
        money = None
    if money is None or not least <= money.minor <= _MOST_MINOR:
        raise ValidationError.of([Fault(field, "malformed", "Write an amount such as 12.30.")])
    return money


def as_given(annotation: Any, sent: Sent) -> Any:
    """What a form holds, in the shape its schema expects; names that begin with `_` are the form's own."""
    tree: dict[str, Any] = {}
    own = [(name, values) for name, values in sent.values.items() if not name.startswith("_")]
    for name, held in (*own, *sent.files.items()):
        *path, last = name.split(".")
        node = tree
        for part in path:
            inner = node.setdefault(part, {})
            node = inner if isinstance(inner, dict) else {}
        node[last] = held
    return _shaped(annotation, tree)


def _shaped(annotation: Any, held: Any) -> Any:
    kind, arguments = _plain(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fields(kind, held) if isinstance(held, dict) else _written(held)
    if kind in (list, set, frozenset, tuple, Sequence):
        return _items(arguments[0] if arguments else str, held)
    if kind is dict:
        return _mapping(arguments[1] if len(arguments) == 2 else Any, held)
    if isinstance(held, dict):
        return {name: _shaped(Any, value) for name, value in held.items()}
    if kind is Literal:
        return next((each for each in arguments if str(each) == _last(held)), _last(held))
    return _last(held)


def _fields(model: type[BaseModel], held: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in held.items():
        info = model.model_fields.get(name)
        if info is None:
            values[name] = _shaped(Any, value)
            continue
        given = _shaped(info.annotation, value)
        if _is_empty(given) and not _takes_empty(model, name):
            given = None if _takes_none(info.annotation) else _NOTHING
        if given is not _NOTHING:
            values[name] = given
    return values


def _items(kind: Any, held: Any) -> Any:
    if isinstance(held, dict):
        return [_shaped(kind, held[name]) for name in sorted(held, key=_place)]
    if held and isinstance(held[0], Upload):
        return list(held)
    lines = [line.strip() for value in held for line in value.split("\n")]
    return [_shaped(kind, [line]) for line in lines if line]


def _mapping(kind: Any, held: Any) -> Any:
    if isinstance(held, dict):
        return {name: _shaped(kind, value) for name, value in held.items()}
    return _written(held)


def _written(held: Any) -> Any:
    """A whole object in one field, as JSON; what is none is for the schema to refuse."""
    text = _last(held).strip()
    if not text:
        return _NOTHING
    try:
        return json.loads(text)
    except ValueError:
        return text


def _place(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 0, name)


def _last(held: Any) -> Any:
    return held[-1] if isinstance(held, list) and held else "" if held == [] else held


def _plain(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The kind of a type without what it is annotated with, and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        kinds = [each for each in get_args(annotation) if each is not type(None)]
        return _plain(kinds[0])
    return (origin, get_args(annotation)) if origin is not None else (annotation, ())


def _is_empty(given: Any) -> bool:
    """Whether nothing was typed, into a field or into any field of an object."""
    return given == "" or (isinstance(given, dict) and all(value is None for value in given.values()))


def _takes_none(annotation: Any) -> bool:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation)


@lru_cache(maxsize=4096)
def _takes_empty(model: type[BaseModel], name: str) -> bool:
    """Whether a field takes an empty text for an answer, and does not only mean that nothing was given."""
    info = model.model_fields[name]
    whole: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(whole)
    try:
        return bool(adapter.validate_python("") == "")
    except PydanticError:
        return False
