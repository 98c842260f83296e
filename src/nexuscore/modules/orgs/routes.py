"""Organisations over HTTP: parse, call one verb, return.

A path with `{org_id}` is about that organisation, and what it may is decided there.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Page, PageQuery, Public, Reply, Routes, SignedIn
from nexuscore.modules.orgs import (
    answers,
    decisions,
    invitations,
    organisations,
    people,
    roles,
    transfers,
)
from nexuscore.modules.orgs.errors import (
    AboveYourself,
    AddressNotVerified,
    AlreadyInvited,
    AlreadyMember,
    DuplicateUen,
    InvitationClosed,
    InvitationExpired,
    InvitationVoid,
    LastOwner,
    LimitReached,
    NotAddressee,
    OwnershipNeedsConsent,
    PeopleOnly,
    RoleInUse,
    SlugTaken,
    TooSoon,
    TransferPending,
    TransferVoid,
)
from nexuscore.modules.orgs.permissions import (
    CHANGE,
    DELETE,
    INVITE,
    MANAGE_MEMBERS,
    MANAGE_ROLES,
    READ,
    SEE_MEMBERS,
    TRANSFER,
)
from nexuscore.modules.orgs.schemas import (
    Explanation,
    InvitationOffer,
    InvitationOut,
    InvitationToken,
    Matrix,
    MemberChange,
    MemberOut,
    MyOrganisation,
    NewInvitation,
    NewOrganisation,
    NewRole,
    NewTransfer,
    OrganisationChange,
    OrganisationOut,
    PermissionOut,
    RoleChange,
    RoleOut,
    TransferOut,
)
from nexuscore.modules.orgs.tables import CustomRole, Invitation, Membership, Organisation, OwnershipTransfer

API = "/api/v1"
CLOSED = (InvitationClosed, InvitationExpired)
JOINING = (
    NotFoundError,
    NotAddressee,
    AddressNotVerified,
    *CLOSED,
    InvitationVoid,
    AlreadyMember,
    LimitReached,
    PeopleOnly,
)
routes = Routes("/organisations", tag="Organisations")
answering = Routes("/invitations", tag="Invitations")

ListQuery = Annotated[PageQuery, Query()]
Person = Annotated[Ctx, SignedIn()]
FreshPerson = Annotated[Ctx, SignedIn(fresh=True)]
HolderOfTheMail = Annotated[Ctx, Public("whoever holds the secret of the mail may read it and say no")]
CanRead = Annotated[RowCtx[Organisation], Can(READ, row=organisations.organisation)]
CanChange = Annotated[RowCtx[Organisation], Can(CHANGE, row=organisations.organisation)]
CanDelete = Annotated[RowCtx[Organisation], Can(DELETE, row=organisations.organisation, fresh=True)]
CanTransfer = Annotated[RowCtx[Organisation], Can(TRANSFER, row=organisations.organisation, fresh=True)]
CanSeeTransfer = Annotated[RowCtx[OwnershipTransfer], Can(SEE_MEMBERS, row=transfers.get)]
CanCancelTransfer = Annotated[RowCtx[OwnershipTransfer], Can(TRANSFER, row=transfers.get)]
CanSeeMembers = Annotated[RowCtx[Organisation], Can(SEE_MEMBERS, row=organisations.organisation)]
CanSeeMember = Annotated[RowCtx[Membership], Can(SEE_MEMBERS, row=people.get)]
CanManageMember = Annotated[RowCtx[Membership], Can(MANAGE_MEMBERS, row=people.get)]
CanInvite = Annotated[RowCtx[Organisation], Can(INVITE, row=organisations.organisation)]
CanManageInvitation = Annotated[RowCtx[Invitation], Can(INVITE, row=invitations.get)]
CanMakeRoles = Annotated[RowCtx[Organisation], Can(MANAGE_ROLES, row=organisations.organisation)]
CanManageRole = Annotated[RowCtx[CustomRole], Can(MANAGE_ROLES, row=roles.get)]


# --- organisations ----------------------------------------------------------------------------------


@routes.get("", answer=Page[MyOrganisation], listing=organisations.MINE)
async def list_organisations(ctx: Person, query: ListQuery) -> Json:
    """The organisations you are in, the latest first."""
    return await organisations.mine(ctx, query)


@routes.post("", answer=OrganisationOut, status=201, errors=(DuplicateUen, SlugTaken, PeopleOnly))
async def create_organisation(ctx: Person, new: NewOrganisation) -> OrganisationOut:
    """Make an organisation. You are its first owner."""
    return await organisations.create(ctx, new)


@routes.get("/deleted", answer=list[MyOrganisation])
async def list_deleted_organisations(ctx: Person) -> list[Any]:
    """The deleted organisations you own and can bring back."""
    return await organisations.closed(ctx)


@routes.post("/deleted/{deleted_id}/restore", answer=OrganisationOut, errors=(NotFoundError, DuplicateUen))
async def restore_organisation(ctx: FreshPerson, deleted_id: UUID) -> OrganisationOut:
    """Bring an organisation back that you own and that was deleted."""
    return await organisations.restore(ctx, deleted_id)


@routes.get("/permissions", answer=list[PermissionOut])
async def list_permissions(ctx: Person) -> list[dict[str, Any]]:
    """Every permission there is in an organisation, in words, and the roles that hold it at first."""
    return roles.permissions(ctx)


@routes.get("/by-slug/{slug}", answer=OrganisationOut, errors=(NotFoundError,))
async def find_organisation(ctx: Person, slug: str) -> OrganisationOut | Reply:
    """One of your organisations by its slug; a slug it once had leads on to the present one (308)."""
    org_id, present = await organisations.by_slug(ctx, slug)
    if present != slug:
        return Reply(308).header("location", f"{API}/organisations/by-slug/{present}")
    async with ctx.in_org(org_id) as inside:
        return await organisations.shown(inside, await organisations.organisation(inside, org_id))


@routes.get("/{org_id}", answer=OrganisationOut)
async def read_organisation(ctx: CanRead) -> OrganisationOut:
    """One organisation."""
    return await organisations.shown(ctx, ctx.row)


@routes.patch("/{org_id}", answer=OrganisationOut, errors=(DuplicateUen, SlugTaken, LimitReached))
async def change_organisation(ctx: CanChange, change: OrganisationChange) -> OrganisationOut:
    """Change the given fields of an organisation."""
    return await organisations.shown(ctx, await organisations.change(ctx, ctx.row, change))


@routes.delete("/{org_id}")
async def delete_organisation(ctx: CanDelete) -> None:
    """Delete an organisation. Nobody can use it from then on; an owner can bring it back."""
    await organisations.close(ctx, ctx.row)


@routes.post("/{org_id}/switch", status=204, errors=(PeopleOnly,))
async def switch_organisation(ctx: CanRead) -> None:
    """Work in this organisation from now on, wherever a request names none."""
    await organisations.switch(ctx, ctx.row)


# --- members ----------------------------------------------------------------------------------------


@routes.get("/{org_id}/members", answer=Page[MemberOut], listing=people.MEMBERS)
async def list_members(ctx: CanSeeMembers, query: ListQuery) -> Json:
    """Who is in the organisation, the latest first."""
    return await people.page(ctx, query)


@routes.get("/{org_id}/members/{user_id}", answer=MemberOut)
async def read_member(ctx: CanSeeMember) -> dict[str, Any]:
    """One member."""
    return await people.shown(ctx, ctx.row)


@routes.patch("/{org_id}/members/{user_id}", answer=MemberOut, errors=(AboveYourself, LastOwner, OwnershipNeedsConsent))
async def change_member(ctx: CanManageMember, change: MemberChange) -> dict[str, Any]:
    """Give a member another role, or permissions on top of it; never more than you hold."""
    return await people.shown(ctx, await people.change(ctx, ctx.row, change))


@routes.delete("/{org_id}/members/{user_id}", errors=(AboveYourself, LastOwner))
async def remove_member(ctx: CanManageMember) -> None:
    """Take somebody out of the organisation who holds no more than you."""
    await people.remove(ctx, ctx.row)


@routes.post("/{org_id}/leave", status=204, errors=(NotFoundError, LastOwner))
async def leave_organisation(ctx: Person, org_id: UUID) -> None:
    """Leave an organisation. Its last owner cannot."""
    await people.leave(ctx, org_id)


@routes.get("/{org_id}/members/{user_id}/access", answer=Explanation)
async def explain_access(ctx: CanSeeMember, permission: str) -> Explanation:
    """Whether a member may do something, and why."""
    decision = await decisions.can_explain(ctx, ctx.row.user_id, permission)
    return Explanation(
        user_id=ctx.row.user_id, permission=permission, allowed=decision.allowed, reasons=decision.reasons
    )


# --- invitations, as those see them who invite ------------------------------------------------------


@routes.get("/{org_id}/invitations", answer=Page[InvitationOut], listing=invitations.INVITATIONS)
async def list_invitations(ctx: CanInvite, query: ListQuery) -> Json:
    """The organisation's invitations, the latest first; with `pending`, only those that are open."""
    return await invitations.listed(ctx, query)


