"""The OpenAPI document of everything built in is valid, and complete for whoever programs against it."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from examples.main import app

Document = dict[str, Any]
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def findings(document: Document) -> Iterator[str]:
    """What is missing, operation by operation."""
    tags = {tag["name"] for tag in document["tags"]}
    known = {error["code"] for error in document["x-errors"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method.upper()} {path}"
            for name in ("summary", "description", "operationId"):
                if not operation.get(name):
                    yield f"{place} has no {name}"
            if not operation.get("tags") or not set(operation["tags"]) <= tags:
                yield f"{place} is under no tag of the document"
            yield from (f"{place} {said}" for said in admission(document, operation))
            yield from (f"{place} {said}" for said in errors(operation, known))


def admission(document: Document, operation: Document) -> Iterator[str]:
    """Who may call it: everybody for a reason, or somebody who signs in, with a permission or without."""
    permission = operation.get("x-permission")
    if "security" not in operation:
        yield "says nothing of security"
    elif bool(operation["security"]) == ("x-public" in operation):
        yield "is neither for everybody, with a reason, nor behind a sign-in"
    if permission is not None and permission not in document["x-permissions"]:
        yield f"needs {permission}, which no module declares"
    schemes = document["components"]["securitySchemes"]
    if not all(name in schemes for way in operation.get("security", ()) for name in way):
        yield "names a way to sign in that is not described"


def errors(operation: Document, known: set[str]) -> Iterator[str]:
    """Its failures: problems all, each with its codes."""
    responses = operation["responses"]
    wanted = {"422", "504", "default"} | ({"401"} if operation.get("security") else set())
    if missing := wanted - responses.keys():
        yield f"has no {', '.join(sorted(missing))}"
    if not any(status < "300" for status in responses):
        yield "never succeeds"
    for status, response in responses.items():
        if status < "400":
            continue
        if response.get("content") != PROBLEM:
            yield f"answers {status} with something else than a problem"
        if status != "default" and not response.get("x-codes"):
            yield f"answers {status} without a code"
        yield from (f"answers with {code}, which is unknown" for code in {*response.get("x-codes", ())} - known)


def test_the_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(app.openapi).iter_errors()] == []


def test_every_operation_is_described_in_full() -> None:
    assert list(findings(app.openapi)) == []


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    document = app.openapi
    assert set(references(document["paths"], "headers")) == document["components"]["headers"].keys()
    named = set(references(document["paths"]))
    waiting = list(named)
    while waiting:
        for name in references(document["components"]["schemas"][waiting.pop()]):
            if name not in named:
                named.add(name)
                waiting.append(name)
    assert named == document["components"]["schemas"].keys()


def references(node: Any, kind: str = "schemas") -> Iterator[str]:
    """The schemas, or other components, a part of the document refers to."""
    if isinstance(node, dict):
        if str(node.get("$ref", "")).startswith(f"#/components/{kind}/"):
            yield str(node["$ref"]).removeprefix(f"#/components/{kind}/")
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each, kind)


def one(document: Document) -> Document:
    operation: Document = document["paths"]["/api/v1/notes"]["post"]
    return operation


BREAKS: list[tuple[str, Callable[[Document], Any]]] = [
    ("has no summary", lambda d: one(d).pop("summary")),
    ("under no tag", lambda d: one(d).update(tags=["Elsewhere"])),
    ("says nothing of security", lambda d: one(d).pop("security")),
    ("neither for everybody", lambda d: one(d).update(security=[])),
    ("no module declares", lambda d: one(d).update({"x-permission": "notes.eat"})),
    ("is not described", lambda d: one(d).update(security=[{"magic": []}])),
    ("has no 401, default", lambda d: (one(d)["responses"].pop("401"), one(d)["responses"].pop("default"))),
    ("never succeeds", lambda d: one(d)["responses"].pop("201")),
    ("something else than a problem", lambda d: one(d)["responses"]["403"].update(content={"application/json": {}})),
    ("without a code", lambda d: one(d)["responses"]["403"].pop("x-codes")),
    ("which is unknown", lambda d: one(d)["responses"]["403"].update({"x-codes": ["too_late"]})),
]


@pytest.mark.parametrize(("said", "break_it"), BREAKS, ids=lambda case: case if isinstance(case, str) else "")
def test_a_gap_is_noticed(said: str, break_it: Callable[[Document], Any]) -> None:
    document = copy.deepcopy(app.openapi)
    break_it(document)
    assert any(said in found for found in findings(document)), list(findings(document))
