"""Operations as a module's `routes.py` declares them. `run.py` runs them.

routes = Routes("/notes", tag="Notes")
CanWrite = Annotated[Ctx, Can("notes.write")]

@routes.post("", answer=NoteOut, status=201)
async def create_note(ctx: CanWrite, new: NewNote) -> Note:
    return await service.create(ctx, new)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from nexuscore.kernel.access import Permission, Rule
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.load import Priority
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.paging import Listing

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
LoadRow = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Can:
    """The permission a context parameter asks for, written in its type.

    `row` loads the row the path names, with the path's parameters, as `ctx.row`; `rule` then says
    whether this actor may touch that row. A row of another organisation is a row that is not there.
    With `fresh`, the actor must have proved who they are a moment ago.
    """

    permission: Permission | str
    row: LoadRow | None = None
    rule: Rule | None = None
    fresh: bool = False

    @property
    def name(self) -> str:
        """The permission's name, as it is declared in a manifest."""
        return self.permission if isinstance(self.permission, str) else self.permission.name


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A context anybody may have who says who they are; `fresh`, if they did so a moment ago."""

    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Public:
    """A context for everybody; the reason is shown beside the operation."""

    reason: str


Admission = Can | SignedIn | Public
SAME: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """How an operation was in the versions of the API up to `until`, as far as it was not as it is now.

    `body` and `answer` are the schemas of then. `upgrade` makes the newer body of an older one (or its fields),
    `downgrade` the older answer of the newer one's JSON; where a page or a list is answered, of each of its rows.
    """

    until: int
    body: Any = SAME
    upgrade: Callable[[Any], Any] | None = None
    answer: Any = SAME
    downgrade: Callable[[Any], Any] | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation as its module declared it."""

    method: str
    path: str
    tag: str
    endpoint: Callable[..., Awaitable[Any]]
    answer: Any
    status: int
    errors: tuple[type[NexusError], ...]
    max_body: int | None
    needs_key: bool
    unrepeatable: str | None
    replica: bool
    outside_api: bool
    media: tuple[str, ...] = ()
    also: Mapping[int, str] = field(default_factory=dict)
    listing: Listing | None = None
    limits: tuple[Limit, ...] = ()
    unlimited: str | None = None
    priority: Priority = "normal"
    unidentified: bool = False
    since: int = 1
    until: int | None = None
    older: tuple[Older, ...] = ()
    body: Any = SAME  # instead of the one in the signature, which is the newest version's


class Routes:
    """A module's operations under one prefix of the API.

    `about` says what `tag` stands for, in the documentation; without it, the package's own words do. `unlimited` says
    why they have no limits but those they name.
    """

    def __init__(
        self, prefix: str, *, tag: str, about: str = "", outside_api: bool = False, unlimited: str | None = None
    ) -> None:
        self.prefix = prefix
        self.tag = tag
        self.about = about
        self.outside_api = outside_api
        self.unlimited = unlimited
        self.operations: list[Operation] = []

    def get(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A read."""
        return self._operation("GET", path, **rest)

    def post(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A creation or an act."""
        return self._operation("POST", path, **rest)

    def patch(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A change of some fields."""
        return self._operation("PATCH", path, **rest)

    def put(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A replacement."""
        return self._operation("PUT", path, **rest)

    def delete(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A removal; answers 204 unless it says otherwise."""
        return self._operation("DELETE", path, **{"status": 204, **rest})

    def _operation(
        self,
        method: str,
        path: str,
        *,
        answer: Any = None,
        status: int = 200,
        errors: Sequence[type[NexusError]] = (),
        max_body: int | None = None,
        needs_key: bool = False,
        unrepeatable: str | None = None,
        listing: Listing | None = None,
        limit: Limit | Sequence[Limit] = (),
        priority: Priority = "normal",
        unidentified: bool = False,
        replica: bool = False,
        since: int = 1,
        until: int | None = None,
        older: Sequence[Older] = (),
        media: str | Sequence[str] = (),
        also: Mapping[int, str] = MappingProxyType({}),
    ) -> Callable[[F], F]:
        def declare(endpoint: F) -> F:
            self.operations.append(
                Operation(
                    method=method,
                    path=self.prefix + path,
                    tag=self.tag,
                    endpoint=endpoint,
                    answer=answer,
                    status=status,
                    errors=tuple(errors),
                    max_body=max_body,
                    needs_key=needs_key,
                    unrepeatable=unrepeatable,
                    replica=replica and method == "GET",
                    media=(media,) if isinstance(media, str) else tuple(media),
                    also=also,
                    outside_api=self.outside_api,
                    listing=listing,
                    limits=(limit,) if isinstance(limit, Limit) else tuple(limit),
                    unlimited=self.unlimited,
                    priority=priority,
                    unidentified=unidentified,
                    since=since,
                    until=until,
                    older=tuple(older),
                )
            )
            return endpoint

        return declare
