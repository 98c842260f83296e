"""Versions of the API: which there are, until when, and how an operation answers as it did in an older one.

    app = compose(
        modules,
        versions=(
            Version(1, date(2026, 1, 15), deprecated=date(2027, 3, 1), sunset=date(2028, 3, 1), changes="/changes/v2"),
            Version(2, date(2027, 3, 1)),
        ),
    )

There is one implementation, of the newest version. What an operation was before is said beside the schema that changed:
`Older(until=1, answer=..., downgrade=...)`.
"""

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import GenericAlias
from typing import Any, get_origin

from pydantic_core import from_json

from nexuscore.kernel import clock
from nexuscore.kernel.errors import NexusError, NotFoundError
from nexuscore.kernel.http.answers import Headers
from nexuscore.kernel.http.conditional import http_date
from nexuscore.kernel.http.routes import SAME, Older, Operation
from nexuscore.kernel.paging import Page

NOTICE = 6  # months from the announcement to the end
OVERLAP = 12  # months a version lives beside its successor
LISTED_AT = "/api/versions"


class VersionGone(NexusError):
    """The path is of a version of the API that has ended."""

    status = 410
    title = "Version gone"
    code = "version_gone"
    message = "This version of the API has ended. Use {successor}."


@dataclass(frozen=True, slots=True)
class Version:
    """One version: the days it came, was declared deprecated and ends, and where people read what changed after it."""

    number: int
    released: date
    deprecated: date | None = None
    sunset: date | None = None
    changes: str = LISTED_AT

    @property
    def name(self) -> str:
        """As it stands in a path."""
        return f"v{self.number}"

    @property
    def path(self) -> str:
        """What its operations' paths begin with."""
        return f"/api/{self.name}"


FIRST = Version(1, date(2026, 11, 1))


_NAMES = {b"deprecation": "Deprecation", b"sunset": "Sunset", b"link": "Link"}
_MEANINGS = {
    b"deprecation": {"description": "From when this version is deprecated, in seconds since 1970 (RFC 9745)."},
    b"sunset": {"description": "When this version ends (RFC 8594); from then on it answers 410."},
    b"link": {
        "description": "What changed after this version (`deprecation`), and the one that follows it"
        " (`successor-version`). Lists name the pages around this one besides (`next`, `prev`, `first`)."
    },
}


class Versions:
    """The versions of an app, the oldest first."""

    def __init__(self, versions: Sequence[Version] = ()) -> None:
        self.all = tuple(sorted(versions or (FIRST,), key=lambda each: each.number))
        after = [*self.all[1:], None]
        self._stages = {each.path: _Stage(each, then) for each, then in zip(self.all, after, strict=True)}
        self._plain = all(stage.is_plain for stage in self._stages.values())

    def faults(self) -> list[str]:
        """What is promised to callers and not kept by these dates."""
        faults = []
        for version, successor in zip(self.all, [*self.all[1:], None], strict=True):
            if successor is not None and successor.number != version.number + 1:
                faults.append(f"after {version.name} of the API comes v{version.number + 1}, not {successor.name}")
            if successor is not None and successor.released <= version.released:
                faults.append(f"{successor.name} of the API is not released after {version.name}")
            faults += _broken_promises(version, successor)
        return faults

    def current(self) -> Version:
        """The newest one that is released."""
        today = clock.now().date()
        return max((each for each in self.all if each.released <= today), default=self.all[0], key=lambda v: v.number)

    def named(self, name: str) -> Version:
        """The version called so in a path; `NotFoundError` when there is none yet."""
        for each in self.all:
            if each.name == name and self.state(each) != "planned":
                return each
        raise NotFoundError

    def state(self, version: Version) -> str:
        """Where it is in its life: planned, current, supported, deprecated or sunset."""
        today = clock.now().date()
        if version.released > today:
            return "planned"
        if version.sunset is not None and version.sunset <= today:
            return "sunset"
        if version.deprecated is not None and version.deprecated <= today:
            return "deprecated"
        return "current" if version == self.current() else "supported"

    def headers(self, path: str) -> Headers:
        """What every answer below `path` says of its version."""
        if self._plain:
            return []
        stage = self._stages.get("/".join(path.split("/", 3)[:3]))
        return [] if stage is None else stage.headers

    def described(self, version: Version | None) -> dict[str, dict[str, Any]]:
        """Those headers as the document describes them, by name, with what they say as the example."""
        stage = None if version is None else self._stages[version.path]
        said = [] if stage is None else stage.headers
        return {
            _NAMES[name]: {**_MEANINGS[name], "schema": {"type": "string"}, "example": value.decode("latin-1")}
            for name, value in said
        }

    def require_open(self, path: str) -> None:
        """Stop here when the version of `path` is not there yet, or no more."""
        stage = None if self._plain else self._stages.get("/".join(path.split("/", 3)[:3]))
        if stage is None:
            return
        now = clock.now()
        if now < stage.opens:
            raise NotFoundError
        if stage.closes is not None and now >= stage.closes:
            raise VersionGone(successor=stage.successor)


