"""What the OpenAPI document says of an operation, from the objects that enforce it."""

import inspect
from collections.abc import Collection
from typing import Any, get_args, get_origin

from nexuscore.kernel.errors import (
    AuthenticationError,
    AuthorizationError,
    DatabaseError,
    MalformedRequest,
    NexusError,
    NotFoundError,
    PayloadTooLarge,
    PreconditionFailed,
    RequestTimeout,
    UnsupportedMediaType,
    ValidationError,
)
from nexuscore.kernel.http import limiting
from nexuscore.kernel.http.conditional import MATCH, NONE_MATCH, PreconditionUnsupported
from nexuscore.kernel.http.fields import fields_parameter
from nexuscore.kernel.http.idempotency import (
    HEADER,
    IdempotencyConflict,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
)
from nexuscore.kernel.http.load import Overloaded
from nexuscore.kernel.http.routes import Admission, Can, Operation, Public, SignedIn
from nexuscore.kernel.http.versions import VersionGone

_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Sent again with the same key within 24 hours, it gets the same answer and no second effect.",
}


HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id: yours, if you sent one. It is in our logs; name it when you ask for help.",
        "schema": {"type": "string"},
        "example": "req-7f3a",
    },
    "Idempotent-Replayed": {
        "description": "`true` when this is the kept answer to an earlier request with the same key.",
        "schema": {"type": "string"},
        "example": "true",
    },
    "ETag": {
        "description": "What this answer is, as one word: for `If-None-Match`, and for `If-Match` of a change.",
        "schema": {"type": "string"},
        "example": '"7f3a-1"',
    },
    "Last-Modified": {
        "description": "When it last changed, where a row says so.",
        "schema": {"type": "string"},
        "example": "Fri, 20 Nov 2026 12:00:00 GMT",
    },
    "Link": {
        "description": "The pages around this one (`next`, `prev`, `first`).",
        "schema": {"type": "string"},
        "example": '</api/v1/notes?limit=20&cursor=eyJ2>; rel="next"',
    },
    "WWW-Authenticate": {
        "description": "How to say who you are.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
    **limiting.HEADERS,
}
_LIMITED = tuple(name for name in limiting.HEADERS if name != "Retry-After")


def headers_of(operation: Operation, admission: Admission | None, status: str) -> list[str]:
    """The names of the headers of one answer of an operation, beside those that every answer of the web has."""
    headers = ["X-Request-ID"]
    if limiting.declared(operation) and status != "default":
        headers += _LIMITED
    if _takes_key(operation, admission) and status < "300":
        headers.append("Idempotent-Replayed")
    if (operation.method == "GET" and status in ("200", "304")) or (
        status < "300" and _is_conditional(operation, admission)
    ):
        headers.append("ETag")
    if operation.method == "GET" and status == "200":
        headers.append("Link" if operation.listing is not None else "Last-Modified")
    if status == "401":
        headers.append("WWW-Authenticate")
    if status in ("429", "503"):
        headers.append("Retry-After")
    return headers


def problem_content(codes: Collection[str]) -> dict[str, Any]:
    """A problem, with an example for each code it may carry."""
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if codes:
        content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in sorted(codes)}
    return {"application/problem+json": content}


def documented_errors(operation: Operation, admission: Admission | None, *, ends: bool = False) -> dict[int | str, Any]:
    """What may go wrong, by status: each answer is a problem, and says which codes it may carry. `ends` adds what
    a version of the API answers once it has."""
    codes: dict[int, set[str]] = {}
    for error in [*_errors(operation, admission), *((VersionGone,) if ends else ())]:
        codes.setdefault(error.status, set()).add(error.code)
    if not isinstance(admission, Public):
        codes[401].add("invalid_token")
    if isinstance(admission, Can) and admission.rule is not None:
        codes[403].add("ownership_denied")
    if isinstance(admission, Can | SignedIn) and admission.fresh:
        codes[401].add("reauthentication_required")
    documented: dict[int | str, Any] = {
        status: {
            "description": " or ".join(f"`{code}`" for code in sorted(found)),
            "content": problem_content(found),
            "x-codes": sorted(found),
        }
        for status, found in sorted(codes.items())
    }
    if operation.media:
        content = {media: {"schema": {"type": "string"}} for media in operation.media}
        documented[operation.status] = {"content": content}
    for status, words in operation.also.items():
        documented[status] = {"description": words, **({"model": operation.answer} if status < 300 else {})}
    if operation.method == "GET":
        documented[304] = {"description": "Nothing has changed since the answer that `If-None-Match` names."}
    return {
        **documented,
        "default": {"description": "Any other failure.", "content": problem_content({"internal_error"})},
    }


def _errors(operation: Operation, admission: Admission | None) -> list[type[NexusError]]:
    """The kinds of failure that follow from what the operation declares, and those it names itself."""
    errors: list[type[NexusError]] = [
        *(ValidationError, DatabaseError, Overloaded, RequestTimeout),
        *operation.errors,
        *limiting.errors(operation),
    ]
    if not isinstance(admission, Public):
        errors.append(AuthenticationError)
    if isinstance(admission, Can):
        errors.append(AuthorizationError)
    if "{" in operation.path:
        errors.append(NotFoundError)
    if _takes_key(operation, admission):
        errors += [IdempotencyConflict, IdempotencyKeyReused]
    if operation.needs_key:
        errors.append(IdempotencyKeyRequired)
    if operation.method != "GET":
        errors.append(PreconditionUnsupported)
    if _is_conditional(operation, admission):
        errors.append(PreconditionFailed)
    if operation.method in {"POST", "PUT", "PATCH"}:
        errors += [MalformedRequest, PayloadTooLarge, UnsupportedMediaType]
    return errors


def _is_conditional(operation: Operation, admission: Admission | None) -> bool:
    """Whether a change loads a row, whose version `If-Match` can name."""
    return operation.method != "GET" and isinstance(admission, Can) and admission.row is not None


def _takes_key(operation: Operation, admission: Admission | None) -> bool:
    return operation.method != "GET" and operation.unrepeatable is None and not isinstance(admission, Public)


def answered(operation: Operation) -> str:
    """What an answer is, in the words of its schema."""
    if operation.answer is None:
        return "Done; there is no body." if operation.status == 204 else "Done."
    many = get_origin(operation.answer) is list
    kind = get_args(operation.answer)[0] if many else operation.answer
    words = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    return words if isinstance(kind, type) and words else "The answer."


def extras(operation: Operation, admission: Admission | None) -> dict[str, Any]:
    """What FastAPI cannot know: who may call it (how to sign in, the document adds), and about Idempotency-Key."""
    match admission:
        case Can():
            said: dict[str, Any] = {"x-permission": admission.name}
        case Public():
            said = {"security": [], "x-public": admission.reason}
        case _:
            said = {}
    if isinstance(admission, Can | SignedIn) and admission.fresh:
        said["x-fresh"] = True
    said |= limiting.described(operation)
    if operation.method == "GET":
        said["parameters"] = [NONE_MATCH, *fields_parameter(operation)]
        return said
    if isinstance(admission, Public):
        return said
    said["parameters"] = [MATCH] if _is_conditional(operation, admission) else []
    if operation.unrepeatable is not None:
        said["x-no-idempotency"] = operation.unrepeatable
    else:
        said["parameters"].append({**_KEY, "required": operation.needs_key})
    return said
