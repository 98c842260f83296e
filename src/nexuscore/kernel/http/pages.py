"""Pages as a module's `pages.py` declares them: operations that answer HTML. `page_run.py` runs them.

pages = Pages("/notes")

@pages.get(title="Notes", nav=Nav("Build", icon="note"))
async def notes_page(ctx: CanRead, query: ListQuery) -> View:
    return View("notes.html", notes=await service.page(ctx, query))

@pages.post(shows=notes_page)
async def write_note_page(ctx: CanWrite, new: NewNote) -> Went:
    note = await service.create(ctx, new)
    return Went(f"/console/notes/{note.id}", say="The note is written.")
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlencode

from pydantic_core import from_json, to_json

from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Sent
from nexuscore.kernel.http.load import Priority
from nexuscore.kernel.http.routes import Operation, Routes
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.money import Money
from nexuscore.kernel.paging import Listing

if TYPE_CHECKING:
    from nexuscore.kernel.ctx import Ctx
    from nexuscore.kernel.http.page_run import PageRoute

CONSOLE = "/console"
WENT = "application/vnd.nexus.went+json"  # of a way that is kept with its form's key; no browser sees it
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Nav:
    """A page's place in the navigation. `group` and the page's title are texts; within a group, `order` decides."""

    group: str
    icon: str = "dot"
    order: int = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageOperation(Operation):
    """One page, or one form's action, as its module declared it."""

    title: str
    nav: Nav | None
    shows: Callable[..., Any] | None
    outdoors: bool


