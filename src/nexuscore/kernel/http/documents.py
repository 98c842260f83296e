"""The documents: OpenAPI as JSON, and a page that reads it, with nothing fetched from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi.openapi.utils import get_openapi
from pydantic_core import to_json

import nexuscore
from nexuscore.kernel.errors import NotFoundError, every_error
from nexuscore.kernel.http import limiting
from nexuscore.kernel.http.answers import Problem, Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import Public, Routes

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from nexuscore.kernel.app import App

document_routes = Routes("", tag="Documents", outside_api=True)
Anybody = Annotated[Exchange, Public("The documentation is for everybody.")]
_ASSETS = Path(__file__).parent / "assets"
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@document_routes.get("/api/openapi.json")
async def openapi(exchange: Anybody) -> Reply:
    """The OpenAPI 3.1 document."""
    return Reply(body=to_json(exchange.app.openapi))


@document_routes.get("/api/docs")
async def docs(exchange: Anybody) -> Reply:
    """The documentation page."""
    return _unaged((_ASSETS / "docs.html").read_bytes(), "text/html; charset=utf-8")


@document_routes.get("/api/docs/{name}")
async def asset(exchange: Anybody, name: str) -> Reply:
    """The page's style and script."""
    path = _ASSETS / name
    media = _MEDIA.get(path.suffix)
    if media is None or path.parent != _ASSETS or not path.is_file():
        raise NotFoundError
    return _unaged(path.read_bytes(), media)


@document_routes.get("/docs/errors", status=302)
async def error_codes(exchange: Anybody) -> Reply:
    """Where the `type` of a problem leads: its row in the documentation. Browsers keep what is behind the #."""
    return Reply(302).header("location", "../api/docs")


def _unaged(body: bytes, media: str) -> Reply:
    return Reply(body=body, media=media).header("cache-control", "no-cache")


def document(app: "App", routes: "Sequence[APIRoute]") -> dict[str, Any]:
    """The OpenAPI document of these operations, with what they share: errors, permissions, ways to sign in."""
    found = get_openapi(
        title=app.kernel.title,
        version=nexuscore.__version__,
        openapi_version="3.1.0",
        tags=[{"name": tag} for tag in dict.fromkeys(str(tag) for route in routes for tag in route.tags)],
        routes=routes,
    )
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["headers"] = limiting.HEADERS
    components["securitySchemes"] = app.authenticator.schemes()
    anyone_known: list[dict[str, list[str]]] = [{name: []} for name in components["securitySchemes"]]
    for operations in found["paths"].values():
        for operation in operations.values():
            operation.setdefault("security", anyone_known)
            limiting.add_headers(operation)
    found["x-permissions"] = {
        each.name: {"meaning": each.meaning, "roles": each.roles} for each in app.permissions.values()
    }
    found["x-errors"] = _errors(found["paths"])
    return found


def _errors(paths: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every error code: those of classes, and those one operation gives to an error of a kind."""
    kinds = {error.code: error for error in reversed(every_error())}
    by_status = {str(error.status): error for error in reversed(every_error())}
    for operations in paths.values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for code in response.get("x-codes", ()):
                    kinds.setdefault(code, by_status[status])
    return [
        {"code": code, "status": kind.status, "title": kind.title, "message": kind.message}
        for code, kind in sorted(kinds.items(), key=lambda each: (each[1].status, each[0]))
    ]
