"""Content codings: which one a caller accepts best, which answers are worth it, and how they are packed.

An answer that bears a secret stays plain: whoever can make it repeat text of theirs could guess the secret from its
length, byte by byte (BREACH). Which answers do is decided here, see `bears_secrets` and `worth`.
"""

import asyncio
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, get_args

from pydantic import BaseModel

from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.answers import Reply

CODINGS = ("zstd", "br", "gzip")  # in our order, among what a caller likes equally
LEAST = 1024  # bytes: below, the headers cost more than is saved
_BIG = 128 * 1024  # bytes: from here on another thread packs, so that nobody waits
_ZSTD, _BROTLI, _GZIP = 1, 1, 1  # levels: see bench/rows/sight.py

_ELEMENT = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*;\s*[qQ]=(?P<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")
_PACKS = re.compile(
    r"text/.*|application/(?:json|javascript|xml|x-ndjson|wasm|manifest\+json|yaml|rtf|sql)"
    r"|application/.*\+(?:json|xml|yaml)|image/svg\+xml|image/(?:x-icon|bmp)|font/(?:ttf|otf)"
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRETS = "token tokens secret secrets password otp csrf xsrf jwt cookie credential credentials key keys codes"
_SECRET = frozenset(_SECRETS.split())
_CODED = re.compile(r'-(?:zstd|br|gzip)"')


class EncodingNotAcceptable(NexusError):
    """The caller refuses plain answers, and every coding we know."""

    status = 406
    code = "encoding_not_acceptable"
    title = "Encoding not acceptable"
    message = "Answers come as zstd, br, gzip or plain. Allow one of these in Accept-Encoding."


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a caller accepts: the best of our codings, and whether plain will do."""

    coding: str | None
    plain: bool


@lru_cache(maxsize=1024)
def negotiate(header: str) -> Accepted:
    """`Accept-Encoding`, read as RFC 9110 says; what cannot be read of it is left out."""
    said: dict[str, float] = {}
    for element in header.split(","):
        found = _ELEMENT.fullmatch(element.strip())
        if found is not None:
            name = found["name"].lower()
            said["gzip" if name == "x-gzip" else name] = 1.0 if found["q"] is None else float(found["q"])
    others = said.get("*", 0.0)
    liked = {coding: said.get(coding, others) for coding in CODINGS}
    best = max(CODINGS, key=liked.__getitem__)  # the first of equals
    plain = said.get("identity", said.get("*", 1.0)) > 0
    prefers_plain = said.get("identity", 0.0) > liked[best]
    return Accepted(best if liked[best] > 0 and not prefers_plain else None, plain)


def without_codings(header: str) -> str:
    """`If-None-Match` or `If-Match` as operations know their tags: without what we hang on for a coding."""
    return _CODED.sub('"', header)


def with_coding(tag: str, coding: str) -> str:
    """An answer's tag in a coding: another one, since a strong tag names bytes. A weak one does not."""
    return tag if tag.startswith("W/") or not tag.endswith('"') else f'{tag[:-1]}-{coding}"'


def as_asked(tag: str, asked: str) -> str:
    """The tag for a 304: in the coding the caller has, as far as it says so."""
    return next((with_coding(tag, each) for each in CODINGS if with_coding(tag, each) in asked), tag)


# --- which answers ---------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def packs(media: str) -> bool:
    """Whether bytes of this kind get shorter: text does, pictures and archives have been packed before."""
    return _PACKS.fullmatch(media.partition(";")[0].strip().lower()) is not None


def bears_secrets(answer: Any) -> bool:
    """Whether a schema has a field that is named like a secret, at any depth."""
    return any(_named_like_one(name) for name in _fields(answer, set()))


def worth(reply: Reply, *, cookies: bool) -> bool:
    """Whether this answer may be packed: not when it sets cookies or must not be kept, since those bear secrets; nor a
    page for somebody known by a cookie, which other sites can ask for and which holds their form's token."""
    if reply.status in (204, 206, 304) or not packs(reply.media):
        return False
    if reply.padded:
        return True
    if cookies and reply.media.startswith("text/html"):
        return False
    for name, value in reply.headers:
        if name in (b"set-cookie", b"content-encoding", b"content-range"):
            return False
        if name == b"cache-control" and (b"no-store" in value or b"no-transform" in value):
            return False
    return True


def _fields(annotation: Any, seen: set[Any]) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:
            seen.add(annotation)
            for name, field in annotation.model_fields.items():
                yield name
                yield from _fields(field.annotation, seen)
        return
    for inner in get_args(annotation):
        yield from _fields(inner, seen)


def _named_like_one(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRET.isdisjoint(words) and words[-1] not in ("count", "limit", "used", "at", "id", "ids")


# --- how ------------------------------------------------------------------------------------------


class Packer(Protocol):
    """A coding applied to a stream: every chunk comes out whole, so that the other side can read it at once."""

    def feed(self, chunk: bytes) -> bytes:
        """The chunk, packed and flushed."""

    def end(self) -> bytes:
        """What closes the stream."""


async def pack(body: bytes, coding: str) -> bytes:
    """A whole body in a coding."""
    if len(body) < _BIG:
        return _pack(body, coding)
    return await asyncio.to_thread(_pack, body, coding)


def _pack(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return zlib.compress(body, _GZIP, wbits=31)
    if coding == "br":
        import brotli  # type: ignore[import-untyped]  # it ships no types

        return bytes(brotli.compress(body, quality=_BROTLI))
    return bytes((_zstd() if len(body) < _BIG else _new_zstd()).compress(body))


def _new_zstd() -> Any:
    import zstandard

    return zstandard.ZstdCompressor(level=_ZSTD)


_zstd = lru_cache(maxsize=1)(_new_zstd)  # the event loop's own: to make one costs more than to pack with it


def packer(coding: str) -> Packer:
    """The coding for a stream."""
    if coding == "gzip":
        return _Gzip()
    return _Brotli() if coding == "br" else _Zstd()


class _Gzip:
    def __init__(self) -> None:
        self._packer = zlib.compressobj(_GZIP, wbits=31)

    def feed(self, chunk: bytes) -> bytes:
        return self._packer.compress(chunk) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._packer.flush()


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._packer = brotli.Compressor(quality=_BROTLI)

    def feed(self, chunk: bytes) -> bytes:
        return bytes(self._packer.process(chunk) + self._packer.flush())

    def end(self) -> bytes:
        return bytes(self._packer.finish())


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._packer = zstandard.ZstdCompressor(level=_ZSTD).compressobj()
        self._block = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def feed(self, chunk: bytes) -> bytes:
        return self._packer.compress(chunk) + self._packer.flush(self._block)

    def end(self) -> bytes:
        return self._packer.flush()
