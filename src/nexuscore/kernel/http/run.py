"""How an operation runs: authentication, parameters, transaction, permission, verb, commit, encoding.

FastAPI reads the declaration (parameters, body, documentation); the run itself is this file.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError as PydanticError
from starlette.datastructures import Headers

from nexuscore.kernel import clock
from nexuscore.kernel.access import Actor, PermissionDenied, require, require_account, require_fresh
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    Fault,
    MalformedRequest,
    NexusError,
    NotFoundError,
    UnsupportedMediaType,
    ValidationError,
)
from nexuscore.kernel.faults import fault_of
from nexuscore.kernel.http import idempotency
from nexuscore.kernel.http.answers import Reply, encoder
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.describe import answered, documented_errors, extras
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.limiting import Limiting
from nexuscore.kernel.http.parameters import Parameters
from nexuscore.kernel.http.routes import Admission, Can, LoadRow, Operation, Public, SignedIn
from nexuscore.kernel.paging import PageQuery

if TYPE_CHECKING:
    from nexuscore.kernel.app import App


class CtxRoute(APIRoute):
    """One operation of the composed app."""

    def __init__(self, app: "App", operation: Operation, prefix: str) -> None:
        shape = _Shape(operation)
        admission = shape.admission
        super().__init__(
            prefix + operation.path,
            shape.stub,
            methods=[operation.method],
            response_model=operation.answer,
            status_code=operation.status,
            tags=[operation.tag],
            operation_id=operation.endpoint.__name__,
            summary=operation.endpoint.__name__.replace("_", " ").capitalize(),
            description=inspect.getdoc(operation.endpoint),
            response_description=answered(operation),
            responses=documented_errors(operation, admission),
            openapi_extra=extras(operation, admission),
        )
        self.nexus = app
        self.declared = operation
        self.admission = admission
        self._shape = shape
        self._encode = encoder(operation.answer, check=app.kernel.env == "test")
        self._in_path = Parameters(self.dependant.path_params)
        self._in_query = Parameters(self.dependant.query_params)
        self._read_body = _body_reader(self)
        self._limiting = Limiting(app, operation)

    async def run(self, exchange: Exchange, path: dict[str, str]) -> Reply:
        """Answer one request, or raise what the edge turns into a problem."""
        app, shape, admission = self.nexus, self._shape, self.admission
        identity = await self._identify(exchange)
        exchange.identity = identity
        await self._limiting.take(exchange, identity)
        if not isinstance(admission, Public):
            await self._admit(exchange, identity, path)
        if identity.locale is not None:
            exchange.locale = identity.locale
        arguments = await self._arguments(exchange, path)
        if not shape.ctx:
            return self._reply(await self.declared.endpoint(**arguments))
        try:
            async with app.database.transaction(Scope(identity.org)) as db:
                ctx = Ctx(
                    app,
                    db,
                    identity.org,
                    identity.actor,
                    clock.now(),
                    exchange.locale,
                    exchange.request_id,
                )
                answer = await self._once(ctx, exchange, arguments)
        except (AuthorizationError, NotFoundError) as error:
            await self._note_denial(exchange, identity, path, error)
            raise
        if isinstance(answer, NexusError):
            raise answer
        return answer

    async def _identify(self, exchange: Exchange) -> Identity:
        """Who asks. What everybody may do is not refused for a token that is over: that is how one gets a new one."""
        if self.declared.unidentified:
            return Identity(Actor(ip=exchange.ip, agent=exchange.headers.get("user-agent")))
        try:
            return await self.nexus.authenticator.identify(self.nexus, exchange)
        except AuthenticationError:
            nobody = Identity(Actor(ip=exchange.ip, agent=exchange.headers.get("user-agent")))
            if not isinstance(self.admission, Public):
                await self._limiting.take(exchange, nobody)
                raise
            return nobody

    async def _admit(self, exchange: Exchange, identity: Identity, path: dict[str, str]) -> None:
        """Let the caller in, as the operation's declaration says; a refusal is a fact."""
        admission = self.admission
        if not identity.actor.known:
            raise AuthenticationError
        try:
            if isinstance(admission, Can):
                require(identity, admission.name)
            if isinstance(admission, SignedIn):
                require_account(identity)
        except AuthorizationError as error:
            await self._note_denial(exchange, identity, path, error)
            raise
        if isinstance(admission, Can | SignedIn) and admission.fresh:
            require_fresh(identity)

    async def _once(self, ctx: Ctx, exchange: Exchange, arguments: dict[str, Any]) -> Reply | NexusError:
        """The answer: the stored one of this Idempotency-Key, or what the verb does now."""
        claim = await self._claim(ctx, exchange)
        if claim is not None and (stored := await idempotency.replay(ctx, claim)) is not None:
            return stored
        if isinstance(self.admission, Can) and self.admission.row is not None:
            ctx = await self._with_row(ctx, self.admission, self.admission.row, arguments)
        arguments[self._shape.ctx] = ctx
        try:
            answer: Reply | NexusError = self._reply(await self.declared.endpoint(**arguments))
        except NexusError as outcome:
            if not outcome.commits:
                raise
            answer = outcome
        if ctx.facts or ctx.jobs:
            await ctx.flush()
        if claim is not None:
            await idempotency.store(ctx, claim, answer)
        return answer

    async def _claim(self, ctx: Ctx, exchange: Exchange) -> idempotency.Claim | None:
        if self.declared.method == "GET" or self.declared.unrepeatable is not None:
            return None
        claim = await idempotency.claim(ctx, exchange)
        if claim is None and self.declared.needs_key:
            raise idempotency.IdempotencyKeyRequired
        return claim

    def _reply(self, result: Any) -> Reply:
        if isinstance(result, Reply):
            return result
        return Reply(self.declared.status, self._encode(result))

    async def _arguments(self, exchange: Exchange, path: dict[str, str]) -> dict[str, Any]:
        """Every parameter, or one `ValidationError` that names all that are wrong."""
        dependant = self.dependant
        arguments, faults = self._in_path.read(path.items())
        if dependant.query_params or exchange.scope["query_string"]:
            sent = exchange.query
            values, wrong = self._in_query.read(sent)
            arguments.update(values)
            faults += wrong
            if self._shape.query is not None:
                faults += [
                    Fault(name, "unknown_parameter", "There is no such parameter.")
                    for name in {name for name, _ in sent} - self._shape.query
                ]
        if dependant.header_params:
            sent_headers = Headers(raw=exchange.scope["headers"])
            values, errors = request_params_to_args(dependant.header_params, sent_headers)
            arguments.update(values)
            faults += map(_fault, errors)
        if self._read_body is not None:
            name, body, body_faults = await self._read_body(exchange)
            arguments[name] = body
            faults += body_faults
        if faults:
            raise ValidationError.of(faults)
        if self._shape.exchange:
            arguments[self._shape.exchange] = exchange
        return arguments

    async def _with_row(self, ctx: Ctx, admission: Can, load: LoadRow, arguments: dict[str, Any]) -> Ctx:
        """The context with the row the path names, once that row is the actor's to touch."""
        names = self._shape.row
        row = await load(ctx, **{name: arguments[name] for name in names})
        for name in names - self._shape.wanted:
            del arguments[name]
        if admission.rule is not None and not admission.rule(ctx, row):
            raise AuthorizationError(code="ownership_denied")
        return RowCtx(
            ctx.app,
            ctx.db,
            ctx.org,
            ctx.actor,
            ctx.now,
            ctx.locale,
            ctx.request_id,
            ctx.facts,
            ctx.jobs,
            row=row,
        )

    async def _note_denial(
        self, exchange: Exchange, identity: Identity, path: dict[str, str], error: NexusError
    ) -> None:
        """Log the denial as a fact; a 404 only when the row is there, in another organisation."""
        admission = self.admission
        if not isinstance(admission, Can) or not identity.actor.known:
            return
        app = self.nexus
        if isinstance(error, NotFoundError) and not await self._is_elsewhere(identity, path):
            return
        async with app.context(org=identity.org, actor=identity.actor, request_id=exchange.request_id) as ctx:
            ctx.emit(
                PermissionDenied(
                    operation=self.operation_id or self.name,
                    permission=admission.name,
                    id=next(iter(path.values()), None),
                )
            )

    async def _is_elsewhere(self, identity: Identity, path: dict[str, str]) -> bool:
        admission = self.admission
        if not isinstance(admission, Can) or admission.row is None:
            return False
        values, _ = self._in_path.read(path.items())
        try:
            async with self.nexus.context(actor=identity.actor, across=True) as ctx:
                await admission.row(ctx, **{name: values[name] for name in self._shape.row})
        except (NexusError, KeyError):
            return False
        return True


