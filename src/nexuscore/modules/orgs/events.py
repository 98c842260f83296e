"""Facts about organisations, who is in them and what they may do. The log adds who did it and when."""

from uuid import UUID

from nexuscore.kernel.events import Event


class OrganisationCreated(Event, type="organisation.created", subject="organisation_id"):
    """An organisation was made; whoever made it owns it."""

    organisation_id: UUID
    name: str
    slug: str


class OrganisationChanged(Event, type="organisation.changed", subject="organisation_id"):
    """Some fields of an organisation were changed."""

    organisation_id: UUID
    fields: list[str]


class OrganisationDeleted(Event, type="organisation.deleted", subject="organisation_id"):
    """An organisation was closed. Its data stays, and an owner can bring it back."""

    organisation_id: UUID


class OrganisationRestored(Event, type="organisation.restored", subject="organisation_id"):
    """A closed organisation was opened again."""

    organisation_id: UUID


class OrganisationSwitched(Event, type="organisation.switched", subject="organisation_id", public=False):
    """Somebody's session now works in this organisation."""

    organisation_id: UUID


class MemberInvited(Event, type="invitation.created", subject="invitation_id"):
    """An invitation was mailed."""

    invitation_id: UUID
    role: str
    custom_role_id: UUID | None


class InvitationResent(Event, type="invitation.resent", subject="invitation_id"):
    """An invitation was mailed again, with a new link; the former link is dead."""

    invitation_id: UUID


class InvitationAccepted(Event, type="invitation.accepted", subject="invitation_id"):
    """The addressee accepted."""

    invitation_id: UUID
    user_id: UUID


class InvitationDeclined(Event, type="invitation.declined", subject="invitation_id"):
    """The addressee said no."""

    invitation_id: UUID


class InvitationRevoked(Event, type="invitation.revoked", subject="invitation_id"):
    """An invitation was taken back."""

    invitation_id: UUID


class MemberAdded(Event, type="member.added", subject="user_id"):
    """Somebody is in the organisation now."""

    user_id: UUID
    role: str
    custom_role_id: UUID | None


class MemberRoleChanged(Event, type="member.role_changed", subject="user_id"):
    """What a member may do was changed: the role, or the permissions on top of it."""

    user_id: UUID
    before: str
    after: str
    custom_role_id: UUID | None
    permissions: list[str]


class MemberRemoved(Event, type="member.removed", subject="user_id"):
    """Somebody was taken out of the organisation."""

    user_id: UUID


class MemberLeft(Event, type="member.left", subject="user_id"):
    """Somebody left the organisation."""

    user_id: UUID


class OwnershipTransferOffered(Event, type="ownership.offered", subject="transfer_id"):
    """An owner offered ownership to a member."""

    transfer_id: UUID
    from_user_id: UUID
    to_user_id: UUID
    step_down: bool


class OwnershipTransferAccepted(Event, type="ownership.accepted", subject="transfer_id"):
    """The member accepted and is an owner now."""

    transfer_id: UUID
    to_user_id: UUID


class OwnershipTransferDeclined(Event, type="ownership.declined", subject="transfer_id"):
    """The member does not want to be an owner."""

    transfer_id: UUID
    to_user_id: UUID


class OwnershipTransferCancelled(Event, type="ownership.cancelled", subject="transfer_id"):
    """The offer of ownership was taken back."""

    transfer_id: UUID
    to_user_id: UUID


class RoleCreated(Event, type="role.created", subject="role_id"):
    """The organisation made a role of its own."""

    role_id: UUID
    name: str
    permissions: list[str]


class RoleChanged(Event, type="role.changed", subject="role_id"):
    """A role of the organisation was renamed, or holds other permissions now."""

    role_id: UUID
    name: str
    permissions: list[str]


class RoleDeleted(Event, type="role.deleted", subject="role_id"):
    """A role of the organisation is gone."""

    role_id: UUID


ALL: tuple[type[Event], ...] = (
    OrganisationCreated,
    OrganisationChanged,
    OrganisationDeleted,
    OrganisationRestored,
    OrganisationSwitched,
    MemberInvited,
    InvitationResent,
    InvitationAccepted,
    InvitationDeclined,
    InvitationRevoked,
    MemberAdded,
    MemberRoleChanged,
    MemberRemoved,
    MemberLeft,
    OwnershipTransferOffered,
    OwnershipTransferAccepted,
    OwnershipTransferDeclined,
    OwnershipTransferCancelled,
    RoleCreated,
    RoleChanged,
    RoleDeleted,
)
