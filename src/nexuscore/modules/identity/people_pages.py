"""Pages of the platform's people: every account, and what may be done with it."""

from typing import Annotated

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.http import Can, Nav, PageQuery, Pages, Query, View, Went
from nexuscore.modules.identity import people
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.permissions import CHANGE_ROLES, SEE_USERS, SUSPEND_USERS
from nexuscore.modules.identity.schemas import RoleChange, Suspension
from nexuscore.modules.identity.tables import User

platform = Pages("/people", tag="People")
CanSee = Annotated[Ctx, Can(SEE_USERS)]
CanSeeUser = Annotated[RowCtx[User], Can(SEE_USERS, row=one_user)]
CanSuspend = Annotated[RowCtx[User], Can(SUSPEND_USERS, row=one_user)]
CanChangeRole = Annotated[RowCtx[User], Can(CHANGE_ROLES, row=one_user, fresh=True)]


@platform.get(title="Accounts", nav=Nav("Platform", icon="people", order=10), listing=people.USERS)
async def people_page(ctx: CanSee, query: Annotated[PageQuery, Query()]) -> View:
    """Everybody's accounts."""
    return View("people.html", people=await people.page(ctx, query))


@platform.get("/{user_id}", title="Account")
async def person_page(ctx: CanSeeUser) -> View:
    """One account."""
    return View("person.html", title=ctx.row.name or ctx.row.email or str(ctx.row.id), user=ctx.row)


@platform.post("/{user_id}/suspend", shows=person_page)
async def suspend_person_page(ctx: CanSuspend, given: Suspension) -> Went:
    """Close it for now."""
    await people.suspend(ctx, ctx.row, given.reason)
    return Went(f"/console/people/{ctx.row.id}", say="The account is suspended.", kind="warning")


@platform.post("/{user_id}/restore", shows=person_page)
async def restore_person_page(ctx: CanSuspend) -> Went:
    """Open it again."""
    await people.restore(ctx, ctx.row)
    return Went(f"/console/people/{ctx.row.id}", say="The account is open again.")


@platform.post("/{user_id}/role", shows=person_page)
async def change_platform_role_page(ctx: CanChangeRole, given: RoleChange) -> Went:
    """Give another role on the platform."""
    await people.set_platform_role(ctx, ctx.row, given.role)
    return Went(f"/console/people/{ctx.row.id}", say="The role is changed.")
