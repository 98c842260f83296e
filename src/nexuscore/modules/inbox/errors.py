"""How providers are refused. They learn no more than they need."""

from nexuscore.kernel.errors import MalformedRequest, ServiceUnavailable


class BadSignature(MalformedRequest):
    """The signature is missing, wrong or too old; it is not said which."""

    code = "bad_signature"
    message = "The signature does not hold."


class Unreadable(MalformedRequest):
    """The signature holds, but the body is not what this provider sends."""

    code = "unreadable_event"
    message = "The event cannot be read."


class NoSecret(ServiceUnavailable):
    """We were told no secret of this provider, so we cannot tell its events from anybody's."""

    code = "inbox_not_configured"
    message = "This address is not set up yet. Please send the event again later."
