"""Pages of organisations: the one somebody works in, who is in it, what its roles hold, and invitations.

They are about the organisation the session is in; the switcher around every page leads to the others.
"""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Nav, PageQuery, Pages, Public, Query, Schema, SignedIn, View, Went
from nexuscore.kernel.http.pages import Around
from nexuscore.modules.orgs import answers, invitations, organisations, people, roles, transfers
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
    InvitationToken,
    MemberChange,
    NewInvitation,
    NewOrganisation,
    NewRole,
    NewTransfer,
    OrganisationChange,
    RoleChange,
)
from nexuscore.modules.orgs.tables import CustomRole, Invitation, Membership, Organisation

pages = Pages("", tag="Organisations")
_ALL = PageQuery(limit=100)
_PENDING = invitations.INVITATIONS.asks(PageQuery).model_validate({"limit": 100, "pending": True})


async def here(ctx: Ctx) -> UUID:
    """The organisation the session is in."""
    if ctx.org is None:
        raise NotFoundError
    return ctx.org


async def our_organisation(ctx: Ctx) -> Organisation:
    """The same, as a row."""
    return await organisations.organisation(ctx, await here(ctx))


async def our_member(ctx: Ctx, user_id: UUID) -> Membership:
    """One of its members."""
    return await people.get(ctx, await here(ctx), user_id)


async def our_invitation(ctx: Ctx, invitation_id: UUID) -> Invitation:
    """One of its invitations."""
    return await invitations.get(ctx, await here(ctx), invitation_id)


async def our_role(ctx: Ctx, role_id: UUID) -> CustomRole:
    """One of its own roles."""
    return await roles.get(ctx, await here(ctx), role_id)


Person = Annotated[Ctx, SignedIn()]
HolderOfTheMail = Annotated[Ctx, Public("whoever holds the secret of the mail may read it and say no")]
CanRead = Annotated[RowCtx[Organisation], Can(READ, row=our_organisation)]
CanChange = Annotated[RowCtx[Organisation], Can(CHANGE, row=our_organisation)]
CanDelete = Annotated[RowCtx[Organisation], Can(DELETE, row=our_organisation, fresh=True)]
CanTransfer = Annotated[RowCtx[Organisation], Can(TRANSFER, row=our_organisation, fresh=True)]
CanSeeMembers = Annotated[Ctx, Can(SEE_MEMBERS)]
CanManageMember = Annotated[RowCtx[Membership], Can(MANAGE_MEMBERS, row=our_member)]
CanInvite = Annotated[RowCtx[Organisation], Can(INVITE, row=our_organisation)]
CanManageInvitation = Annotated[RowCtx[Invitation], Can(INVITE, row=our_invitation)]
CanMakeRoles = Annotated[Ctx, Can(MANAGE_ROLES)]
CanManageRole = Annotated[RowCtx[CustomRole], Can(MANAGE_ROLES, row=our_role)]


class Switch(Schema):
    """Where to work from now on."""

    organisation_id: UUID


class HeldRole(Schema):
    """A role of a member or an invitation, as a form names it: built in, or the id of the organisation's own."""

    role: Annotated[str, StringConstraints(min_length=1, max_length=60)]

    @property
    def fields(self) -> dict[str, Any]:
        """As the API takes it."""
        try:
            return {"custom_role_id": UUID(self.role)}
        except ValueError:
            return {"role": self.role}


class InviteForm(HeldRole):
    """Whom to invite, and as what."""

    email: str = Field(max_length=254)


class Switcher(Around):
    """The organisations of whoever is signed in, around every page."""

    place: ClassVar[Literal["start", "end", "menu"]] = "start"
    template: ClassVar[str] = "switcher.html"

    async def look(self, ctx: Ctx) -> dict[str, Any] | None:
        """The newest few, and the one that is open."""
        if ctx.actor.kind != "user":
            return None
        async with ctx.across_orgs("somebody's own organisations") as everywhere:
            found = await everywhere.db.all(organisations.OWN_FEW, user=ctx.actor.id)
        now = next((each for each in found if each.id == ctx.org), None)
        return {"organisations": found, "now": now}


# --- organisations ----------------------------------------------------------------------------------


