"""What can go wrong with organisations, beyond what goes wrong everywhere."""

from nexuscore.kernel.errors import AuthorizationError, BusinessLogicError, ConflictError, RateLimitError


class DuplicateUen(ConflictError):
    """Another organisation has this UEN."""

    code = "duplicate_uen"
    message = "An organisation with this UEN is already registered."


class SlugTaken(ConflictError):
    """Another organisation has, or once had, this slug."""

    code = "slug_taken"
    message = "This short name is already taken."


class LastOwner(ConflictError):
    """The organisation would be left without an owner."""

    code = "last_owner"
    message = "The last owner cannot go. Offer the ownership to another member first, or delete the organisation."


class AboveYourself(AuthorizationError):
    """Nobody gives, or takes from others, what they do not hold themselves; `details.missing` names it."""

    code = "above_yourself"
    message = "You cannot give or take permissions that you do not hold yourself."


class OwnershipNeedsConsent(BusinessLogicError):
    """Nobody is made an owner by a change of role."""

    code = "ownership_needs_consent"
    message = "Somebody becomes an owner by accepting an offer of ownership. Send an offer instead."


class AlreadyMember(ConflictError):
    """They are in the organisation already."""

    code = "already_member"
    message = "This person is already a member of the organisation."


class AlreadyInvited(ConflictError):
    """An invitation to that address is open."""

    code = "already_invited"
    message = "This address has an open invitation. Send that one again, or withdraw it."


class InvitationClosed(ConflictError):
    """The invitation was accepted, declined or taken back; `details.state` says which."""

    code = "invitation_closed"
    message = "This invitation is no longer open."


class InvitationExpired(BusinessLogicError):
    """Nobody answered in time."""

    code = "invitation_expired"
    message = "This invitation has expired. Ask for a new one."


class InvitationVoid(BusinessLogicError):
    """Whoever invited may no longer do so: they left, lost the role, or were suspended."""

    code = "invitation_void"
    message = "The person who invited you can no longer do so. Ask for a new invitation."


class NotAddressee(AuthorizationError):
    """The invitation was sent to another address than the one who asks has."""

    code = "not_addressee"
    message = "This invitation was sent to another address. Sign in with the account of that address."


class AddressNotVerified(AuthorizationError):
    """Invitations are for whoever proved that the address is theirs."""

    code = "email_not_verified"
    message = "Please verify your e-mail address first, then accept the invitation."


class LimitReached(BusinessLogicError):
    """An allowance of the organisation is used up; `details` has the limit, the use, and what to do."""

    code = "limit_reached"
    message = "The limit of {limit} is reached."


class TooSoon(RateLimitError):
    """The invitation was mailed a moment ago."""

    code = "resent_too_soon"
    message = "This invitation was sent a moment ago. Please wait before you send it again."


class PeopleOnly(AuthorizationError):
    """An API key asks for what only a person can do."""

    code = "people_only"
    message = "Only a person who is signed in can do this, not an API key."


class RoleInUse(ConflictError):
    """Members or open invitations have the role."""

    code = "role_in_use"
    message = "Members or open invitations still have this role. Give them another one first."


class TransferPending(ConflictError):
    """Ownership is offered to somebody already."""

    code = "transfer_pending"
    message = "The ownership is offered to somebody already. Take that offer back first."


class TransferVoid(ConflictError):
    """Whoever offered ownership is no longer an owner, or the addressee is no longer a member."""

    code = "transfer_void"
    message = "This offer no longer holds: who made it is not an owner any more, or you are not a member any more."
