"""Organisations: made, shown, changed, closed and brought back. Whoever makes one owns it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import Fault, NotFoundError, ValidationError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns, only_deleted, restore as restored, soft_delete
from nexuscore.modules import identity, mail
from nexuscore.modules.orgs import people, preferences, slugs
from nexuscore.modules.orgs.errors import DuplicateUen, PeopleOnly
from nexuscore.modules.orgs.events import (
    OrganisationChanged,
    OrganisationCreated,
    OrganisationDeleted,
    OrganisationRestored,
    OrganisationSwitched,
)
from nexuscore.modules.orgs.messages import OrganisationClosed
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.schemas import NewOrganisation, OrganisationChange, OrganisationOut
from nexuscore.modules.orgs.settings import OrgsSettings
from nexuscore.modules.orgs.tables import Membership, Organisation, Slug

_ONE = select(Organisation).where(Organisation.id == bindparam("org"))
_CREATE = insert(Organisation).returning(Organisation)
_CHANGE = update(Organisation).where(Organisation.id == bindparam("org")).returning(Organisation)
_DELETE = soft_delete(Organisation).where(Organisation.id == bindparam("org")).returning(Organisation)
_RESTORE = restored(Organisation).where(Organisation.id == bindparam("org")).returning(Organisation)
_MINE = (
    select(
        *columns(Organisation, ["id", "name", "slug", "deleted_at"]),
        *columns(Membership, ["role", "custom_role_id"]),
        Membership.created_at.label("joined_at"),
    )
    .join(Membership, Membership.org_id == Organisation.id)
    .where(Membership.user_id == bindparam("user"))
)
MINE = Listing(
    _MINE,
    by=Organisation.id,
    sorts={"name": Organisation.name, "joined_at": Membership.created_at},
    filters={"role": equals(Membership.role)},
    search=(Organisation.name, Organisation.slug),
)
_CLOSED = only_deleted(_MINE.where(Membership.role == "owner").order_by(Organisation.deleted_at.desc()).limit(100))
_CLOSED_ONE = only_deleted(_MINE.where(Membership.role == "owner", Organisation.id == bindparam("org")))
OWN_FEW = _MINE.order_by(Organisation.name).limit(20)
OWN_CALLED = OWN_FEW.where(Organisation.name.ilike(bindparam("words")))
_BY_SLUG = _MINE.join(Slug, Slug.org_id == Organisation.id).where(Slug.slug == bindparam("wanted"))
_STORED = [name for name in OrganisationOut.model_fields if hasattr(Organisation, name)]
_KEPT = frozenset({"name", "slug", "gst_registered", "billing_email", "time_zone", "locale", "settings"})


async def organisation(ctx: Ctx, org_id: UUID) -> Organisation:
    """One organisation that is not closed; only the context's own is there."""
    return await ctx.db.one(_ONE, org=org_id)


async def shown(ctx: Ctx, org: Organisation) -> OrganisationOut:
    """An organisation as its members see it."""
    left = org.trial_ends_at - ctx.now if org.trial_ends_at is not None else timedelta(0)
    first = (await people.owners(ctx))[0]
    return OrganisationOut.model_validate(
        {
            **{name: getattr(org, name) for name in _STORED},
            "is_in_trial": left > timedelta(0),
            "days_left_in_trial": max(left.days, 0),
            "member_count": await people.number(ctx),
            "owner_email": (await identity.user(ctx, first.user_id)).email,
        }
    )


async def mine(ctx: Ctx, query: PageQuery) -> Json:
    """The organisations the actor is in, the latest first."""
    async with ctx.across_orgs("somebody's own organisations") as everywhere:
        return await everywhere.db.page(MINE, query, user=ctx.actor.id)


async def closed(ctx: Ctx) -> list[Any]:
    """The closed organisations the actor owned and can bring back."""
    async with ctx.across_orgs("somebody's own closed organisations") as everywhere:
        return await everywhere.db.all(_CLOSED, user=ctx.actor.id)


async def by_slug(ctx: Ctx, slug: str) -> tuple[UUID, str]:
    """The id and the present slug of the actor's organisation that has, or once had, this slug."""
    async with ctx.across_orgs("a slug leads to somebody's own organisation") as everywhere:
        found = await everywhere.db.one(_BY_SLUG, wanted=slug, user=ctx.actor.id)
    return found.id, found.slug


async def create(ctx: Ctx, new: NewOrganisation) -> OrganisationOut:
    """Make an organisation. Whoever makes it is its first owner."""
    settings = ctx.app.settings[OrgsSettings]
    person = await people.require_person(ctx)
    _check(ctx, new.uen, new.gst_registered, new.gst_number)
    if (billing_email := new.billing_email or person.email) is None:
        raise ValidationError.of([Fault("billing_email", "missing", "This field is required.")])
    org_id = uuid7()
    async with ctx.in_org(org_id) as inside:
        given = new.model_dump(exclude={"slug", "settings", "billing_email"})
        slug = await _slug_for(inside, new)
        with _own_uen():
            org = await inside.db.one(
                _CREATE,
                id=org_id,
                slug=slug,
                billing_email=billing_email,
                settings=preferences.merged(ctx.app, {}, new.settings),
                trial_ends_at=ctx.now + timedelta(days=settings.trial_days) if settings.trial_days else None,
                created_at=ctx.now,
                created_by=person.id,
                **given,
            )
        inside.emit(OrganisationCreated(organisation_id=org.id, name=org.name, slug=org.slug))
        await people.add(inside, org.id, person.id, Role("owner", None, frozenset()))
        await people.begin_here(ctx, org.id)
        return await shown(inside, org)


