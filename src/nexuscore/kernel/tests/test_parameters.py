"""Parameters are read as FastAPI itself reads them."""

from typing import Annotated, Any, cast
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from fastapi import Query
from fastapi.dependencies.utils import get_dependant, request_params_to_args
from hypothesis import example, given, settings, strategies as st
from pydantic import Field
from starlette.datastructures import QueryParams

from nexuscore.kernel.errors import MalformedRequest
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.parameters import Parameters
from nexuscore.kernel.paging import PageQuery


class TaggedQuery(PageQuery):
    tag: list[str] = Field(default_factory=list)
    kind: str | None = Field(None, validation_alias="type")


async def plain(
    limit: int,
    owner: UUID | None = None,
    tag: Annotated[list[str] | None, Query()] = None,
    flags: Annotated[set[int], Query(alias="flag")] = {1},  # noqa: B006 - FastAPI copies it
    word: Annotated[str, Query(min_length=2)] = "none",
) -> None: ...


async def model(query: Annotated[TaggedQuery, Query()]) -> None: ...


NAMES = ["limit", "owner", "tag", "flag", "flags", "word", "offset", "cursor", "total", "kind", "type", "other"]
VALUES = ["", "1", "7", "-1", "a", "true", "01890000-0000-7000-8000-000000000001", "ß"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6))
@settings(max_examples=300)
@example([])
@example([("limit", "1"), ("limit", "2"), ("tag", "a"), ("tag", "b"), ("flag", "7"), ("flag", "a")])
def test_it_reads_what_fastapi_reads(pairs: list[tuple[str, str]]) -> None:
    for endpoint in (plain, model):
        fields = get_dependant(path="/", call=endpoint).query_params
        theirs, errors = request_params_to_args(fields, QueryParams(pairs))
        ours, faults = Parameters(fields).read(pairs)
        assert sorted((".".join(map(str, each["loc"][1:])), each["type"]) for each in errors) == sorted(
            (fault.field, fault.code) for fault in faults
        )
        assert theirs == {name: value for name, value in ours.items() if name in theirs}


def test_a_default_is_everybodys_own() -> None:
    fields: Any = get_dependant(path="/", call=plain).query_params
    first, _ = Parameters(fields).read([("limit", "1")])
    first["flags"].add(2)
    second, _ = Parameters(fields).read([("limit", "1")])
    assert second["flags"] == {1}


@given(st.text(alphabet="ab=&;#?/%+4c ", max_size=20))
def test_a_query_is_read_as_the_standard_library_reads_it(text: str) -> None:
    scope = {"method": "GET", "path": "/", "headers": [], "query_string": text.encode()}
    exchange = Exchange(cast(Any, None), scope, cast(Any, None), limit=0)
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(MalformedRequest):
            _ = exchange.query
    else:
        assert exchange.query == expected
