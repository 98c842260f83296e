"""The OpenAPI document of everything built in is valid, and complete for whoever programs against it."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from openapi_spec_validator import OpenAPIV31SpecValidator

from examples.main import app
from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.kernel.samples import sample
from nexuscore.kernel.settings import KernelSettings, load

Document = dict[str, Any]
PROBLEM = {"$ref": "#/components/schemas/Problem"}


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
            yield from (f"{place} {said}" for said in errors(document, operation, known))
            yield from (f"{place} {said}" for said in examples(document, operation))
    yield from (f"the tag {tag['name']} says nothing" for tag in document["tags"] if len(tag["description"]) < 15)


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


def errors(document: Document, operation: Document, known: set[str]) -> Iterator[str]:
    """Its failures: problems all, each with its codes, an example of each, and the request's id."""
    responses = {status: resolved(document, answer) for status, answer in operation["responses"].items()}
    wanted = {"422", "503", "504", "default"} | ({"401"} if operation.get("security") else set())
    if missing := wanted - responses.keys():
        yield f"has no {', '.join(sorted(missing))}"
    if not any(status < "300" or status == "302" for status in responses):
        yield "never succeeds"
    for status, response in responses.items():
        if "X-Request-ID" not in response.get("headers", {}):
            yield f"answers {status} without the request's id"
        if status < "400":
            continue
        content = response.get("content", {}).get("application/problem+json", {})
        codes = response.get("x-codes", ())
        if content.get("schema") != PROBLEM:
            yield f"answers {status} with something else than a problem"
        if status != "default" and not codes:
            yield f"answers {status} without a code"
        if status != "default" and set(content.get("examples", ())) != set(codes):
            yield f"answers {status} without an example of each code"
        yield from (f"answers with {code}, which is unknown" for code in {*codes} - known)


def examples(document: Document, operation: Document) -> Iterator[str]:
    """What stands as an example: it is there, and fits."""
    if "x-limits" not in operation:
        yield "says nothing of its limits"
    places = [(each["name"], each) for each in operation.get("parameters", ())]
    places += [("the body", each) for each in operation.get("requestBody", {}).get("content", {}).values()]
    places += [
        (f"the answer {status}", each)
        for status, answer in operation["responses"].items()
        for each in resolved(document, answer).get("content", {}).values()
        if "examples" not in each and each.get("schema")
    ]
    for name, place in places:
        if "example" not in place and sample(place["schema"], document["components"]["schemas"]) is not None:
            yield f"has no example of {name}"
        elif "example" in place:
            schema = {**place["schema"], "components": {"schemas": document["components"]["schemas"]}}
            yield from (
                f"has an example of {name} that does not fit: {error.message[:200]}"
                for error in Draft202012Validator(schema).iter_errors(place["example"])
            )


def resolved(document: Document, part: Document) -> Document:
    """What a part stands for, if it is a reference to a component."""
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].removeprefix("#/components/").split("/")
    found: Document = document["components"][kind][name]
    return found


def test_the_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(app.openapi).iter_errors()] == []


def test_every_operation_is_described_in_full() -> None:
    assert list(findings(app.openapi)) == []


def test_every_public_event_is_a_webhook_with_an_example_that_fits() -> None:
    document = app.openapi
    assert document["webhooks"].keys() == {event.type for event in app.event_types.values() if event.public}
    for hook in document["webhooks"].values():
        assert list(examples(document, {"x-limits": {}, **hook["post"]})) == []
        assert {"webhook-id", "webhook-signature"} <= {each["name"] for each in hook["post"]["parameters"]}


def test_an_app_without_webhooks_promises_none() -> None:
    assert "webhooks" not in compose([notes]).openapi


def test_apps_of_one_module_share_what_it_declares_and_nothing_that_is_theirs() -> None:
    """What FastAPI reads of an operation is read once for all apps; seen red with the first app kept there too."""
    strict = load([KernelSettings], environ={"NEXUS_MAX_BODY_BYTES": "2048"}, env_file=None)
    first, other, again = compose([notes]), compose([notes], settings=strict), compose([notes])
    assert {one(each.openapi)["x-limits"]["body_bytes"] for each in (first, again)} == {first.kernel.max_body_bytes}
    assert one(other.openapi)["x-limits"]["body_bytes"] == 2048
    assert first.openapi == again.openapi
    assert first.openapi["components"] == other.openapi["components"]
    for app_ in (first, other, again):
        assert {route.nexus for route in app_.routes} == {app_}


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    document = app.openapi
    named = set(references([document["paths"], document["webhooks"]]))
    waiting = list(named)
    while waiting:
        kind, name = waiting.pop().split("/")
        for each in references(document["components"][kind][name]):
            if each not in named:
                named.add(each)
                waiting.append(each)
    kinds = document["components"].keys() - {"securitySchemes"}
    assert named == {f"{kind}/{name}" for kind in kinds for name in document["components"][kind]}


def references(node: Any) -> Iterator[str]:
    """The components a part of the document refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield str(node["$ref"]).removeprefix("#/components/")
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def one(document: Document) -> Document:
    operation: Document = document["paths"]["/api/v1/notes"]["post"]
    return operation


def refused(document: Document) -> Document:
    return resolved(document, one(document)["responses"]["403"])


BREAKS: list[tuple[str, Callable[[Document], Any]]] = [
    ("has no summary", lambda d: one(d).pop("summary")),
    ("under no tag", lambda d: one(d).update(tags=["Elsewhere"])),
    ("says nothing", lambda d: d["tags"][0].update(description="x")),
    ("says nothing of security", lambda d: one(d).pop("security")),
    ("neither for everybody", lambda d: one(d).update(security=[])),
    ("no module declares", lambda d: one(d).update({"x-permission": "notes.eat"})),
    ("is not described", lambda d: one(d).update(security=[{"magic": []}])),
    ("has no 401, default", lambda d: (one(d)["responses"].pop("401"), one(d)["responses"].pop("default"))),
    ("never succeeds", lambda d: one(d)["responses"].pop("201")),
    ("something else than a problem", lambda d: refused(d).update(content={"application/json": {}})),
    ("without a code", lambda d: refused(d).pop("x-codes")),
    ("which is unknown", lambda d: refused(d).update({"x-codes": ["too_late"]})),
    ("without the request's id", lambda d: one(d)["responses"]["201"].pop("headers")),
    ("an example of each code", lambda d: refused(d)["content"]["application/problem+json"].pop("examples")),
    ("of its limits", lambda d: one(d).pop("x-limits")),
    ("no example of the body", lambda d: one(d)["requestBody"]["content"]["application/json"].pop("example")),
    ("does not fit", lambda d: one(d)["requestBody"]["content"]["application/json"].update(example={"title": 1})),
]


@pytest.mark.parametrize(("said", "break_it"), BREAKS, ids=lambda case: case if isinstance(case, str) else "")
def test_a_gap_is_noticed(said: str, break_it: Callable[[Document], Any]) -> None:
    document = copy.deepcopy(app.openapi)
    break_it(document)
    assert any(said in found for found in findings(document)), list(findings(document))
