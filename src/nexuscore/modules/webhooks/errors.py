"""How requests about webhooks fail."""

from nexuscore.kernel.errors import BusinessLogicError, ConflictError


class TooManyEndpoints(BusinessLogicError):
    """The organisation has as many endpoints as it may have."""

    code = "too_many_endpoints"
    message = "There are as many endpoints as allowed. Delete one first."


class EndpointDisabled(ConflictError):
    """Nothing is sent to an endpoint that is disabled."""

    code = "endpoint_disabled"
    message = "This endpoint is disabled. Enable it first."


class AlreadyDelivered(ConflictError):
    """What arrived is not sent again."""

    code = "already_delivered"
    message = "This was delivered already."


class NotWaiting(ConflictError):
    """Only what waits for its next try can be cancelled."""

    code = "not_waiting"
    message = "This is not waiting to be sent any more."