async def change(ctx: Ctx, org: Organisation, change: OrganisationChange) -> Organisation:
    """Change the given fields. A new slug leaves the former one pointing here."""
    fields = change.model_dump(exclude_unset=True)
    empty = [name for name in _KEPT & fields.keys() if fields[name] is None]
    if empty:
        raise ValidationError.of([Fault(name, "required", "This cannot be empty.") for name in sorted(empty)])
    fields = {name: value for name, value in fields.items() if name == "settings" or value != getattr(org, name)}
    after = {"uen": org.uen, "gst_registered": org.gst_registered, "gst_number": org.gst_number, **fields}
    _check(ctx, after["uen"], after["gst_registered"], after["gst_number"])
    if "settings" in fields:
        fields["settings"] = preferences.merged(ctx.app, org.settings, fields["settings"])
    if not fields:
        return org
    if "slug" in fields:
        await slugs.take(ctx, fields["slug"])
    with _own_uen():
        changed = await ctx.db.one(_CHANGE, org=org.id, **fields)
    ctx.emit(OrganisationChanged(organisation_id=org.id, fields=sorted(fields)))
    return changed


async def close(ctx: Ctx, org: Organisation) -> None:
    """Delete an organisation softly: its members are locked out, its data stays, an owner can bring it back."""
    await ctx.db.one(_DELETE, org=org.id)
    ctx.emit(OrganisationDeleted(organisation_id=org.id))
    everybody = await people.members(ctx)
    for member in everybody:
        identity.forget_grants(ctx.app, member.user_id, org.id)
    await _tell_owners(ctx, org, [member.user_id for member in everybody if member.role == "owner"])


async def restore(ctx: Ctx, org_id: UUID) -> OrganisationOut:
    """Bring a closed organisation back. Only those who own it can, and only while nobody took its UEN."""
    async with ctx.across_orgs("a closed organisation is in nobody's scope") as everywhere:
        if await everywhere.db.first(_CLOSED_ONE, user=ctx.actor.id, org=org_id) is None:
            raise NotFoundError
    async with ctx.in_org(org_id) as inside:
        with _own_uen():
            org = await inside.db.one(_RESTORE, org=org_id)
        inside.emit(OrganisationRestored(organisation_id=org_id))
        for member in await people.members(inside):
            identity.forget_grants(ctx.app, member.user_id, org_id)
        return await shown(inside, org)


async def switch(ctx: Ctx, org: Organisation) -> None:
    """Let the actor's session go on in this organisation."""
    if ctx.actor.session is None:
        raise PeopleOnly
    await identity.switch_org(ctx, org.id)
    ctx.emit(OrganisationSwitched(organisation_id=org.id))


async def _tell_owners(ctx: Ctx, org: Organisation, owners: list[UUID]) -> None:
    actor = await people.acting(ctx)
    message = OrganisationClosed(
        organisation=org.name,
        by=(actor.name or actor.email or org.name) if actor is not None else org.name,
        at=ctx.now,
        zone=org.time_zone,
        link=identity.page(ctx.app, "organisations"),
    )
    for person in await identity.users(ctx, owners):
        if person.email is not None:
            await mail.send(ctx, message, to=person.email, locale=person.locale)


async def _slug_for(ctx: Ctx, new: NewOrganisation) -> str:
    if new.slug is None:
        return await slugs.take_like(ctx, new.name)
    await slugs.take(ctx, new.slug)
    return new.slug


@contextmanager
def _own_uen() -> Iterator[None]:
    """Say it in our words when the statement inside finds that a UEN is another organisation's."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "uq_organisations_uen":
            raise DuplicateUen from None
        raise


def _check(ctx: Ctx, uen: str | None, gst_registered: bool, gst_number: str | None) -> None:
    """What no single field can tell: GST flag and number go together, and some installations want a UEN."""
    wrong = []
    if uen is None and ctx.app.settings[OrgsSettings].require_uen:
        wrong.append(Fault("uen", "missing", "This field is required."))
    if gst_registered and gst_number is None:
        wrong.append(Fault("gst_number", "invalid_gst_registration", "A GST-registered organisation has a GST number."))
    if not gst_registered and gst_number is not None:
        wrong.append(
            Fault("gst_number", "invalid_gst_registration", "Without GST registration, leave the GST number out.")
        )
    if wrong:
        raise ValidationError.of(wrong)
