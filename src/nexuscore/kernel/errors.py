"""Every way a request can fail, as types.

NexusError
├── MalformedRequest 400            the request cannot be read at all
├── BusinessLogicError 400          well formed, but a rule of the business forbids it
├── AuthenticationError 401         we do not know who is asking
├── PaymentError 402
├── AuthorizationError 403          we know who is asking, and the answer is no
├── NotFoundError 404               also for what belongs to another organisation
├── MethodNotAllowed 405
├── ConflictError 409
├── PreconditionFailed 412
├── PayloadTooLarge 413
├── UnsupportedMediaType 415
├── ValidationError 422             carries one Fault per field
├── RateLimitError 429              too fast
├── BudgetExceeded 429              too much
├── InternalError 500               generic text only, as is everything with status 500
├── ConfigurationError 500          every fault of a start, for the person who starts it
├── ExternalServiceError 502
├── DatabaseError 503
├── CacheError 503
├── ServiceUnavailable 503
└── RequestTimeout 504

A module subclasses the nearest kind, sets `code` and `message`, and is done: status, title and documentation follow.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from nexuscore.kernel import i18n

Details = Mapping[str, object] | Sequence[Mapping[str, object]]


class NexusError(Exception):
    """A failure with a status, a stable code and a text that can be translated.

    `message` is an English msgid with {named} placeholders; `params` fill them, after translation.
    """

    status: ClassVar[int] = 500
    commits: ClassVar[bool] = False  # an outcome: what was done until it was raised stays done
    title: ClassVar[str] = "Internal error"
    default_headers: ClassVar[Mapping[str, str]] = {}
    code: str = "internal_error"
    message: str = "Something went wrong on our side. Please try again later."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Details | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        **params: object,
    ) -> None:
        self.message = type(self).message if message is None else message
        self.code = type(self).code if code is None else code
        self.details: Details = {} if details is None else details
        self.headers: dict[str, str] = {**self.default_headers, **(headers or {})}
        self.params: Mapping[str, object] = params
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(0, math.ceil(retry_after)))
        super().__init__(self.message)

    def __str__(self) -> str:
        return i18n.fill(self.message, self.params)

    def text(self, locale: str) -> str:
        """What the person asking may read; with status 500 never more than the class's own text."""
        if self.status == 500:
            return i18n.translate(locale, type(self).message)
        return i18n.translate(locale, self.message, **self.params)

    def public_details(self, locale: str) -> Details:
        """Facts a program may act on; empty with status 500."""
        return {} if self.status == 500 else self.details

    def problem(self, *, locale: str, request_id: str, instance: str) -> dict[str, object]:
        """The RFC 9457 body, with the house's own four fields beside the standard ones."""
        text = self.text(locale)
        return {
            "type": f"/docs/errors#{self.code}",
            "title": i18n.translate(locale, self.title),
            "status": self.status,
            "detail": text,
            "instance": instance,
            "success": False,
            "error": text,
            "error_code": self.code,
            "details": self.public_details(locale),
            "request_id": request_id,
        }


class MalformedRequest(NexusError):
    """The request cannot be read: broken JSON, a header or cursor that makes no sense."""

    status = 400
    title = "Malformed request"
    code = "malformed_request"
    message = "The request could not be understood."


class BusinessLogicError(NexusError):
    """The request is well formed, but a rule of the business forbids it."""

    status = 400
    title = "Not allowed by the rules"
    code = "business_rule"
    message = "This is not possible in the current situation."


class AuthenticationError(NexusError):
    """Nobody is signed in, or the credentials do not hold."""

    status = 401
    title = "Authentication required"
    code = "authentication_required"
    message = "Please sign in to continue."
    default_headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class PaymentError(NexusError):
    """Money is missing or was refused."""

    status = 402
    title = "Payment required"
    code = "payment_required"
    message = "The payment was not accepted."


class AuthorizationError(NexusError):
    """The one who asks is known and may not do this."""

    status = 403
    title = "Permission denied"
    code = "permission_denied"
    message = "You do not have permission to do this."


class NotFoundError(NexusError):
    """It does not exist, or not for the one who asks."""

    status = 404
    title = "Not found"
    code = "not_found"
    message = "We could not find what you asked for."