@pages.get("/organisations", title="Organisations")
async def organisations_page(ctx: Person, query: Annotated[PageQuery, Query()], id: str = "") -> View:
    """The organisations somebody is in, and those that invite them."""
    return View(
        "organisations.html", mine=await organisations.mine(ctx, query), offers=await answers.mine(ctx), offered_by=id
    )


@pages.get("/organisations/new", title="New organisation")
async def new_organisation_page(ctx: Person) -> View:
    """A form for one."""
    return View("new_organisation.html")


@pages.post("/organisations/new")
async def create_organisation_page(ctx: Person, new: NewOrganisation) -> Went:
    """Make it, and go on in it."""
    made = await organisations.create(ctx, new)
    async with ctx.in_org(made.id) as inside:
        await organisations.switch(inside, await organisations.organisation(inside, made.id))
    return Went("/console/members", say="{name} is ready. Invite the others.", name=made.name)


@pages.post("/organisations/switch", shows=organisations_page)
async def switch_organisation_page(ctx: Person, given: Switch) -> Went:
    """Work in another one."""
    async with ctx.in_org(given.organisation_id) as inside:
        if await people.find(inside, given.organisation_id, ctx.actor.id) is None:
            raise NotFoundError
        await organisations.switch(inside, await organisations.organisation(inside, given.organisation_id))
    return Went("/console")


@pages.post("/organisations/{organisation_id}/ownership/{answer}", shows=organisations_page)
async def answer_ownership_page(ctx: Person, organisation_id: UUID, answer: Literal["accept", "decline"]) -> Went:
    """Say yes or no to becoming an owner."""
    async with ctx.in_org(organisation_id) as inside:  # the offer names whom it is for
        await (transfers.accept if answer == "accept" else transfers.decline)(inside, organisation_id)
    return Went("/console/organisations", say="Your answer is noted.")


@pages.get("/organisation", title="Details", nav=Nav("People", icon="building", order=10))
async def organisation_page(ctx: CanRead) -> View:
    """The organisation: what it is called, who is billed, how it is taxed."""
    members = await people.page(ctx, _ALL)
    return View("organisation.html", title=ctx.row.name, here=await organisations.shown(ctx, ctx.row), members=members)


@pages.post("/organisation")
async def change_organisation_page(ctx: CanChange, given: OrganisationChange) -> Went:
    """Change it."""
    await organisations.change(ctx, ctx.row, given)
    return Went("/console/organisation", say="The details are changed.")


@pages.post("/organisation/transfer", shows=organisation_page)
async def offer_ownership_page(ctx: CanTransfer, new: NewTransfer) -> Went:
    """Offer ownership to a member."""
    await transfers.offer(ctx, ctx.row, new)
    return Went("/console/organisation", say="The offer is mailed. Nothing changes until it is accepted.")


@pages.post("/organisation/delete", shows=organisation_page)
async def delete_organisation_page(ctx: CanDelete) -> Went:
    """Delete it; an owner can bring it back."""
    await organisations.close(ctx, ctx.row)
    return Went("/console/organisations", say="{name} is deleted. An owner can bring it back.", name=ctx.row.name)


# --- members and invitations ------------------------------------------------------------------------


@pages.get("/members", title="Members", nav=Nav("People", icon="people", order=20), listing=people.MEMBERS)
async def members_page(ctx: CanSeeMembers, query: Annotated[PageQuery, Query()]) -> View:
    """Who is in the organisation, and who is asked."""
    return View(
        "members.html",
        members=await people.page(ctx, query),
        roles={str(role["custom_role_id"] or role["role"]): role["name"] for role in await roles.listed(ctx)},
        invitations=await invitations.listed(ctx, _PENDING) if can(ctx, INVITE.name) else None,
    )


@pages.post("/members/invite", shows=members_page)
async def invite_page(ctx: CanInvite, given: InviteForm) -> Went:
    """Invite somebody by e-mail."""
    await invitations.invite(ctx, ctx.row, NewInvitation.model_validate({"email": given.email, **given.fields}))
    return Went("/console/members", say="{email} is invited.", email=given.email)


@pages.post("/members/invitations/{invitation_id}/resend", shows=members_page)
async def resend_invitation_page(ctx: CanManageInvitation) -> Went:
    """Mail an invitation again."""
    await invitations.resend(ctx, await our_organisation(ctx), ctx.row)
    return Went("/console/members", say="The invitation was sent again.")


