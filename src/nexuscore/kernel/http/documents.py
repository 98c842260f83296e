"""The documents: OpenAPI as JSON, and a page that reads it, with nothing fetched from elsewhere."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi.openapi.utils import get_openapi

from nexuscore.kernel.errors import NotFoundError, every_error
from nexuscore.kernel.http.answers import Problem, Reply, Schema
from nexuscore.kernel.http.complete import complete, operations, plain, tags
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import Public, Routes
from nexuscore.kernel.http.versions import LISTED_AT, Version, Versions

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.http.run import CtxRoute


class VersionOut(Schema):
    """A version of the API. `changes` is where people read what is different after it."""

    name: str
    path: str
    state: Literal["planned", "current", "supported", "deprecated", "sunset"]
    released: date
    deprecated: date | None
    sunset: date | None
    successor: str | None
    changes: str
    openapi: str | None
    docs: str | None


document_routes = Routes("", tag="Documents", outside_api=True)
Anybody = Annotated[Exchange, Public("The documentation is for everybody.")]
_ASSETS = Path(__file__).parent / "assets"
ABOUT = """\
Requests and answers are JSON. Who asks says so with a bearer token, an API key or the session's cookie, and names the
organisation to act in with the header `Nexus-Org`.

Every failure is a problem (RFC 9457) with an `error_code` that does not change. Changes take an `Idempotency-Key`: sent
again with the same key, a request gets the same answer and has no second effect. Lists come in pages.

{title} tells you what happens by webhooks; they are described below."""
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@document_routes.get("/api/openapi.json")
async def openapi(exchange: Anybody) -> Reply:
    """The OpenAPI 3.1 document of the newest version."""
    return _written(exchange.app, exchange.app.versions.current())


@document_routes.get("/api/{version}/openapi.json")
async def openapi_of_version(exchange: Anybody, version: str) -> Reply:
    """The OpenAPI 3.1 document of one version."""
    return _written(exchange.app, exchange.app.versions.named(version))


@document_routes.get(LISTED_AT, answer=list[VersionOut])
async def list_versions(exchange: Anybody) -> list[VersionOut]:
    """The versions of the API, the oldest first: where each is in its life, and until when it is served."""
    found = exchange.app.versions
    after = [*found.all[1:], None]
    return [_shown(found, each, successor) for each, successor in zip(found.all, after, strict=True)]


@document_routes.get("/api/docs")
async def docs(exchange: Anybody) -> Reply:
    """The documentation page."""
    return _unaged((_ASSETS / "docs.html").read_bytes(), "text/html; charset=utf-8")


@document_routes.get("/api/{version}/docs")
async def docs_of_version(exchange: Anybody, version: str) -> Reply:
    """The documentation page of one version."""
    exchange.app.versions.named(version)
    return await docs(exchange)


@document_routes.get("/api/docs/{name}")
async def asset(exchange: Anybody, name: str) -> Reply:
    """The page's style and script."""
    path = _ASSETS / name
    media = _MEDIA.get(path.suffix)
    if media is None or path.parent != _ASSETS or not path.is_file():
        raise NotFoundError
    return _unaged(path.read_bytes(), media)


@document_routes.get("/api/{version}/docs/{name}")
async def asset_of_version(exchange: Anybody, version: str, name: str) -> Reply:
    """The page's style and script."""
    return await asset(exchange, name)


@document_routes.get("/docs/errors", status=302)
async def error_codes(exchange: Anybody) -> Reply:
    """Where the `type` of a problem leads: its row in the documentation. Browsers keep what is behind the #."""
    return Reply(302).header("location", "../api/docs")


def _written(app: "App", version: Version) -> Reply:
    body, tag = app.openapi_written(version)
    return Reply(body=body).header("etag", tag)


def _shown(versions: Versions, version: Version, successor: Version | None) -> VersionOut:
    state = versions.state(version)
    return VersionOut(
        **{name: getattr(version, name) for name in ("name", "path", "released", "deprecated", "sunset", "changes")},
        state=state,
        successor=None if successor is None else successor.name,
        openapi=None if state == "planned" else f"{version.path}/openapi.json",
        docs=None if state == "planned" else f"{version.path}/docs",
    )


def _unaged(body: bytes, media: str) -> Reply:
    return Reply(body=body, media=media).header("cache-control", "no-cache")


class Chapter(ABC):
    """The slot for what a module knows of the API that its operations do not say: webhooks, for instance."""

    @abstractmethod
    def write(self, app: "App", document: dict[str, Any]) -> None:
        """Add it to the document, in place."""


def document(app: "App", routes: "Sequence[CtxRoute]") -> dict[str, Any]:
    """The OpenAPI document of these operations, with what they share: errors, permissions, ways to sign in."""
    settings = app.kernel
    found = get_openapi(
        title=settings.title,
        version=settings.api_version,
        openapi_version="3.1.0",
        summary=f"The API of {settings.title}.",
        description=ABOUT.format(title=settings.title),
        contact={"name": settings.title},
        license_info={"name": settings.api_license, "identifier": settings.api_license},
        servers=[{"url": "/", "description": "The installation this document is read from."}],
        tags=tags(app, [*dict.fromkeys(str(tag) for route in routes for tag in route.tags)]),
        routes=routes,
    )
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = app.authenticator.schemes()
    anyone_known: list[dict[str, list[str]]] = [{name: []} for name in components["securitySchemes"]]
    for operation in operations(found):
        operation.setdefault("security", anyone_known)
    found["x-permissions"] = {
        each.name: {"meaning": each.meaning, "roles": each.roles} for each in app.permissions.values()
    }
    found["x-errors"] = _errors(app, routes, found["paths"])
    complete(found, app, routes)
    for chapter in app.fillers(Chapter):  # type: ignore[type-abstract]  # asked for, not made
        chapter.write(app, found)
    components["schemas"] = plain(components["schemas"])
    return found


def as_text(document: dict[str, Any]) -> str:
    """The document as it stands in a file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _errors(app: "App", routes: "Sequence[CtxRoute]", paths: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every error code of the app: those of classes, and those one operation gives to an error of a kind."""
    named = {error for route in routes for error in route.declared.errors}
    own = ("nexuscore.kernel.", *(f"{module.package}." for module in app.modules))
    ours = [error for error in every_error() if error in named or error.__module__.startswith(own)]
    kinds = {error.code: error for error in reversed(ours) if ".tests." not in error.__module__ or error in named}
    by_status = {str(error.status): error for error in reversed(ours)}
    for methods in paths.values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in response.get("x-codes", ()):
                    kinds.setdefault(code, by_status[status])
    return [
        {"code": code, "status": kind.status, "title": kind.title, "message": kind.message}
        for code, kind in sorted(kinds.items(), key=lambda each: (each[1].status, each[0]))
    ]
