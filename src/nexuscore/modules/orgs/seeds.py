"""An organisation for whoever develops: members in every role, and somebody who is asked to join."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.seeds import Plot, Seed
from nexuscore.modules.orgs import invitations, organisations, people, roles
from nexuscore.modules.orgs.schemas import Address, NewInvitation, NewOrganisation
from nexuscore.modules.orgs.tables import Slug

SLUG = "harbour-of-examples"
ROLES = {"ben": "admin", "chaya": "member", "dev": "member", "eva": "viewer"}
_THERE = select(Slug.org_id).where(Slug.slug == bindparam("wanted"))


class OrganisationSeed(Seed):
    """Harbour Trading, which Anna owns."""

    order: ClassVar[int] = 20

    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Make it once; whoever sows it becomes one of its administrators, to see it."""
        async with ctx.across_orgs("whether the organisation for development is there") as everywhere:
            plot.org = await everywhere.db.value(_THERE, wanted=SLUG)
        is_new = plot.org is None
        if is_new:
            plot.org = await self._found(ctx, plot)
        assert plot.org is not None  # noqa: S101 - made in the line above
        members = {plot.people[name]: role for name, role in ROLES.items()}
        if ctx.actor.kind == "user" and ctx.actor.id is not None:
            members.setdefault(ctx.actor.id, "admin")
        async with plot.acting(ctx, "anna") as here:
            joined = [await self._join(here, plot.org, user_id, role) for user_id, role in members.items()]
            if is_new:
                there = await organisations.organisation(here, plot.org)
                await invitations.invite(here, there, NewInvitation(email="farid@example.com", role="member"))
        plot.said.append(f"organisation: Harbour Trading {'made' if is_new else 'is there'}, {sum(joined)} joined")

    async def _found(self, ctx: Ctx, plot: Plot) -> UUID:
        async with plot.acting(ctx, "anna") as anna:
            made = await organisations.create(
                anna,
                NewOrganisation(
                    name="Harbour Trading Pte. Ltd.",
                    slug=SLUG,
                    address=Address(line1="10 Anson Road", line2="#26-04", postal_code="079903"),
                ),
            )
        return made.id

    async def _join(self, here: Ctx, org: UUID, user_id: UUID, role: str) -> bool:
        if await people.find(here, org, user_id) is not None:
            return False
        held = await roles.named(here, role, None)
        assert held is not None  # noqa: S101 - one was named
        await people.add(here, org, user_id, held)
        return True
