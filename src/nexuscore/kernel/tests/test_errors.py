"""The exception tree: statuses, codes, bodies, languages, and what a 500 keeps to itself."""

import pickle
import re

import pytest

from nexuscore.kernel import errors
from nexuscore.kernel.errors import (
    AuthenticationError,
    ConfigurationError,
    Fault,
    InternalError,
    MethodNotAllowed,
    NexusError,
    NotFoundError,
    RateLimitError,
    ServiceUnavailable,
    ValidationError,
    every_error,
)

OURS = [
    error
    for error in every_error()
    if error.__module__.startswith("nexuscore.kernel") and ".tests." not in error.__module__
]


class NoteLocked(errors.ConflictError):
    code = "note_locked"
    message = "{name} is being edited by {who}."


def body(error: NexusError, locale: str = "en") -> dict[str, object]:
    return error.problem(locale=locale, request_id="r-1", instance="/api/v1/notes")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("MalformedRequest", 400, "malformed_request"),
        ("BusinessLogicError", 400, "business_rule"),
        ("AuthenticationError", 401, "authentication_required"),
        ("PaymentError", 402, "payment_required"),
        ("AuthorizationError", 403, "permission_denied"),
        ("NotFoundError", 404, "not_found"),
        ("MethodNotAllowed", 405, "method_not_allowed"),
        ("ConflictError", 409, "conflict"),
        ("PreconditionFailed", 412, "precondition_failed"),
        ("PayloadTooLarge", 413, "payload_too_large"),
        ("UnsupportedMediaType", 415, "unsupported_media_type"),
        ("ValidationError", 422, "validation_failed"),
        ("RateLimitError", 429, "rate_limited"),
        ("BudgetExceeded", 429, "budget_exceeded"),
        ("InternalError", 500, "internal_error"),
        ("ConfigurationError", 500, "configuration_error"),
        ("ExternalServiceError", 502, "external_service_error"),
        ("DatabaseError", 503, "database_error"),
        ("CacheError", 503, "cache_error"),
        ("ServiceUnavailable", 503, "service_unavailable"),
        ("RequestTimeout", 504, "request_timeout"),
    ],
)
def test_every_kind_has_its_status_and_code(name: str, status: int, code: str) -> None:
    kind = getattr(errors, name)
    assert (kind.status, kind.code) == (status, code)
    assert kind in every_error()


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {name: int(status) for name, status in re.findall(r"[├└]── (\w+) (\d{3})", errors.__doc__ or "")}
    direct = {
        error.__name__: error.status for error in NexusError.__subclasses__() if error.__module__ == errors.__name__
    }
    assert drawn == direct


def test_codes_are_unique_words() -> None:
    codes = [error.code for error in OURS if error is not NexusError]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_a_problem_has_the_standard_fields_and_ours() -> None:
    assert body(NoteLocked(name="Plan", who="bob", details={"until": "14:30"})) == {
        "type": "/docs/errors#note_locked",
        "title": "Conflict",
        "status": 409,
        "detail": "Plan is being edited by bob.",
        "instance": "/api/v1/notes",
        "success": False,
        "error": "Plan is being edited by bob.",
        "error_code": "note_locked",
        "details": {"until": "14:30"},
        "request_id": "r-1",
    }


def test_a_problem_is_written_in_the_readers_language() -> None:
    assert body(NotFoundError(), "pl")["error"] == "Nie znaleźliśmy tego, o co prosisz."
    assert body(NotFoundError(), "pl")["title"] == "Nie znaleziono"
    assert body(NotFoundError(), "he-IL")["error"] == "לא מצאנו את מה שביקשת."
    assert body(NotFoundError(), "fr")["error"] == "We could not find what you asked for."


def test_message_and_code_of_one_occurrence_leave_the_class_alone() -> None:
    error = NotFoundError("No note {id}.", code="note_not_found", id=7)
    assert (str(error), error.code) == ("No note 7.", "note_not_found")
    assert (NotFoundError.message, NotFoundError.code) == ("We could not find what you asked for.", "not_found")


@pytest.mark.parametrize("kind", [error for error in OURS if error.status == 500], ids=lambda error: error.__name__)
def test_a_500_tells_nothing_of_its_cause(kind: type[NexusError]) -> None:
    secret = "postgres://nexus:hunter2@10.0.0.7/nexus"
    error = kind("cannot reach {where}", where=secret, details={"where": secret})
    assert secret in str(error)
    for locale in ("en", "he", "pl"):
        assert secret not in repr(body(error, locale))
        assert "cannot reach" not in repr(body(error, locale))


def test_a_configuration_error_lists_its_faults_for_the_one_who_starts() -> None:
    error = ConfigurationError("2 settings are wrong:\n  A\n  {not a placeholder}")
    assert str(error).endswith("{not a placeholder}")


def test_validation_names_every_field_in_the_readers_language() -> None:
    error = ValidationError.of(
        [
            Fault("title", "missing", "This field is required."),
            Fault("tags.0", "less_than", "This must be less than {lt}.", {"lt": 9}),
        ]
    )
    assert body(error)["details"] == [
        {"field": "title", "code": "missing", "message": "This field is required."},
        {"field": "tags.0", "code": "less_than", "message": "This must be less than 9."},
    ]
    assert error.details == body(error)["details"]
    assert body(error, "pl")["details"] == [
        {"field": "title", "code": "missing", "message": "To pole jest wymagane."},
        {"field": "tags.0", "code": "less_than", "message": "Wartość musi być mniejsza niż 9."},
    ]


def test_validation_of_a_subclass_stays_one() -> None:
    class BadNote(ValidationError):
        code = "bad_note"

    error = BadNote.of([Fault("title", "missing", "This field is required.")])
    assert type(error) is BadNote
    assert error.code == "bad_note"


def test_headers_tell_when_to_retry_and_how_to_sign_in() -> None:
    assert RateLimitError(retry_after=1.2).headers == {"Retry-After": "2"}
    assert ServiceUnavailable(retry_after=-3).headers == {"Retry-After": "0"}
    assert AuthenticationError().headers == {"WWW-Authenticate": "Bearer"}
    assert AuthenticationError(headers={"X-A": "1"}).headers == {"WWW-Authenticate": "Bearer", "X-A": "1"}
    assert MethodNotAllowed(headers={"Allow": "GET"}).headers == {"Allow": "GET"}
    assert AuthenticationError().headers == {"WWW-Authenticate": "Bearer"}, "one occurrence changed the class"


def test_every_error_walks_subclasses_of_subclasses_once() -> None:
    class NoteLockedForever(NoteLocked):
        code = "note_locked_forever"

    found = every_error()
    assert found[0] is NexusError
    assert found.index(NoteLocked) < found.index(NoteLockedForever)
    assert len(found) == len(set(found))


def test_an_error_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(RateLimitError("Wait {n}.", retry_after=3, n=3)))  # noqa: S301 - our own bytes
    assert isinstance(error, RateLimitError)
    assert (str(error), error.headers, error.code) == ("Wait 3.", {"Retry-After": "3"}, "rate_limited")


def test_internal_error_is_the_roots_text() -> None:
    assert (
        InternalError().text("pl")
        == NexusError().text("pl")
        == "Coś poszło nie tak po naszej stronie. Spróbuj ponownie później."
    )
