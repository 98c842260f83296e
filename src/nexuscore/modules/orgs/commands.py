"""`nexus access`: who may do what, and why."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import bindparam, select

from nexuscore.kernel import process
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.modules import identity
from nexuscore.modules.orgs.decisions import Decision, can_explain
from nexuscore.modules.orgs.memberships import StoredMemberships
from nexuscore.modules.orgs.tables import Slug

commands = typer.Typer(name="access", help="Ask who may do what, and why.", no_args_is_help=True)

_BY_SLUG = select(Slug.org_id).where(Slug.slug == bindparam("wanted"))

Person = Annotated[str, typer.Argument(help="An e-mail address or the id of a person.", metavar="USER")]
Wanted = Annotated[str, typer.Argument(help="A permission such as members.invite.", metavar="PERMISSION")]
Where = Annotated[
    str | None,
    typer.Option("--org", help="The slug or id of an organisation. Else the one the person has been in longest."),
]


@commands.callback()
def access() -> None:
    """Keep `explain` a command of its own, although it is the only one."""


@commands.command()
def explain(ctx: typer.Context, user: Person, permission: Wanted, org: Where = None) -> None:
    """Say whether USER holds PERMISSION, and why; exit code 1 when not."""
    decision = asyncio.run(_explain(ctx.obj, user, permission, org))
    typer.echo(
        f"{'Yes' if decision.allowed else 'No'}: {user} {'may' if decision.allowed else 'may not'} {permission}."
    )
    for reason in decision.reasons:
        typer.echo(f"- {reason}")
    if not decision.allowed:
        raise typer.Exit(1)


async def _explain(app: App, user: str, permission: str, org: str | None) -> Decision:
    async with process.opened(app, "nexus access"):
        async with app.context(across=True) as ctx:
            user_id = await _user_id(ctx, user)
            named = await _org_id(ctx, org) if org is not None else None
        place = named or await StoredMemberships().default_org(app, user_id)
        async with app.context(org=place) as ctx:
            return await can_explain(ctx, user_id, permission)


async def _user_id(ctx: Ctx, text: str) -> UUID:
    try:
        found = await identity.user_by_email(ctx, text) if "@" in text else await identity.user(ctx, UUID(text))
    except (ValueError, NotFoundError, ValidationError):
        found = None
    if found is None:
        raise NotFoundError("There is nobody called {user}. Give an e-mail address or an id.", user=text)
    return found.id


async def _org_id(ctx: Ctx, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        pass
    found = await ctx.db.first(_BY_SLUG, wanted=text.lower())
    if found is None:
        raise NotFoundError("There is no organisation {org}. Give its slug or its id.", org=text)
    org_id: UUID = found.org_id
    return org_id