@pages.post("/members/invitations/{invitation_id}/revoke", shows=members_page)
async def revoke_invitation_page(ctx: CanManageInvitation) -> Went:
    """Take an invitation back."""
    await invitations.revoke(ctx, ctx.row)
    return Went("/console/members", say="The invitation is taken back.", kind="warning")


@pages.post("/members/{user_id}/role", shows=members_page)
async def change_member_page(ctx: CanManageMember, given: HeldRole) -> Went:
    """Give a member another role."""
    await people.change(ctx, ctx.row, MemberChange.model_validate(given.fields))
    return Went("/console/members", say="The role is changed.")


@pages.post("/members/{user_id}/remove", shows=members_page)
async def remove_member_page(ctx: CanManageMember) -> Went:
    """Take somebody out."""
    await people.remove(ctx, ctx.row)
    return Went("/console/members", say="The member is removed.", kind="warning")


@pages.post("/members/leave", shows=members_page)
async def leave_organisation_page(ctx: Person) -> Went:
    """Leave the organisation."""
    await people.leave(ctx, await here(ctx))
    return Went("/console/organisations", say="You have left the organisation.", kind="warning")


@pages.get("/invitation", title="You are invited", outdoors=True)
async def invitation_page(ctx: HolderOfTheMail, token: str = "") -> View:
    """What a mailed invitation offers."""
    return View("invitation.html", secret=token, offer=await answers.shown(ctx, await answers.by_token(ctx, token)))


@pages.post("/invitation")
async def accept_invitation_page(ctx: Person, given: InvitationToken) -> Went:
    """Join, and go on there."""
    offer = await answers.by_token(ctx, given.token)
    joined = await answers.shown(ctx, offer)
    await answers.joined(ctx, offer)
    return Went("/console/organisations", say="You have joined {name}.", name=joined.organisation_name)


@pages.post("/invitation/decline", shows=invitation_page)
async def decline_invitation_page(ctx: HolderOfTheMail, given: InvitationToken) -> Went:
    """Say no."""
    await answers.decline(ctx, await answers.by_token(ctx, given.token))
    return Went("/console/sign-in", say="You have declined the invitation.")


@pages.post("/organisations/invitations/{invitation_id}/{answer}", shows=organisations_page)
async def answer_invitation_page(ctx: Person, invitation_id: UUID, answer: Literal["accept", "decline"]) -> Went:
    """Say yes or no to an invitation to one's address."""
    offer = await answers.to_me(ctx, invitation_id)
    if answer == "accept":
        await answers.joined(ctx, offer)
    else:
        await answers.decline(ctx, offer)
    return Went("/console/organisations", say="Your answer is noted.")


# --- roles ------------------------------------------------------------------------------------------


@pages.get("/roles", title="Roles", nav=Nav("People", icon="shield", order=30))
async def roles_page(ctx: CanSeeMembers) -> View:
    """Roles by permissions."""
    return View("roles.html", matrix=await roles.matrix(ctx))


@pages.get("/roles/new", title="New role")
async def new_role_page(ctx: CanMakeRoles) -> View:
    """A form for a role."""
    return View("role.html", role=None, known=roles.permissions(ctx))


@pages.post("/roles/new")
async def create_role_page(ctx: CanMakeRoles, new: NewRole) -> Went:
    """Make it."""
    role = await roles.create(ctx, new)
    return Went("/console/roles", say="The role {name} is made.", name=role.name)


@pages.get("/roles/{role_id}", title="Role")
async def role_page(ctx: CanManageRole) -> View:
    """One of the organisation's own roles."""
    return View("role.html", title=ctx.row.name, role=roles.shown(ctx, ctx.row), known=roles.permissions(ctx))


@pages.post("/roles/{role_id}")
async def change_role_page(ctx: CanManageRole, given: RoleChange) -> Went:
    """Change it."""
    await roles.change(ctx, ctx.row, given)
    return Went("/console/roles", say="The role is changed.")


@pages.post("/roles/{role_id}/delete", shows=role_page)
async def delete_role_page(ctx: CanManageRole) -> Went:
    """Remove it."""
    await roles.delete(ctx, ctx.row)
    return Went("/console/roles", say="The role {name} is removed.", kind="warning", name=ctx.row.name)
