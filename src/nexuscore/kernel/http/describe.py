"""What the OpenAPI document says of an operation, from the objects that enforce it."""

import inspect
from typing import Any, get_args, get_origin

from nexuscore.kernel.errors import (
    AuthenticationError,
    AuthorizationError,
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

_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Sent again with the same key within 24 hours, it gets the same answer and no second effect.",
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def documented_errors(operation: Operation, admission: Admission | None) -> dict[int | str, Any]:
    """What may go wrong, by status: each answer is a problem, and says which codes it may carry."""
    codes: dict[int, set[str]] = {}
    for error in _errors(operation, admission):
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
            "content": _PROBLEM,
            "x-codes": sorted(found),
        }
        for status, found in sorted(codes.items())
    }
    if operation.method == "GET":
        documented[304] = {"description": "Nothing has changed since the answer that `If-None-Match` names."}
    return {**documented, "default": {"description": "Any other failure.", "content": _PROBLEM}}


def _errors(operation: Operation, admission: Admission | None) -> list[type[NexusError]]:
    """The kinds of failure that follow from what the operation declares, and those it names itself."""
    errors: list[type[NexusError]] = [
        *(ValidationError, Overloaded, RequestTimeout),
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
