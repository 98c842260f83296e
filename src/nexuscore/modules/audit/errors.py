"""What can go wrong with the log and its exports."""

from nexuscore.kernel.errors import ConflictError, ExternalServiceError, NotFoundError


class LinkExpired(NotFoundError):
    """The link was right once."""

    code = "link_expired"
    message = "This link has expired. Please make the export again."


class TooManyExports(ConflictError):
    """The organisation's exports wait for each other."""

    code = "too_many_exports"
    message = "Several exports are still being made. Please wait until one is ready."


class FileMissing(ExternalServiceError):
    """The store has lost a file, or another machine has it."""

    code = "file_missing"
    message = "The file cannot be found at the moment."
