"""What can be done with endpoints."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from secrets import token_bytes
from typing import Any, Literal
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import bindparam, func, insert, select, update

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.outbound import Policy, TargetRefused, target
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns, soft_delete
from nexuscore.modules.webhooks import deliveries, filters
from nexuscore.modules.webhooks.errors import TooManyEndpoints
from nexuscore.modules.webhooks.events import (
    EndpointChanged,
    EndpointCreated,
    EndpointDeleted,
    SecretRotated,
    WebhookDisabled,
    WebhookEnabled,
)
from nexuscore.modules.webhooks.schemas import EndpointChange, EndpointOut, NewEndpoint
from nexuscore.modules.webhooks.settings import WebhookSettings
from nexuscore.modules.webhooks.tables import Endpoint

ENDPOINTS = Listing(
    select(*columns(Endpoint, EndpointOut.model_fields)),
    by=Endpoint.id,
    sorts=(Endpoint.url, Endpoint.created_at, Endpoint.updated_at),
    filters={"state": equals(Endpoint.state, Literal["enabled", "disabled"])},
    search=(Endpoint.url, Endpoint.description),
)
_ONE = select(Endpoint).where(Endpoint.id == bindparam("endpoint_id"))
_COUNT = select(func.count()).select_from(Endpoint)
_CREATE = insert(Endpoint).returning(Endpoint)
_CHANGE = update(Endpoint).where(Endpoint.id == bindparam("endpoint_id")).returning(Endpoint)
_DELETE = soft_delete(Endpoint).where(Endpoint.id == bindparam("endpoint_id"))

_SECRET = "webhooks.secret"  # noqa: S105 - what the keyring seals it for
_HEADERS = "webhooks.headers"
HEALTHY: Mapping[str, Any] = {"failing_since": None, "failed_in_row": 0, "rests": 0, "rest_until": None}


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's endpoints, newest first."""
    return await ctx.db.page(ENDPOINTS, query)


async def get(ctx: Ctx, endpoint_id: UUID) -> Endpoint:
    """One endpoint."""
    return await ctx.db.one(_ONE, endpoint_id=endpoint_id)


async def create(ctx: Ctx, new: NewEndpoint) -> tuple[Endpoint, str]:
    """Add an endpoint; with it, its secret, which cannot be read again."""
    if await ctx.db.value(_COUNT) >= ctx.app.settings[WebhookSettings].most_endpoints:
        raise TooManyEndpoints
    check_url(ctx.app, new.url)
    filters.check(ctx.app, new.filters)
    id, secret = uuid7(), _new_secret()
    endpoint = await ctx.db.one(
        _CREATE,
        id=id,
        url=new.url,
        description=new.description,
        filters=new.filters,
        api_version=new.api_version,
        schedule=new.schedule,
        rate_per_minute=new.rate_per_minute,
        secret=ctx.app.keyring.seal(_SECRET, secret, context=str(id)),
        created_by=ctx.actor.id,
        **_sealed_headers(ctx.app, id, new.headers),
    )
    ctx.emit(EndpointCreated(endpoint_id=id, filters=new.filters))
    return endpoint, secret


async def change(ctx: Ctx, endpoint: Endpoint, change: EndpointChange) -> Endpoint:
    """Change the given fields."""
    fields: dict[str, Any] = change.model_dump(exclude_none=True)
    if not fields:
        return endpoint
    names = sorted(fields)
    if "url" in fields:
        check_url(ctx.app, fields["url"])
    if "filters" in fields:
        filters.check(ctx.app, fields["filters"])
    if "headers" in fields:
        fields |= _sealed_headers(ctx.app, endpoint.id, fields["headers"])
    if fields.get("rate_per_minute") == 0:
        fields["rate_per_minute"] = None
    changed = await ctx.db.one(_CHANGE, endpoint_id=endpoint.id, **fields)
    ctx.emit(EndpointChanged(endpoint_id=endpoint.id, fields=names))
    return changed


async def delete(ctx: Ctx, endpoint: Endpoint) -> None:
    """Remove an endpoint. What waits for it is cancelled; its deliveries stay readable while they are kept."""
    await ctx.db.execute(_DELETE, endpoint_id=endpoint.id)
    await deliveries.cancel_all(ctx, endpoint.id)
    ctx.emit(EndpointDeleted(endpoint_id=endpoint.id))


async def rotate_secret(ctx: Ctx, endpoint: Endpoint, overlap_hours: int) -> tuple[Endpoint, str]:
    """Make a new secret. The old one signs beside it for the overlap; one that was older still ends now."""
    secret = _new_secret()
    rotated = await ctx.db.one(
        _CHANGE,
        endpoint_id=endpoint.id,
        secret=ctx.app.keyring.seal(_SECRET, secret, context=str(endpoint.id)),
        previous_secret=endpoint.secret if overlap_hours else None,
        previous_until=ctx.now + timedelta(hours=overlap_hours) if overlap_hours else None,
    )
    ctx.emit(SecretRotated(endpoint_id=endpoint.id, overlap_hours=overlap_hours))
    return rotated, secret


async def enable(ctx: Ctx, endpoint: Endpoint) -> Endpoint:
    """Tell it of events again, from now on."""
    if endpoint.state == "enabled":
        return endpoint
    enabled = await ctx.db.one(_CHANGE, endpoint_id=endpoint.id, state="enabled", disabled_reason=None, **HEALTHY)
    ctx.emit(WebhookEnabled(endpoint_id=endpoint.id))
    return enabled


async def disable(ctx: Ctx, endpoint: Endpoint, reason: str) -> Endpoint:
    """Tell it of nothing more. What waits for it is cancelled, and can be replayed."""
    if endpoint.state == "disabled":
        return endpoint
    disabled = await ctx.db.one(
        _CHANGE, endpoint_id=endpoint.id, state="disabled", disabled_reason=reason, disabled_at=ctx.now
    )
    await deliveries.cancel_all(ctx, endpoint.id)
    ctx.emit(WebhookDisabled(endpoint_id=endpoint.id, reason=reason))
    return disabled


def policy(app: App) -> Policy:
    """Where webhooks may go: the public internet, and outside production this machine."""
    ports = frozenset(app.settings[WebhookSettings].ports)
    return Policy(loopback=app.kernel.env != "production", ports=ports)


def check_url(app: App, url: str) -> None:
    """Refuse an address that may not be called. Where its name leads is seen at every call."""
    try:
        target(url, policy(app))
    except TargetRefused as refused:
        raise ValidationError.of([Fault("url", refused.code, refused.message)]) from None


def secrets(app: App, endpoint: Endpoint, now: Any) -> list[str]:
    """The secrets that sign at this moment, the newest first."""
    live = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now:
        live.append(endpoint.previous_secret)
    return [app.keyring.open_sealed(_SECRET, each, context=str(endpoint.id)).decode() for each in live]


def headers(app: App, endpoint: Endpoint) -> dict[str, str]:
    """The headers sent along."""
    if endpoint.headers is None:
        return {}
    opened: dict[str, str] = from_json(app.keyring.open_sealed(_HEADERS, endpoint.headers, context=str(endpoint.id)))
    return opened


def _sealed_headers(app: App, id: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    sealed = app.keyring.seal(_HEADERS, to_json(dict(given)), context=str(id)) if given else None
    return {"headers": sealed, "header_names": sorted(given)}


def _new_secret() -> str:
    return f"whsec_{b64encode(token_bytes(32)).decode()}"