@routes.post(
    "/{org_id}/invitations",
    answer=InvitationOut,
    status=201,
    errors=(AboveYourself, AlreadyInvited, AlreadyMember, LimitReached),
)
async def invite(ctx: CanInvite, new: NewInvitation) -> Invitation:
    """Invite somebody by e-mail, with or without an account."""
    return await invitations.invite(ctx, ctx.row, new)


@routes.post(
    "/{org_id}/invitations/{invitation_id}/resend",
    answer=InvitationOut,
    errors=(AboveYourself, InvitationClosed, TooSoon),
)
async def resend_invitation(ctx: CanManageInvitation) -> Invitation:
    """Mail an invitation again, with a new link and a new expiry; the former link is dead."""
    org = await organisations.organisation(ctx, ctx.row.org_id)
    return await invitations.resend(ctx, org, ctx.row)


@routes.delete("/{org_id}/invitations/{invitation_id}", errors=(InvitationClosed,))
async def revoke_invitation(ctx: CanManageInvitation) -> None:
    """Take an invitation back."""
    await invitations.revoke(ctx, ctx.row)


# --- invitations, as their addressee sees them ------------------------------------------------------


@answering.get("", answer=list[InvitationOffer])
async def list_my_invitations(ctx: Person) -> list[InvitationOffer]:
    """The open invitations to your verified address."""
    return await answers.mine(ctx)


