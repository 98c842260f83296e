"""A browser without JavaScript: it keeps cookies, reads forms, sends them as they are, and follows where it is sent."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from nexuscore.kernel.testing import House

ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "ellipse", "rect"})


@dataclass(slots=True)
class Form:
    """A form as a page holds it."""

    id: str
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)

    def values(self, **given: str | list[str]) -> list[tuple[str, str]]:
        """What is sent: what the page put there, but for what somebody types."""
        kept = [(name, value) for name, value in self.fields if name not in given]
        for name, value in given.items():
            kept += [(name, each) for each in ([value] if isinstance(value, str) else value)]
        return kept


class Reader(HTMLParser):
    """What a page says, and its forms."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.broken: list[str] = []
        self._form: Form | None = None
        self._area: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in pairs}
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]  # just read
            self.open.append(tag)
        if tag == "a" and "href" in got:
            self.links.append(got["href"])
        if tag == "form":
            self._form = Form(got.get("id", ""), got.get("action", ""), got.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        name = got.get("name", "")
        if tag == "input" and name:
            self._form.kinds[name] = got.get("type", "text")
            if got.get("type") not in ("checkbox", "radio", "file") or "checked" in got:
                self._form.fields.append((name, got.get("value", "")))
        elif tag == "textarea":
            self._area = name
            self._form.fields.append((name, ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in got or not self._has(self._select)):
            self._form.fields = [each for each in self._form.fields if each[0] != self._select]
            self._form.fields.append((self._select, got.get("value", "")))

    def _has(self, name: str) -> bool:
        return self._form is not None and any(each == name for each, _ in self._form.fields)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.broken.append(f"</{tag}> closes {self.open[-1:] or 'nothing'} in line {self.getpos()[0]}")
        while self.open and self.open.pop() != tag:
            pass
        if tag == "form":
            self._form = None
        if tag == "textarea":
            self._area = None
        if tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self._form is not None:
            name, value = self._form.fields.pop()
            self._form.fields.append((name, value + data.removeprefix("\n")))
        elif data.strip() and not {"script", "style"} & set(self.open):
            self.said.append(" ".join(data.split()))


class Browser:
    """Somebody's browser."""

    def __init__(self, house: House, *, language: str = "en", **headers: str) -> None:
        self._house = house
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=house.app, client=("203.0.113.9", 40_000)),
            base_url="http://testserver",
            headers={"accept": ACCEPT, "accept-language": language, **headers},
        )
        self.answer: httpx2.Response | None = None

    async def open(self, path: str) -> "Browser":
        """Go to a page, and wherever it leads."""
        return await self._follow(await self.http.get(path))

    async def send(self, form: str, /, **given: str | list[str]) -> "Browser":
        """Fill in a form of this page and send it. `form` is its id, or a part of its action."""
        found = self.form(form)
        return await self._follow(await self.post(found.action or str(self.url), found.values(**given)))

    async def post(self, path: str, values: list[tuple[str, str]], **headers: str) -> httpx2.Response:
        """Send values to an address, and stay there."""
        data: dict[str, Any] = {}
        for name, value in values:
            data.setdefault(name, []).append(value)
        return await self.http.post(urljoin(str(self.url), path), data=data, headers=headers)

    async def _follow(self, answer: httpx2.Response) -> "Browser":
        for _ in range(5):
            if answer.status_code != 303:
                break
            answer = await self.http.get(urljoin(str(answer.request.url), answer.headers["location"]))
        self.answer = answer
        if self._house.jobs == "inline":
            await self._house.drain()
        return self

    def form(self, name: str) -> Form:
        """One of the page's forms."""
        forms = self.read.forms
        found = [form for form in forms if form.id == name] or [form for form in forms if form.action.endswith(name)]
        assert found, f"there is no form {name!r} in {[(each.id, each.action) for each in forms]}: {self.text}"
        return found[0]

    @property
    def read(self) -> Reader:
        """The page, read anew."""
        reader = Reader()
        reader.feed(self.html)
        return reader

    @property
    def html(self) -> str:
        """The page as it came."""
        return "" if self.answer is None else self.answer.text

    @property
    def text(self) -> str:
        """What the page says."""
        return "\n".join(self.read.said)

    @property
    def status(self) -> int:
        """The status of the page."""
        return 0 if self.answer is None else self.answer.status_code

    @property
    def url(self) -> str:
        """Where it is."""
        return "http://testserver/" if self.answer is None else str(self.answer.url)

    @property
    def at(self) -> str:
        """Its path."""
        return urlsplit(self.url).path