class MethodNotAllowed(NexusError):
    """The path exists, the method does not; `headers={"Allow": ...}` names those that do."""

    status = 405
    title = "Method not allowed"
    code = "method_not_allowed"
    message = "This address does not support that method."


class ConflictError(NexusError):
    """It clashes with what is already there."""

    status = 409
    title = "Conflict"
    code = "conflict"
    message = "This conflicts with something that already exists."


class PreconditionFailed(NexusError):
    """The `If-Match` of the request names a version that is no longer current."""

    status = 412
    title = "Precondition failed"
    code = "precondition_failed"
    message = "Someone else changed this in the meantime. Load it again and retry."


class PayloadTooLarge(NexusError):
    """The body is larger than `limit` bytes."""

    status = 413
    title = "Payload too large"
    code = "payload_too_large"
    message = "The request is larger than allowed."


class UnsupportedMediaType(NexusError):
    """The body is of a type this address does not read."""

    status = 415
    title = "Unsupported media type"
    code = "unsupported_media_type"
    message = "This type of content is not supported here."


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field (a dotted path, "" for the whole). `message` is a msgid, like an error's."""

    field: str
    code: str
    message: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def public(self, locale: str) -> dict[str, object]:
        """The fault as it stands in an answer, in the reader's language."""
        return {"field": self.field, "code": self.code, "message": i18n.translate(locale, self.message, **self.params)}


class ValidationError(NexusError):
    """Fields of the request do not hold what they must; `details` names each."""

    status = 422
    title = "Validation failed"
    code = "validation_failed"
    message = "Some of the values are not valid."

    faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> ValidationError:
        """One error for all faults of a request."""
        error = cls()
        error.faults = tuple(faults)
        error.details = [fault.public("en") for fault in error.faults]
        return error

    def public_details(self, locale: str) -> Details:
        """The faults in the reader's language."""
        return [fault.public(locale) for fault in self.faults] if self.faults else self.details


class RateLimitError(NexusError):
    """Too many requests in too little time."""

    status = 429
    title = "Too many requests"
    code = "rate_limited"
    message = "Too many requests. Please wait a moment and try again."


class BudgetExceeded(NexusError):
    """An allowance for a period (tokens, credits, storage) is used up."""

    status = 429
    title = "Budget exceeded"
    code = "budget_exceeded"
    message = "The allowance for this period is used up."


class InternalError(NexusError):
    """A defect of ours. Its own text is for the log; the answer is generic."""


class ConfigurationError(NexusError):
    """The process cannot work as it is set up; its text names every fault, for the person who starts it."""

    title = "Configuration error"
    code = "configuration_error"
    message = "The server is not configured correctly."


class ExternalServiceError(NexusError):
    """A service we depend on failed or answered nonsense."""

    status = 502
    title = "External service failed"
    code = "external_service_error"
    message = "A service we depend on did not answer properly. Please try again later."


class DatabaseError(NexusError):
    """The database cannot be reached or gave up."""

    status = 503
    title = "Database unavailable"
    code = "database_error"
    message = "Our database is not available right now. Please try again shortly."
    default_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class CacheError(NexusError):
    """The cache cannot be reached or gave up."""

    status = 503
    title = "Cache unavailable"
    code = "cache_error"
    message = "Part of our service is not available right now. Please try again shortly."
    default_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class ServiceUnavailable(NexusError):
    """Temporarily closed: starting, draining, overloaded or under maintenance."""

    status = 503
    title = "Service unavailable"
    code = "service_unavailable"
    message = "The service is not available right now. Please try again shortly."
    default_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class RequestTimeout(NexusError):
    """The answer took longer than a request may take."""

    status = 504
    title = "Request timed out"
    code = "request_timeout"
    message = "This took too long and was stopped. Please try again."


def every_error() -> list[type[NexusError]]:
    """All error types known to this process, the root included, parents before children."""
    found: list[type[NexusError]] = []
    waiting: list[type[NexusError]] = [NexusError]
    while waiting:
        error = waiting.pop(0)
        if error not in found:
            found.append(error)
            waiting.extend(error.__subclasses__())
    return found
