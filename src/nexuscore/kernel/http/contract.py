"""What an operation promises in one version of the API: FastAPI's reading of its declaration, and ours.

It holds for every app that has the operation, so it is read once in a process: tests compose a thousand apps.
"""

import inspect
from functools import lru_cache

from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from nexuscore.kernel.http.answers import encoder
from nexuscore.kernel.http.bodies import body_reader
from nexuscore.kernel.http.describe import answered, documented_errors, extras
from nexuscore.kernel.http.encoding import bears_secrets
from nexuscore.kernel.http.fields import Fields
from nexuscore.kernel.http.parameters import Parameters
from nexuscore.kernel.http.routes import Operation
from nexuscore.kernel.http.shape import Shape
from nexuscore.kernel.http.versions import Variant, Version, variant
from nexuscore.kernel.paging import is_page

_KEPT = 2048  # contracts; the default app has some 400


class Contract(APIRoute):
    """An operation as it is called, answered and documented, whichever app it is in."""

    def __init__(self, declared: Operation, version: Version | None, *, check: bool) -> None:
        as_it_was = Variant(declared) if version is None else variant(declared, version.number)
        operation = as_it_was.operation
        shape = Shape(operation)
        admission = shape.admission
        super().__init__(
            ("" if version is None else version.path) + operation.path,
            shape.stub,
            methods=[operation.method],
            response_model=operation.answer,
            response_class=Response if operation.answer is None else JSONResponse,
            status_code=operation.status,
            tags=[operation.tag],
            operation_id=operation.endpoint.__name__,
            summary=operation.endpoint.__name__.replace("_", " ").capitalize(),
            description=inspect.getdoc(operation.endpoint),
            response_description=answered(operation),
            responses=documented_errors(operation, admission, ends=version is not None and version.sunset is not None),
            openapi_extra=extras(operation, admission),
            deprecated=True if version is not None and version.deprecated is not None else None,
        )
        self.declared = operation
        self.admission = admission
        self.version = version
        self.shape = shape
        self.bears_secrets = bears_secrets(operation.answer)
        self.upgrades = as_it_was.upgrades
        self._was = as_it_was if as_it_was.downgrades else None
        self._encode = encoder(declared.answer, check=check)
        self._encode_older = self._encode if self._was is None else encoder(operation.answer, check=check)
        self._in_path = Parameters(self.dependant.path_params)
        self._in_query = Parameters(self.dependant.query_params)
        self._read_body = body_reader(self)
        self._reads = operation.method == "GET"
        self._fields = Fields.of(operation.answer) if self._reads else None
        self._pages = self._reads and self._was is None and is_page(declared.answer)
        self._takes_fields = "fields" in self._in_query.names  # itself, as lists do


@lru_cache(maxsize=_KEPT)
def contract(declared: Operation, version: Version | None, *, check: bool) -> Contract:
    """The contract of an operation in a version; with `check`, its answers are held against their schema."""
    return Contract(declared, version, check=check)
