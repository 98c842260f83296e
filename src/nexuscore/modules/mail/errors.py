"""How a mail can be refused. What a person typed is refused with the kernel's `ValidationError`, field by field."""

from nexuscore.kernel.errors import InternalError


class MessageNotRegistered(InternalError):
    """No module of the app lists this message; for the developer, like every 500."""


class InvalidMessage(InternalError):
    """The message does not hold what its fields declare; for the developer, like every 500."""


class NotRendered(Exception):
    """A template cannot be rendered: a variable it does not know, MJML that is none, a mail that grew too large."""
