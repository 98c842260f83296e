"""What FastAPI leaves out of the OpenAPI document: headers, limits, examples, what tags mean, each error but once.

Everything is taken from the objects that are served; nothing is written down twice.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.describe import HEADERS, headers_of
from nexuscore.kernel.samples import SAMPLE_ID, sample

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.http.run import CtxRoute

Part = dict[str, Any]
_PROBLEM = "application/problem+json"


def complete(found: Part, app: "App", routes: "Sequence[CtxRoute]") -> None:
    """Fill in what is missing, operation by operation, and share what is the same."""
    components = found["components"]
    by_id = {str(route.operation_id): route for route in routes}
    used: set[str] = set()
    described = dict(HEADERS)
    for operation in operations(found):
        route = by_id[operation["operationId"]]
        of_version = app.versions.described(route.version)
        described |= of_version
        operation["x-limits"] = limits(app, route)
        for status, answer in operation["responses"].items():
            headers = dict.fromkeys([*headers_of(route.declared, route.admission, status), *of_version])
            used.update(headers)
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        give_examples(operation, components["schemas"])
    components["headers"] = {name: described[name] for name in sorted(used)}
    answered = {"internal_error", *(code for each in operations(found) for code in codes(each))}
    components["examples"] = {e["code"]: example_of(e) for e in found["x-errors"] if e["code"] in answered}
    share_errors(found)


def operations(found: Part) -> Iterator[Part]:
    """Every operation of the document."""
    return (operation for path in found["paths"].values() for operation in path.values())


def codes(operation: Part) -> Iterator[str]:
    """The codes of the errors it answers with."""
    return (code for answer in operation["responses"].values() for code in answer.get("x-codes", ()))


def limits(app: "App", route: "CtxRoute") -> Part:
    """How large a body may be, and how long an answer may take."""
    said: Part = {"seconds": app.kernel.request_timeout_s}
    if route.dependant.body_params:
        said["body_bytes"] = route.declared.max_body or app.kernel.max_body_bytes
    return said


def give_examples(operation: Part, schemas: Part) -> None:
    """An example of every parameter, of the body and of the answer, where nobody wrote one."""
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("description", _named(parameter["name"]))
        parameter["schema"] = plain(parameter["schema"])
        _give(parameter, schemas, parameter["name"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _give(content, schemas)
    for answer in operation["responses"].values():
        for media, content in answer.get("content", {}).items():
            if media != _PROBLEM:
                _give(content, schemas)


def _give(place: Part, schemas: Part, name: str = "") -> None:
    if place.get("schema") and "example" not in place and "examples" not in place:
        made = sample(place["schema"], schemas, name)
        if made is not None:
            place["example"] = made


def _named(parameter: str) -> str:
    """What a parameter nobody described is, as far as its name says."""
    words = parameter.removesuffix("_id").replace("_", " ")
    return f"The {words}'s id." if parameter.endswith("_id") else f"The {words}."


def example_of(error: Mapping[str, Any]) -> Part:
    """A problem with this code, as it is answered."""
    made = NexusError(re.sub(r"{\w+}", "…", error["message"]), code=error["code"])
    body = made.problem(locale="en", request_id=SAMPLE_ID, instance="/api/v1/…")
    body.update(status=error["status"], title=error["title"], detail=made.message, error=made.message)
    return {"summary": error["title"], "value": body}


def share_errors(found: Part) -> None:
    """Errors that several operations answer with stand once, among the components."""
    shared: Part = {}
    for operation in operations(found):
        for status, answer in operation["responses"].items():
            if status == "default" or status >= "400":
                name = ".".join((f"Error{status}" if status != "default" else "AnyError", *answer.get("x-codes", ())))
                shared[name] = answer
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    found["components"]["responses"] = dict(sorted(shared.items()))


_NO_SCHEMA = {"gt", "ge", "lt", "le", "max_digits", "decimal_places"}


def plain(shape: Any) -> Any:
    """A schema without what pydantic leaves in it of a decimal's limits, which JSON Schema does not know."""
    if isinstance(shape, dict):
        return {name: plain(each) for name, each in shape.items() if name not in _NO_SCHEMA or isinstance(each, dict)}
    return [plain(each) for each in shape] if isinstance(shape, list) else shape


def tags(app: "App", names: Sequence[str]) -> list[Part]:
    """The tags with what they are about: as the routes say, else in the words of the module they are of."""
    about: dict[str, str] = {}
    for module in app.modules:
        for group in module.routes:
            words = group.about or (_package_words(module.package) if group.tag not in about else "")
            about[group.tag] = words or about.get(group.tag, "")
    return [{"name": name, "description": about.get(name) or f"{name}."} for name in names]


def _package_words(package: str | None) -> str:
    words = inspect.getdoc(import_module(package)) if package else None
    return " ".join((words or "").split("\n\n")[0].split())
