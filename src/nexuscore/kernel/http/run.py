"""How an operation runs: authentication, parameters, transaction, permission, verb, commit, encoding.

FastAPI reads the declaration (parameters, body, documentation); the run itself is this file.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi.dependencies.utils import request_params_to_args
from starlette.datastructures import Headers

from nexuscore.kernel import clock
from nexuscore.kernel.access import Actor, PermissionDenied, require, require_account, require_fresh
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Db, Json, Row, Scope
from nexuscore.kernel.errors import (
    AuthenticationError,
    AuthorizationError,
    Fault,
    NexusError,
    NotFoundError,
    ValidationError,
)
from nexuscore.kernel.http import conditional, idempotency
from nexuscore.kernel.http.answers import JSON, Reply
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.bodies import fault_at
from nexuscore.kernel.http.contract import Contract, contract
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.fields import Fields
from nexuscore.kernel.http.limiting import Limiting
from nexuscore.kernel.http.links import page_links
from nexuscore.kernel.http.routes import Can, LoadRow, Operation, Public, SignedIn
from nexuscore.kernel.http.versions import Version
from nexuscore.kernel.paging import PageJson

if TYPE_CHECKING:
    from nexuscore.kernel.app import App


class CtxRoute(Contract):
    """One operation of the composed app."""

    def __init__(self, app: "App", declared: Operation, version: Version | None) -> None:
        check = app.kernel.env == "test"
        vars(self).update(vars(contract(declared, version, check=check)))
        self.nexus = app
        self._limiting = Limiting(app, self.declared)

    async def run(self, exchange: Exchange, path: dict[str, str]) -> Reply:
        """Answer one request, or raise what the edge turns into a problem."""
        shape, admission = self.shape, self.admission
        identity = await self._identify(exchange)
        exchange.identity = identity
        await self._limiting.take(exchange, identity)
        if not isinstance(admission, Public):
            await self._admit(exchange, identity, path)
        if identity.locale is not None:
            exchange.locale = identity.locale
        arguments = await self._arguments(exchange, path)
        if not shape.ctx:
            if not self._reads:
                conditional.require_no_match(exchange)
            return self._validated(exchange, self._reply(exchange, await self.declared.endpoint(**arguments)))
        try:
            answer = await self._transact(exchange, identity, arguments)
        except (AuthorizationError, NotFoundError) as error:
            await self._note_denial(exchange, identity, path, error)
            raise
        if isinstance(answer, NexusError):
            raise answer
        return self._validated(exchange, answer)

    async def _transact(self, exchange: Exchange, identity: Identity, arguments: dict[str, Any]) -> Reply | NexusError:
        """What the verb does, in one transaction; a read that the replica cannot answer is asked of the primary."""
        database, scope = self.nexus.database, Scope(identity.org)
        if not self._reads:
            return await self._in(database.transaction(scope), exchange, identity, arguments)
        if not self.declared.replica:
            return await self._in(database.reading(scope), exchange, identity, arguments)
        try:
            return await self._in(database.transaction(scope, replica=True), exchange, identity, dict(arguments))
        except Exception as error:
            if not database.lost_replica(error):
                raise
        return await self._in(database.reading(scope), exchange, identity, arguments)

    async def _in(
        self,
        opened: AbstractAsyncContextManager[Db],
        exchange: Exchange,
        identity: Identity,
        arguments: dict[str, Any],
    ) -> Reply | NexusError:
        app = self.nexus
        async with opened as db:
            if self._pages:
                db.known = conditional.known_to(exchange)
            ctx = Ctx(app, db, identity.org, identity.actor, clock.now(), exchange.locale, exchange.request_id)
            return await self._once(ctx, exchange, arguments)

    async def _identify(self, exchange: Exchange) -> Identity:
        """Who asks. What everybody may do is not refused for a token that is over: that is how one gets a new one."""
        if self.declared.unidentified:
            return _nobody(exchange)
        try:
            return await self.nexus.authenticator.identify(self.nexus, exchange)
        except NexusError as error:
            nobody = _nobody(exchange)
            if isinstance(error, AuthenticationError) and isinstance(self.admission, Public):
                return nobody
            await self._limiting.take(exchange, nobody)
            raise

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
        row = None
        if isinstance(self.admission, Can) and self.admission.row is not None:
            row = await self._with_row(ctx, exchange, self.admission, self.admission.row, arguments)
            ctx = RowCtx(
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
        elif not self._reads:
            conditional.require_no_match(exchange)
        arguments[self.shape.ctx] = ctx
        try:
            answer: Reply | NexusError = self._reply(exchange, await self.declared.endpoint(**arguments), row)
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
        if self._reads or self.declared.unrepeatable is not None:
            return None
        claim = await idempotency.claim(ctx, exchange)
        if claim is None and self.declared.needs_key:
            raise idempotency.IdempotencyKeyRequired
        return claim

    async def _held(self, ctx: Ctx, exchange: Exchange, row: Any) -> bool:
        """Whether `row` is what the caller means to change, and nobody else can change it until we are done.

        False when somebody did so while we waited for them, and the caller knows what they made of it.
        """
        lock = self.shape.lock
        if lock is None:
            conditional.require_no_match(exchange)
            return True
        changed = await ctx.db.value(lock.statement, row_key=getattr(row, lock.key))
        if changed is None:
            raise NotFoundError
        conditional.require_match(exchange, conditional.version_of(changed))
        return bool(changed == row.updated_at)

    def _reply(self, exchange: Exchange, result: Any, row: Any = None) -> Reply:
        """What the endpoint returned as an answer, with what tells its version."""
        reply = self._encoded(exchange, result)
        if isinstance(result, PageJson):
            reply.headers.append(page_links(exchange, result.info))
            if self._pages:
                reply.headers.append((b"etag", result.tag.encode()))
        if not self._reads:
            row = result if isinstance(result, Row) else None
        changed = row.get("updated_at") if isinstance(row, Row) else None
        if changed is not None:
            reply.version = conditional.version_of(changed)
            if result is row:
                reply.headers.append(conditional.last_modified(changed))
            if not self._reads:
                reply.headers.append((b"etag", conditional.tag_of(reply.body, reply.version).encode()))
        return reply

    def _encoded(self, exchange: Exchange, result: Any) -> Reply:
        wanted, fields = exchange.fields, self._fields
        if self._was is not None and not isinstance(result, Reply):
            result = Json(self._encode_older(self._was.downgraded(self._encode(result))))
            if wanted is None or fields is None:
                return Reply(self.declared.status, result)
            return Reply(self.declared.status, fields.cut(result, wanted))
        if isinstance(result, Reply):
            if wanted is not None and fields is not None and result.status == 200 and result.media == JSON:
                result.body = fields.cut(result.body, wanted)
            return result
        if wanted is not None and fields is not None:
            return Reply(self.declared.status, fields.body(result, wanted, self._encode))
        return Reply(self.declared.status, self._encode(result))

    def _validated(self, exchange: Exchange, reply: Reply) -> Reply:
        """A read that succeeded carries its tag; one the caller has already is not sent again."""
        if self._reads and reply.status == 200 and reply.stream is None:
            return conditional.answer(exchange, reply)
        return reply

    async def _arguments(self, exchange: Exchange, path: dict[str, str]) -> dict[str, Any]:
        """Every parameter, or one `ValidationError` that names all that are wrong."""
        dependant = self.dependant
        arguments, faults = self._in_path.read(path.items())
        if dependant.query_params or exchange.scope["query_string"]:
            sent = exchange.query
            if self._fields is not None and b"fields=" in exchange.scope["query_string"]:
                sent, wrong = self._choose(exchange, self._fields, sent)
                faults += wrong
            values, wrong = self._in_query.read(sent)
            arguments.update(values)
            faults += wrong
            if self.shape.query is not None:
                faults += [
                    Fault(name, "unknown_parameter", "There is no such parameter.")
                    for name in {name for name, _ in sent} - self.shape.query
                ]
        if dependant.header_params:
            sent_headers = Headers(raw=exchange.scope["headers"])
            values, errors = request_params_to_args(dependant.header_params, sent_headers)
            arguments.update(values)
            faults += map(fault_at, errors)
        if self._read_body is not None:
            name, body, body_faults = await self._read_body(exchange)
            arguments[name] = body
            faults += body_faults
        if faults:
            raise ValidationError.of(faults)
        if self.shape.exchange:
            arguments[self.shape.exchange] = exchange
        return arguments

    def _choose(
        self, exchange: Exchange, fields: Fields, sent: list[tuple[str, str]]
    ) -> tuple[list[tuple[str, str]], list[Fault]]:
        """Read `fields=` off what was sent; the rest, and what is wrong with it."""
        asked = [value for name, value in sent if name == "fields"]
        rest = sent if self._takes_fields else [each for each in sent if each[0] != "fields"]
        if not asked:
            return rest, []
        try:
            exchange.fields = fields.read(asked[-1])
            if self._was is not None and self._takes_fields:  # the newest version's fields are all needed
                rest = [each for each in rest if each[0] != "fields"]
        except ValidationError as error:
            return rest, list(error.faults)
        return rest, []

    async def _with_row(
        self, ctx: Ctx, exchange: Exchange, admission: Can, load: LoadRow, arguments: dict[str, Any]
    ) -> Any:
        """The row the path names, once it is the actor's to touch and what they mean to touch."""
        names = self.shape.row
        named = {name: arguments[name] for name in names}
        row = await load(ctx, **named)
        if not self._reads and conditional.is_asked(exchange) and not await self._held(ctx, exchange, row):
            row = await load(ctx, **named)
        for name in names - self.shape.wanted:
            del arguments[name]
        if admission.rule is not None and not admission.rule(ctx, row):
            raise AuthorizationError(code="ownership_denied")
        return row

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
                await admission.row(ctx, **{name: values[name] for name in self.shape.row})
        except (NexusError, KeyError):
            return False
        return True


def _nobody(exchange: Exchange) -> Identity:
    return Identity(Actor(ip=exchange.ip, agent=exchange.headers.get("user-agent")))
