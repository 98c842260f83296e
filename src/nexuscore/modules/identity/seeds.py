"""People for whoever develops: they can sign in, all with the same password."""

from typing import ClassVar

from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.seeds import PASSWORD, Plot, Seed
from nexuscore.modules.identity.directory import user_by_email
from nexuscore.modules.identity.events import UserRegistered
from nexuscore.modules.identity.hashing import make_hash
from nexuscore.modules.identity.tables import User

PEOPLE = {
    "anna": ("Anna Kowalska", "pl"),
    "ben": ("Ben Tan", "en"),
    "chaya": ("Chaya Levi", "he"),
    "dev": ("Dev Nair", "en"),
    "eva": ("Eva Lim", "en"),
}
_NEW = insert(User).on_conflict_do_nothing(index_elements=[User.email]).returning(User)


class PeopleSeed(Seed):
    """Five people with accounts."""

    order: ClassVar[int] = 10

    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Each once; somebody who has the address already is taken as they are."""
        made = 0
        for first, (name, locale) in PEOPLE.items():
            email = f"{first}@harbour.example.com"
            user = await user_by_email(ctx, email)
            if user is None:
                user = await ctx.db.one(
                    _NEW,
                    email=email,
                    name=name,
                    locale=locale,
                    state="active",
                    time_zone="Asia/Singapore",
                    email_verified_at=ctx.now,
                    password_changed_at=ctx.now,
                    password_hash=await make_hash(ctx.app, PASSWORD),
                )
                ctx.emit(UserRegistered(user_id=user.id))
                made += 1
            plot.people[first] = user.id
        plot.said.append(f"people: {made} new of {len(PEOPLE)}; sign in as anna@harbour.example.com with {PASSWORD}")
