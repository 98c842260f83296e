"""What can go wrong with the platform's fee, beyond what goes wrong everywhere."""

from nexuscore.kernel.errors import ConflictError


class FeeMoved(ConflictError):
    """Somebody else changed the fee since the version the change was made for."""

    code = "fee_moved"
    message = "The fee was changed by somebody else in the meantime. Read it again, then decide."
