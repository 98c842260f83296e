"""What can go wrong with an entry. Both are defects of whoever posts, and stop the transaction."""

from nexuscore.kernel.errors import ConflictError, InternalError


class EntryRefused(InternalError):
    """The postings do not sum to zero, there are none, or an account is not in the chart."""

    code = "entry_refused"


class AlreadyPosted(ConflictError):
    """The source has posted this reference before, in this organisation."""

    code = "already_posted"
    message = "This movement of money is in the books already."
