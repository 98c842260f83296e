"""Schemathesis makes requests from the document, good ones and bad ones; what comes back is in the document too.

No answer with a status from 500 on, no status, media type or error code that the operation does not declare, no body
beside its schema. Where a path names something, it is there: made by the module's own probe. A few requests for each
operation here, a hundred with NEXUS_SOAK=1. Its first run found eight undeclared statuses and a 502.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, WAYS, Person, person, with_identity
from nexuscore.modules.orgs.testing import found
from tests.isolation.operations import Operations
from tests.isolation.test_isolation import HOUSE, MODULES

pytestmark = pytest.mark.anyio
EXAMPLES = 100 if os.environ.get("NEXUS_SOAK") else 1
PATIENCE = 20.0
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return MODULES


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **WAYS}


@dataclass(slots=True)
class Caller:
    """Somebody who may do everything, and is replaced when a request has thrown them out."""

    house: House
    person: Person | None = None

    async def ready(self) -> Person:
        """A person who is signed in, runs the platform, and owns an organisation."""
        if self.person is not None:
            answer = await self.person.client.get("/me")
            listed = await self.person.client.get("/organisations")
            if answer.status_code == listed.status_code == 200 and listed.json()["data"]:
                return self.person
        self.person = await person(self.house, f"{uuid4().hex}@example.com", platform_role="admin")
        await found(self.house, self.person, uuid4().hex[:8])
        return self.person


def cases(operation: Any, path_parameters: dict[str, Any] | None) -> list[Any]:
    """A few requests for an operation."""
    made: list[Any] = []
    for mode in MODES:
        strategy = operation.as_strategy(generation_mode=mode, path_parameters=path_parameters)

        @hypothesis_settings(
            max_examples=EXAMPLES,
            database=None,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def keep(case: Any) -> None:
            made.append(case)

        try:
            keep()
        except Unsatisfiable:
            continue  # nothing can be wrong with a request that takes nothing
    return made


async def send(who: Person, case: Any) -> httpx2.Response | None:
    """The answer; None for a request that HTTP itself cannot carry."""
    asked = case.as_transport_kwargs(base_url="http://testserver")
    rest = {name: asked[name] for name in ("params", "json") if asked.get(name) is not None}
    if (content := asked.get("data")) is not None:
        rest["content"] = content if isinstance(content, bytes | str) else str(content)
    try:
        async with asyncio.timeout(PATIENCE):
            return await who.client.http.request(asked["method"], asked["url"], headers=dict(asked["headers"]), **rest)
    except (UnicodeEncodeError, httpx2.InvalidURL, httpx2.LocalProtocolError, ValueError):
        return None


class Document:
    """The document, asked whether an answer stands in it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, str], Any] = {}
        self._operations = {
            operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()
        }

    def faults(self, name: str, answer: httpx2.Response) -> list[str]:
        """What is wrong with an answer of an operation."""
        status = str(answer.status_code)
        if answer.status_code >= 500:
            return [f"{status} {answer.text[:300]}"]
        declared = self._operations[name]["responses"].get(status)
        if declared is None:
            return [f"{status} is not declared: {answer.text[:300]}"]
        declared = self._resolved(declared)
        media = answer.headers.get("content-type", "").partition(";")[0]
        if not answer.content:
            return []
        if media not in declared.get("content", {}):
            return [f"{status} is {media}, which is not declared"]
        if status >= "400":
            code = answer.json()["error_code"]
            return [] if code in declared["x-codes"] else [f"{status} {code} is not declared: {answer.text[:300]}"]
        return self._unfit(name, status, media, declared, answer)

    def _unfit(self, name: str, status: str, media: str, declared: dict[str, Any], answer: Any) -> list[str]:
        if not media.endswith("json"):
            return []
        key = (name, status, media)
        if key not in self._validators:
            schema = {**declared["content"][media]["schema"], "components": self._document["components"]}
            self._validators[key] = jsonschema_rs.validator_for(schema)
        return [f"{status} does not fit: {e.message[:200]}" for e in self._validators[key].iter_errors(answer.json())]

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found: dict[str, Any] = self._document["components"]["responses"][part["$ref"].rpartition("/")[2]]
        return found


async def probed(operations: Operations, house: House, who: Person, name: str) -> dict[str, Any] | None:
    """The path's parameters as the module's probe makes them; None when it cannot, none where there is none to make."""
    probe = operations.probes.get(name)
    if probe is None:
        return {}
    try:
        parameters, _ = await probe(house, who.client)
    except (AssertionError, LookupError, NexusError):
        return None
    path = operations.routes[name].path
    return {key: str(value) for key, value in parameters.items() if "{" + key + "}" in path}


async def tried(house: House, operation: Any, route: CtxRoute, caller: Caller) -> AsyncIterator[tuple[Any, Any]]:
    """Requests of one operation and their answers."""
    name = str(route.operation_id)
    there = await probed(HOUSE, house, await caller.ready(), name)
    if there is None:  # what others left behind was in the way
        caller.person = None
        there = await probed(HOUSE, house, await caller.ready(), name)
    for case in cases(operation, there or None):
        answer = await send(caller.person or await caller.ready(), case)
        if answer is not None and answer.status_code == 401:  # thrown out by the request before
            caller.person = None
            answer = await send(await caller.ready(), case)
        if answer is not None:
            yield case, answer


async def test_every_answer_stands_in_the_document(house: House) -> None:
    with_identity(house)
    schema = schemathesis.openapi.from_dict(house.app.openapi)
    document, caller = Document(house.app.openapi), Caller(house)
    faults: dict[str, str] = {}
    statuses: set[int] = set()
    asked = 0
    for each in schema.get_all_operations():
        operation: Any = each.ok()  # type: ignore[union-attr]  # the document has been linted
        route = HOUSE.routes[operation.definition.raw["operationId"]]
        async for case, answer in tried(house, operation, route, caller):
            asked += 1
            statuses.add(answer.status_code)
            for said in document.faults(str(route.operation_id), answer):
                faults.setdefault(
                    f"{route.operation_id}: {said[:60]}",
                    f"{route.operation_id}: {said}\n  {case.as_curl_command()[:600]}",
                )
    assert not faults, "\n".join(faults.values())
    assert asked > EXAMPLES * len(document._operations)
    assert {200, 201, 204, 404, 422} <= statuses, "good requests and bad ones came through"