class _Shape:
    """What an endpoint's signature says: its context, its row's parameters, its own."""

    def __init__(self, operation: Operation) -> None:
        endpoint = operation.endpoint
        hints = get_type_hints(endpoint, include_extras=True)
        parameters = inspect.signature(endpoint).parameters
        self.ctx = ""
        self.exchange = ""
        self.admission: Admission | None = None
        own: list[inspect.Parameter] = []
        for name, parameter in parameters.items():
            annotation = hints.get(name)
            marks = [a for a in get_args(annotation) if isinstance(a, Can | SignedIn | Public)]
            kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
            if marks:
                self.admission = marks[0]
            if marks and kind is not Exchange:
                self.ctx = name
            elif kind is Exchange:
                self.exchange = name
            else:
                asked = _listed(annotation, kind, operation)
                own.append(parameter.replace(annotation=asked, kind=inspect.Parameter.KEYWORD_ONLY))
        if self.admission is None:
            raise ConfigurationError(
                f"{endpoint.__qualname__} says nobody may call it: its first parameter must be"
                " Annotated[Ctx, Can(...)], Annotated[Ctx, SignedIn()] or Annotated[Ctx, Public(...)]"
            )
        self.wanted = {parameter.name for parameter in own}
        own += self._of_row(operation)
        self.stub = _stub(endpoint, own)
        queried = [p for p in own if "{" + p.name + "}" not in operation.path]
        self.query = _query_names(queried)

    def _of_row(self, operation: Operation) -> list[inspect.Parameter]:
        """The parameters the row's loader takes from the path and the endpoint does not."""
        load = self.admission.row if isinstance(self.admission, Can) else None
        self.row: set[str] = set()
        if load is None:
            return []
        hints = get_type_hints(load)
        taken = list(inspect.signature(load).parameters)[1:]
        self.row = set(taken)
        return [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
            for name in taken
            if name not in self.wanted
        ]