class Pages(Routes):
    """A module's pages under one prefix of the console. Those for `development` are not there in production."""

    def __init__(self, prefix: str, *, tag: str = "Pages", development: bool = False) -> None:
        super().__init__(CONSOLE + prefix, tag=tag, outside_api=True)
        self.development = development

    def get(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """A page. `title` names it, `nav` places it in the navigation; `outdoors`, it is for before one signs in."""
        return self._page("GET", path, **rest)

    def post(self, path: str = "", **rest: Any) -> Callable[[F], F]:
        """What a form does. `shows` is the page the form is on, which is shown again when something was wrong.

        With `once`, a form that is sent twice, as it was drawn, does one thing and leads to one place.
        """
        return self._page("POST", path, **rest)

    def _page(
        self,
        method: str,
        path: str,
        *,
        title: str = "",
        nav: Nav | None = None,
        shows: Callable[..., Any] | None = None,
        outdoors: bool = False,
        once: bool = False,
        errors: Sequence[type[NexusError]] = (),
        max_body: int | None = None,
        listing: Listing | None = None,
        limit: Limit | Sequence[Limit] = (),
        priority: Priority = "normal",
    ) -> Callable[[F], F]:
        def declare(endpoint: F) -> F:
            self.operations.append(
                PageOperation(
                    method=method,
                    path=self.prefix + path,
                    tag=self.tag,
                    endpoint=endpoint,
                    answer=None,
                    status=200,
                    errors=tuple(errors),
                    max_body=max_body,
                    needs_key=once,
                    unrepeatable=None if once else "a form is sent by a person",
                    replica=False,
                    outside_api=True,
                    listing=listing,
                    limits=(limit,) if isinstance(limit, Limit) else tuple(limit),
                    priority=priority,
                    title=title,
                    nav=nav,
                    shows=shows,
                    outdoors=outdoors,
                )
            )
            return endpoint

        return declare


class View(Reply):
    """A page to be drawn: one of the module's templates, and what it shows. JSON of a verb may be given as it is."""

    __slots__ = ("offers", "template", "title", "values")

    def __init__(self, template: str, *, title: str | None = None, status: int = 200, **values: Any) -> None:
        super().__init__(status)
        self.template = template
        self.title = title
        self.values = values
        self.offers: dict[str, Any] = {}

    def offer(self, place: str, thing: Any) -> "View":
        """Let other modules add to this page: `ui.more(place)` draws what they have to say of the thing it shows."""
        self.offers[place] = thing
        return self


class Went(Reply):
    """Where to go after a form did its work, and what to tell there. `say` is a text of the catalogues."""

    __slots__ = ("kind", "language", "params", "say", "to")

    def __init__(self, to: str, *, say: str = "", kind: Literal["done", "warning"] = "done", **params: object) -> None:
        super().__init__(303)
        self.to = to
        self.say = say
        self.kind = kind
        self.params = params
        self.language: str | None = None  # to read in from now on

    def keep(self) -> "Went":
        """The same with a body it can be made of again, for when the form is sent once more."""
        self.media = WENT
        kept = {"to": self.to, "say": self.say, "kind": self.kind, "language": self.language, "params": self.params}
        self.body = to_json(kept, fallback=str)
        return self

    @classmethod
    def kept(cls, reply: Reply) -> "Went":
        """The way that was kept."""
        held = from_json(reply.body)
        went = cls(held["to"], say=held["say"], kind=held["kind"], **held["params"])
        went.language = held["language"]
        return went

    @classmethod
    def with_query(cls, to: str, **query: str) -> "Went":
        """The same with a query of what is not empty."""
        given = {name: value for name, value in query.items() if value}
        return cls(f"{to}?{urlencode(given)}" if given else to)


@dataclass(slots=True)
class PageState:
    """What a request for a page carries besides: what the browser sent for the frame, and the form, if there is one."""

    query: dict[str, str]
    route: "PageRoute | None" = None
    path: dict[str, str] = field(default_factory=dict)
    language: str | None = None
    sent: Sent = field(default_factory=Sent)
    at: str = ""


class Frame(ABC):
    """The slot for what draws pages; without a filler there are none."""

    @abstractmethod
    def enter(self, exchange: Exchange) -> str | None:
        """The language somebody chose in this browser."""

    @abstractmethod
    def form_holds(self, exchange: Exchange, token: str) -> bool:
        """Whether a form of somebody who is not signed in came from a page that this browser was shown."""

    @abstractmethod
    async def draw(self, exchange: Exchange, route: "PageRoute", view: View) -> Reply:
        """The page."""

    @abstractmethod
    def lead(self, exchange: Exchange, went: Went) -> Reply:
        """The way to the next page."""

    @abstractmethod
    async def ask_who(self, exchange: Exchange, route: "PageRoute", error: NexusError, back: str) -> Reply:
        """The way to the sign-in, or to proving it again, and from there back; a form's input is kept meanwhile."""

    @abstractmethod
    async def recall(self, exchange: Exchange, draft: str) -> Sent | None:
        """The input that was kept."""

    @abstractmethod
    async def refuse(self, exchange: Exchange, error: NexusError) -> Reply:
        """A page that says what went wrong, with the frame around it."""

    @abstractmethod
    def fail(self, exchange: Exchange, error: NexusError) -> Reply:
        """The same when nothing works but this process."""


class Around(ABC):
    """The slot for what modules show around every page: `place` says where, `template` draws what `look` found."""

    place: ClassVar[Literal["start", "end", "menu"]]
    template: ClassVar[str]

    @abstractmethod
    async def look(self, ctx: "Ctx") -> dict[str, Any] | None:
        """What the template needs, or None to show nothing."""


class More(ABC):
    """The slot for what modules add to a page of another, at a place it offers: "invoices.invoice", for one.

    The module that owns the page does not know them; `template` draws what `look` found.
    """

    place: ClassVar[str]
    template: ClassVar[str]
    permission: ClassVar[str | None] = None

    @abstractmethod
    async def look(self, ctx: "Ctx", thing: Any) -> dict[str, Any] | None:
        """What the template needs to say of the thing the page shows, or None to add nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something a search found: what it is called, what kind of thing it is, where its page is, and what tells it
    from others of its name."""

    name: str
    kind: str
    href: str
    about: str = ""


class Finder(ABC):
    """The slot for modules whose things can be searched for by name, number or id.

    `permission` is that of the pages it leads to, and only who holds it is answered; None, whoever is signed in.
    """

    permission: ClassVar[str | None]

    @abstractmethod
    async def find(self, ctx: "Ctx", words: str) -> Sequence[Found]:
        """At most a handful of things these words mean, within what the context sees. Two letters at least."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the first page with what it was lately: `series` is oldest first.

    It is written as its reader's language writes numbers and money; a text stays as it is.
    """

    name: str
    value: int | float | Money | str
    series: Sequence[float] = ()
    note: str = ""
    href: str | None = None
    order: int = 50


class Figures(ABC):
    """The slot for modules that know numbers worth seeing first; `of` says whose they are."""

    permission: ClassVar[str | None] = None
    of: ClassVar[Literal["organisation", "platform"]] = "organisation"

    @abstractmethod
    async def figures(self, ctx: "Ctx") -> Sequence[Figure]:
        """The numbers now."""
