"""Providers over HTTP: begin in a browser, come back to it, link and unlink."""

from typing import Annotated
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NexusError, NotFoundError
from nexuscore.kernel.http import Exchange, Page, PageQuery, Public, Query, Reply, Routes, SignedIn
from nexuscore.modules.identity import cookies, mails, oauth
from nexuscore.modules.identity.errors import LastWayIn
from nexuscore.modules.identity.limits import CODES, PROVIDERS
from nexuscore.modules.identity.oauth_schemas import (
    Arrival,
    FlowAsked,
    FlowBegun,
    LinkAsked,
    LinkedOut,
    ProviderOut,
    ProvidersOut,
)
from nexuscore.modules.identity.routes import answered
from nexuscore.modules.identity.schemas import ChallengeOut, SignedInOut
from nexuscore.modules.identity.sign_in import Challenge
from nexuscore.modules.identity.vouching import ProviderUnreachable, VouchingFailed

flows = Routes("/auth/oauth", tag="Signing in")
links = Routes("/me/oauth", tag="My account")

Anybody = Annotated[Exchange, Public("people sign in here")]
FreshSomebody = Annotated[Exchange, SignedIn(fresh=True)]
Caller = Annotated[Ctx, SignedIn()]
FreshCaller = Annotated[Ctx, SignedIn(fresh=True)]


@flows.get("", answer=ProvidersOut)
async def list_sign_in_providers(exchange: Anybody) -> ProvidersOut:
    """The providers people may sign in with."""
    return ProvidersOut(data=[ProviderOut(**each) for each in oauth.shown(exchange.app)])


@flows.post("/{provider}/start", answer=FlowBegun, errors=(ProviderUnreachable,), limit=PROVIDERS, priority="critical")
async def start_oauth(exchange: Anybody, provider: str, given: FlowAsked) -> Reply:
    """Begin to sign in with a provider. The cookie of this answer must come back with the browser."""
    return await _begun(exchange, provider, given)


@links.post("/start", answer=FlowBegun, errors=(NotFoundError, ProviderUnreachable), limit=PROVIDERS)
async def start_linking(exchange: FreshSomebody, given: LinkAsked) -> Reply:
    """Begin to link a provider with the caller's account."""
    return await _begun(exchange, given.provider, given, owner=exchange.identity.actor.id)


async def _begun(exchange: Exchange, provider: str, given: FlowAsked, owner: UUID | None = None) -> Reply:
    begun = await oauth.start(
        exchange,
        provider,
        browser=cookies.browser_of(exchange.app, exchange),
        cookie=given.session == "cookie",
        return_to=oauth.safe_path(given.return_to),
        owner=owner,
    )
    reply = Reply(200, FlowBegun(url=begun.url).model_dump_json().encode())
    return cookies.name_browser(exchange.app, reply, begun.browser)


@flows.get(
    "/{provider}/callback",
    answer=SignedInOut | ChallengeOut,
    also={303: "A browser is sent on to one of our pages."},
    errors=(VouchingFailed, ProviderUnreachable, oauth.NotLinked, oauth.LinkedElsewhere),
    limit=CODES,
    priority="critical",
)
async def finish_oauth(
    exchange: Anybody, provider: str, arrival: Annotated[Arrival, Query()]
) -> SignedInOut | ChallengeOut | Reply:
    """Where a provider sends the browser back to: signed in, asked for a second factor, or linked.

    A flow begun for a cookie ends with a redirect to one of our pages; one begun for tokens answers them here.
    """
    app = exchange.app
    if arrival.error or not arrival.code or not arrival.state:
        return _redirect(mails.page(app, "sign-in", error=VouchingFailed.code))
    browser = cookies.browser_of(app, exchange)
    try:
        finished = await oauth.finish(exchange, provider, browser=browser, state=arrival.state, code=arrival.code)
    except NexusError as error:
        if "text/html" in exchange.headers.get("accept", ""):
            return _redirect(mails.page(app, "sign-in", error=error.code))
        raise
    if finished.step is None:
        return _redirect(finished.return_to)
    if not finished.cookie:
        return answered(exchange, finished.step)
    if isinstance(finished.step, Challenge):
        return _redirect(mails.page(app, "second-factor", challenge=str(finished.step.id)))
    return cookies.give(app, _redirect(finished.return_to), finished.step.session_id, finished.step.cookie)


@links.get("", answer=Page[LinkedOut], listing=oauth.MINE)
async def list_linked(ctx: Caller, query: Annotated[PageQuery, Query()]) -> Json:
    """The providers the caller's account is linked with."""
    return await oauth.page(ctx, query)


@links.delete("/{linked_id}", errors=(LastWayIn,))
async def unlink_provider(ctx: FreshCaller, linked_id: UUID) -> None:
    """Take a link away, unless it is the only way in."""
    await oauth.unlink(ctx, linked_id)


def _redirect(to: str) -> Reply:
    return Reply(303).header("location", to).header("cache-control", "no-store")


ALL = (flows, links)