def _listed(annotation: Any, kind: Any, operation: Operation) -> Any:
    """The annotation of a parameter; a query for pages also takes what the operation's listing can be asked."""
    if operation.listing is None or not (isinstance(kind, type) and issubclass(kind, PageQuery)):
        return annotation
    return Annotated[operation.listing.asks(kind), *get_args(annotation)[1:]]


def _stub(endpoint: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """What FastAPI is shown instead of the endpoint: the same name, only the wire's parameters."""

    async def stub() -> None: ...

    stub.__name__, stub.__doc__ = endpoint.__name__, endpoint.__doc__
    stub.__module__, stub.__qualname__ = endpoint.__module__, endpoint.__qualname__
    stub.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by FastAPI
    return stub


def _query_names(parameters: list[inspect.Parameter]) -> frozenset[str] | None:
    """The query parameters' names, or None when one of them is a model that refuses others itself."""
    names = set()
    for parameter in parameters:
        annotation = parameter.annotation
        kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields"):
            if get_origin(annotation) is Annotated:
                return None
            continue
        names.add(parameter.name)
    return frozenset(names)


def _body_reader(route: CtxRoute) -> Callable[[Exchange], Any] | None:
    """How the one JSON body of an operation is read, or None when it takes none."""
    fields = route.dependant.body_params
    if not fields:
        return None
    if len(fields) > 1:
        raise ConfigurationError(f"{route.operation_id} takes more than one body")
    name = fields[0].name
    annotation: Any = fields[0].field_info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    async def read(exchange: Exchange) -> tuple[str, Any, list[Fault]]:
        limit = route.declared.max_body
        if limit is not None:
            exchange.limit = limit
        body = await exchange.body()
        media = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and media != "application/json" and not media.endswith("+json"):
            raise UnsupportedMediaType(expected="application/json")
        try:
            return name, adapter.validate_json(body or b"null"), []
        except PydanticError as error:
            errors = error.errors(include_url=False)
            if errors[0]["type"] == "json_invalid" and body:
                raise MalformedRequest("The body is not valid JSON.") from None
            return name, None, [_fault({**e, "loc": ("body", *e["loc"])}) for e in errors]

    return read


def _fault(error: Any) -> Fault:
    """One fault of one field; where it was sent is left off, the name is what a person looks for."""
    place = [str(part) for part in error["loc"][1:]]
    return fault_of(".".join(place) or "body", error)
