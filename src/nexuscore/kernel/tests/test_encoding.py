"""Content codings: what is negotiated, what is packed, what stays plain."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
import zstandard
from hypothesis import given, settings, strategies as st

from nexuscore.kernel.http.answers import Reply, Schema
from nexuscore.kernel.http.encoding import (
    CODINGS,
    as_asked,
    bears_secrets,
    negotiate,
    pack,
    packer,
    packs,
    with_coding,
    without_codings,
    worth,
)

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: bytes(zstandard.ZstdDecompressor().decompressobj().decompress(body)),
}


@pytest.mark.parametrize(
    ("header", "coding", "plain"),
    [
        ("", None, True),
        ("identity", None, True),
        ("gzip", "gzip", True),
        ("x-gzip", "gzip", True),
        ("GZIP", "gzip", True),
        ("gzip, deflate, br, zstd", "zstd", True),
        ("gzip, deflate, br", "br", True),
        ("gzip;q=1.0, br;q=0.9", "gzip", True),
        ("gzip;q=0.5, br;q=0.5", "br", True),
        ("br;q=0, gzip", "gzip", True),
        ("gzip;q=0", None, True),
        ("gzip;q=0.000", None, True),
        ("deflate", None, True),
        ("*", "zstd", True),
        ("*;q=0.1, zstd;q=0", "br", True),
        ("*;q=0", None, False),
        ("*;q=0, identity", None, True),
        ("*;q=0, gzip;q=0.2", "gzip", False),
        ("identity;q=0", None, False),
        ("identity;q=0, gzip", "gzip", False),
        ("identity;q=0, deflate", None, False),
        ("identity;q=1, gzip;q=0.5", None, True),
        ("identity;q=0.5, gzip;q=1", "gzip", True),
        ("identity, gzip", "gzip", True),
        ("gzip ; q=0.3 , br", "br", True),
        ("gzip;Q=0.3", "gzip", True),
        ("gzip;q=2", None, True),
        ("gzip;q=-1", None, True),
        ("gzip;q=0.1234", None, True),
        ("gzip;level=9", None, True),
        (",, ,gzip,", "gzip", True),
        ("gzip gzip", None, True),
    ],
)
def test_what_a_header_asks_for(header: str, coding: str | None, plain: bool) -> None:
    assert (negotiate(header).coding, negotiate(header).plain) == (coding, plain)


WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.3", ";q=0.7", ";q=1"])
NAMES = st.sampled_from([*CODINGS, "deflate", "identity", "*"])
VALUE = {"": 1.0, ";q=0": 0.0, ";q=0.3": 0.3, ";q=0.7": 0.7, ";q=1": 1.0}


@settings(max_examples=200)
@given(st.dictionaries(NAMES, WEIGHTS))
def test_nothing_is_chosen_that_was_refused_or_is_liked_less(asked: dict[str, str]) -> None:
    found = negotiate(", ".join(name + weight for name, weight in asked.items()))
    liking = {name: VALUE[weight] for name, weight in asked.items()}
    liked = {coding: liking.get(coding, liking.get("*", 0.0)) for coding in CODINGS}
    if found.coding is not None:
        assert liked[found.coding] == max(liked.values()) > 0
        assert liked[found.coding] >= liking.get("identity", 0.0)
    assert found.plain == (liking.get("identity", liking.get("*", 1.0)) > 0)


@given(st.text(max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    assert negotiate(header).coding in {None, *CODINGS}


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=4000))
def test_what_is_packed_comes_out_as_it_went_in(coding: str, body: bytes) -> None:
    assert UNPACK[coding](asyncio.run(pack(body, coding))) == body


@pytest.mark.anyio
@pytest.mark.parametrize("coding", CODINGS)
async def test_a_large_body_is_packed_elsewhere_and_the_same(coding: str) -> None:
    body = b"All work and no play. " * 20_000
    packed = await pack(body, coding)
    assert len(packed) < len(body) / 20
    assert UNPACK[coding](packed) == body


def reader(coding: str) -> Callable[[bytes], bytes]:
    """What a browser does with the bytes it has so far."""
    if coding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    return brotli.Decompressor().process if coding == "br" else zstandard.ZstdDecompressor().decompressobj().decompress


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_each_chunk_of_a_stream_can_be_read_at_once(coding: str, chunks: list[bytes]) -> None:
    packing, read = packer(coding), reader(coding)
    for chunk in chunks:
        assert read(packing.feed(chunk)) == chunk
    assert read(packing.end()) in (b"", None)


# --- which answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "is_text"),
    [
        ("application/json", True), ("application/problem+json", True), ("text/html; charset=utf-8", True),
        ("text/csv", True), ("TEXT/PLAIN", True), ("image/svg+xml", True), ("application/javascript", True),
        ("image/png", False), ("image/jpeg", False), ("video/mp4", False), ("application/zip", False),
        ("application/pdf", False), ("application/gzip", False), ("font/woff2", False),
        ("application/octet-stream", False), ("", False),
    ],
)  # fmt: skip
def test_text_is_packed_and_what_was_packed_before_is_not(media: str, is_text: bool) -> None:
    assert packs(media) == is_text


@pytest.mark.parametrize(
    ("reply", "cookies", "is_worth"),
    [
        (Reply(), False, True),
        (Reply(), True, True),
        (Reply(204), False, False),
        (Reply(206), False, False),
        (Reply().header("Set-Cookie", "session=1"), False, False),
        (Reply().header("Cache-Control", "no-store"), False, False),
        (Reply().header("Cache-Control", "private, no-transform"), False, False),
        (Reply().header("Cache-Control", "private, max-age=3"), False, True),
        (Reply().header("Content-Encoding", "br"), False, False),
        (Reply(media="text/html; charset=utf-8"), False, True),
        (Reply(media="text/html; charset=utf-8"), True, False),
    ],
)
def test_answers_that_bear_secrets_stay_plain(reply: Reply, cookies: bool, is_worth: bool) -> None:
    assert worth(reply, cookies=cookies) == is_worth


class Tokens(Schema):
    access_token: str


class Within(Schema):
    name: str
    inner: list[Tokens | None]


class Counted(Schema):
    prompt_tokens_used: int
    token_count: int
    title: str
    api_key_id: str


def test_a_schema_bears_secrets_when_a_field_is_named_like_one() -> None:
    assert bears_secrets(Tokens)
    assert bears_secrets(Within)
    assert bears_secrets(list[Within])
    assert not bears_secrets(Counted)
    assert not bears_secrets(None)


# --- tags -----------------------------------------------------------------------------------------


def test_a_tag_names_the_bytes_of_one_coding() -> None:
    assert with_coding('"abc"', "gzip") == '"abc-gzip"'
    assert with_coding('W/"abc"', "gzip") == 'W/"abc"', "a weak one names no bytes"
    assert without_codings('"abc-gzip", W/"d-br", "e", *') == '"abc", W/"d", "e", *'
    assert without_codings('"a-gzip-b"') == '"a-gzip-b"'
    assert as_asked('"abc"', '"abc-br"') == '"abc-br"'
    assert as_asked('"abc"', '"abc"') == '"abc"'


@given(st.from_regex(r'"[a-z0-9]{1,20}"', fullmatch=True), st.sampled_from(CODINGS))
def test_what_is_hung_on_comes_off(tag: str, coding: str) -> None:
    assert without_codings(with_coding(tag, coding)) == tag