class _Stage:
    """What a version's dates mean for a request."""

    def __init__(self, version: Version, successor: Version | None) -> None:
        self.opens = _midnight(version.released)
        self.closes = None if version.sunset is None else _midnight(version.sunset)
        self.successor = LISTED_AT if successor is None else successor.path
        self.is_plain = version.deprecated is None and self.closes is None and successor is None
        self.headers: Headers = []
        if version.deprecated is not None:
            self.headers.append((b"deprecation", f"@{int(_midnight(version.deprecated).timestamp())}".encode()))
            links = f'<{version.changes}>; rel="deprecation", <{self.successor}>; rel="successor-version"'
            self.headers.append((b"link", links.encode("latin-1")))
        if self.closes is not None:
            self.headers.append((b"sunset", http_date(self.closes).encode()))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _broken_promises(version: Version, successor: Version | None) -> list[str]:
    if version.deprecated is None and version.sunset is None:
        return []
    if successor is None:
        return [f"{version.name} of the API cannot end: nothing comes after it"]
    if version.sunset is None:
        return []
    if version.deprecated is None:
        return [f"{version.name} of the API ends without notice: say when it is deprecated"]
    faults = []
    if version.sunset < months_after(version.deprecated, NOTICE):
        faults.append(f"{version.name} of the API ends on {version.sunset}, less than {NOTICE} months after its notice")
    if version.sunset < months_after(successor.released, OVERLAP):
        late = f"less than {OVERLAP} months after {successor.name} came"
        faults.append(f"{version.name} of the API ends on {version.sunset}, {late}")
    return faults


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


# --- operations as they were ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variant:
    """An operation as one version has it, and what stands between it and the newest."""

    operation: Operation
    upgrades: tuple[Callable[[Any], Any], ...] = ()
    downgrades: tuple[Callable[[Any], Any], ...] = ()

    def downgraded(self, body: bytes) -> Any:
        """What the newest version answers, as this one did."""
        value = from_json(body) if body else None
        for downgrade in self.downgrades:
            value = downgrade(value)
        return value


def variant(operation: Operation, version: int) -> Variant:
    """The operation as `version` has it."""
    changes = sorted((each for each in operation.older if each.until >= version), key=lambda each: each.until)
    was = operation
    for each in reversed(changes):
        was = replace(
            was,
            answer=was.answer if each.answer is SAME else _wrapped(was.answer, each),
            status=was.status if each.status is None else each.status,
            body=was.body if each.body is SAME else each.body,
        )
    return Variant(
        was,
        tuple(each.upgrade for each in changes if each.upgrade is not None),
        tuple(_each_row(operation.answer, each) for each in reversed(changes) if each.downgrade is not None),
    )


def _wrapped(newer: Any, older: Older) -> Any:
    """What was answered: a page or list of it, where the newest answers a page or list."""
    if _is_page(newer) and not _is_page(older.answer):
        page: Any = Page
        return page[older.answer]
    if get_origin(newer) is list and get_origin(older.answer) is not list:
        return GenericAlias(list, (older.answer,))
    return older.answer


def _each_row(newest: Any, older: Older) -> Callable[[Any], Any]:
    """The downgrade, for each row where a page or list of them is answered."""
    downgrade = older.downgrade
    assert downgrade is not None  # noqa: S101 - asked for by the caller
    if _is_page(newest) and not _is_page(older.answer):
        return lambda page: {**page, "data": [downgrade(row) for row in page["data"]]}
    if get_origin(newest) is list and get_origin(older.answer) is not list:
        return lambda rows: [downgrade(row) for row in rows]
    return downgrade


def _is_page(answer: Any) -> bool:
    return isinstance(answer, type) and issubclass(answer, Page)


def serves(operation: Operation, version: int) -> bool:
    """Whether a version has the operation."""
    return operation.since <= version and (operation.until is None or version <= operation.until)