@answering.post("/look", answer=InvitationOffer, errors=(NotFoundError, *CLOSED))
async def look_at_invitation(ctx: HolderOfTheMail, secret: InvitationToken) -> InvitationOffer:
    """What a mailed invitation offers; for people who have no account yet, too."""
    return await answers.shown(ctx, await answers.by_token(ctx, secret.token))


@answering.post("/accept", answer=MemberOut, errors=JOINING)
async def accept_mailed_invitation(ctx: Person, secret: InvitationToken) -> dict[str, Any]:
    """Join, with the secret of the mail and a verified account of the address it was sent to."""
    return await answers.joined(ctx, await answers.by_token(ctx, secret.token))


@answering.post("/decline", status=204, errors=(NotFoundError, *CLOSED))
async def decline_mailed_invitation(ctx: HolderOfTheMail, secret: InvitationToken) -> None:
    """Say no, with the secret of the mail alone."""
    await answers.decline(ctx, await answers.by_token(ctx, secret.token))


@answering.post("/{invitation_id}/accept", answer=MemberOut, errors=JOINING)
async def accept_invitation(ctx: Person, invitation_id: UUID) -> dict[str, Any]:
    """Join, by an invitation to your verified address."""
    return await answers.joined(ctx, await answers.to_me(ctx, invitation_id))


@answering.post("/{invitation_id}/decline", status=204, errors=(NotFoundError, *CLOSED))
async def decline_invitation(ctx: Person, invitation_id: UUID) -> None:
    """Say no to an invitation to your verified address."""
    await answers.decline(ctx, await answers.to_me(ctx, invitation_id))


# --- ownership --------------------------------------------------------------------------------------


@routes.get("/{org_id}/transfer", answer=TransferOut)
async def read_transfer(ctx: CanSeeTransfer) -> OwnershipTransfer:
    """The open offer of ownership, if there is one."""
    return ctx.row


@routes.post("/{org_id}/transfer", answer=TransferOut, status=201, errors=(TransferPending, PeopleOnly))
async def offer_ownership(ctx: CanTransfer, new: NewTransfer) -> OwnershipTransfer:
    """Offer ownership to a member. Nothing changes until they accept."""
    return await transfers.offer(ctx, ctx.row, new)


@routes.delete("/{org_id}/transfer")
async def cancel_transfer(ctx: CanCancelTransfer) -> None:
    """Take the offer of ownership back."""
    await transfers.cancel(ctx, ctx.row)


@routes.post("/{org_id}/transfer/accept", status=204, errors=(NotFoundError, TransferVoid))
async def accept_ownership(ctx: Person, org_id: UUID) -> None:
    """Become an owner; for the member to whom it is offered."""
    await transfers.accept(ctx, org_id)


@routes.post("/{org_id}/transfer/decline", status=204, errors=(NotFoundError,))
async def decline_ownership(ctx: Person, org_id: UUID) -> None:
    """Say no to becoming an owner."""
    await transfers.decline(ctx, org_id)


# --- roles ------------------------------------------------------------------------------------------


@routes.get("/{org_id}/permissions", answer=Matrix)
async def read_permissions(ctx: CanSeeMembers) -> dict[str, Any]:
    """Roles by permissions: what each role of the organisation holds, and what each permission means."""
    return await roles.matrix(ctx)


@routes.get("/{org_id}/roles", answer=list[RoleOut])
async def list_roles(ctx: CanSeeMembers) -> list[dict[str, Any]]:
    """The built-in roles, and the organisation's own."""
    return await roles.listed(ctx)


@routes.post("/{org_id}/roles", answer=RoleOut, status=201, errors=(AboveYourself,))
async def create_role(ctx: CanMakeRoles, new: NewRole) -> dict[str, Any]:
    """Make a role of the organisation's own. It cannot hold what you do not."""
    return roles.shown(ctx, await roles.create(ctx, new))


@routes.get("/{org_id}/roles/{role_id}", answer=RoleOut)
async def read_role(ctx: Annotated[RowCtx[CustomRole], Can(SEE_MEMBERS, row=roles.get)]) -> dict[str, Any]:
    """One of the organisation's own roles."""
    return roles.shown(ctx, ctx.row)


@routes.patch("/{org_id}/roles/{role_id}", answer=RoleOut, errors=(AboveYourself,))
async def change_role(ctx: CanManageRole, change: RoleChange) -> dict[str, Any]:
    """Rename a role, or let it hold other permissions. Whoever has it, has the new ones at once."""
    return roles.shown(ctx, await roles.change(ctx, ctx.row, change))


@routes.delete("/{org_id}/roles/{role_id}", errors=(AboveYourself, RoleInUse))
async def delete_role(ctx: CanManageRole) -> None:
    """Remove a role that nobody has and nobody is offered."""
    await roles.delete(ctx, ctx.row)
