"""What an endpoint's signature says: who may call it, the row the path names, its own parameters."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from sqlalchemy import Select, bindparam, select

from nexuscore.kernel.ctx import RowCtx
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.routes import SAME, Admission, Can, Operation, Public, SignedIn
from nexuscore.kernel.paging import PageQuery
from nexuscore.kernel.tables import Table


@dataclass(frozen=True, slots=True)
class Lock:
    """How a row is held until the transaction ends, and its version read: by the statement, with the row's `key`."""

    statement: Select[Any]
    key: str


def lock_of(kind: Any) -> Lock | None:
    """The lock of the rows a `RowCtx[Model]` holds; None for models without `updated_at`."""
    model = get_args(kind)[0] if get_origin(kind) is RowCtx else None
    if not (isinstance(model, type) and issubclass(model, Table) and hasattr(model, "updated_at")):
        return None
    (key,) = model.__table__.primary_key
    column = getattr(model, key.name)
    return Lock(select(model.updated_at).where(column == bindparam("row_key")).with_for_update(), key.name)


class Shape:
    """What an endpoint's signature says: its context, its row's parameters, its own."""

    def __init__(self, operation: Operation) -> None:
        endpoint = operation.endpoint
        hints = get_type_hints(endpoint, include_extras=True)
        parameters = inspect.signature(endpoint).parameters
        self.ctx = ""
        self.exchange = ""
        self.admission: Admission | None = None
        self.lock: Lock | None = None
        self.body: Any = None  # its type, as the endpoint takes it
        own: list[inspect.Parameter] = []
        for name, parameter in parameters.items():
            annotation = hints.get(name)
            marks = [a for a in get_args(annotation) if isinstance(a, Can | SignedIn | Public)]
            kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
            if marks:
                self.admission = marks[0]
                self.lock = lock_of(kind)
            if marks and kind is not Exchange:
                self.ctx = name
            elif kind is Exchange:
                self.exchange = name
            else:
                asked = _listed(annotation, kind, operation)
                if asked is kind and _is_body(kind):
                    self.body = kind
                    asked = kind if operation.body is SAME else operation.body
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


def _is_body(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


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
