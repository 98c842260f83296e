"""Somebody at a browser of their own, who reads pages, fills in forms and presses what they see."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

PASSWORD = "Quiet-Harbour-41!"
_REFUSED = re.compile(r"^Failed to load resource: the server responded with a status of 4\d\d")  # a form was wrong


@dataclass(slots=True)
class Person:
    """A browser with cookies of its own, and what it complained about."""

    context: BrowserContext
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)  # addresses of pages no other leads to

    def goes(self, path: str) -> None:
        """Open a page by its address, and have it whole."""
        self.page.goto(path if path.startswith("http") else self.address + path, wait_until="load")

    def fills(self, form: str, **fields: str) -> None:
        """Type into a form, or choose in it; `send` sends it."""
        for name, value in fields.items():
            box = self.page.locator(f"#{form} [name='{name}']:not([type=hidden])")
            if box.evaluate("field => field.localName") == "select":
                box.select_option(value)
            else:
                box.fill(value)

    def sends(self, form: str, **fields: str) -> None:
        """Fill in a form and send it; the next page is there."""
        self.fills(form, **fields)
        with self.page.expect_navigation():
            self.page.locator(f"#{form} .actions button").first.click()

    def presses(self, name: str, within: str = "body", *, exact: bool = False) -> None:
        """Press the button, or follow the link, of that name; the next page is there."""
        with self.page.expect_navigation():
            self.button(name, within, exact=exact).click()

    def confirms(self, dialog: str, **fields: str) -> None:
        """Open a question, and answer it with yes."""
        self.page.locator(f"[popovertarget='{dialog}']").first.click()
        for name, value in fields.items():
            self.page.locator(f"#{dialog} [name='{name}']").fill(value)
        with self.page.expect_navigation():
            self.page.locator(f"#{dialog} .actions .button").last.click()

    def button(self, name: str, within: str = "body", *, exact: bool = False) -> Locator:
        """The first button or link of that name one can see."""
        place = self.page.locator(within)
        found = place.get_by_role("button", name=name, exact=exact).or_(
            place.get_by_role("link", name=name, exact=exact)
        )
        return found.locator("visible=true").first

    def sees(self, *texts: str) -> None:
        """Each text is on the page."""
        for text in texts:
            expect(self.page.locator("main").get_by_text(text).locator("visible=true").first).to_be_visible()

    def waits_to_see(self, text: str, seconds: float = 20) -> None:
        """Look at the page again until it says so."""
        until = time.monotonic() + seconds
        while not self.page.locator("main").get_by_text(text).locator("visible=true").count():
            assert time.monotonic() < until, f"no {text!r} on {self.page.url}:\n{self.page.inner_text('main')}"
            time.sleep(0.1)
            self.page.reload()

    def asks(self, method: str, path: str, body: Any = None, status: int = 2) -> Any:
        """What the API answers to this browser, for what there is no need to click through."""
        token = next((each["value"] for each in self.context.cookies() if each["name"] == "nexus_csrf"), "")
        answer = self.context.request.fetch(
            f"{self.address}/api/v1{path}",
            method=method,
            data=body,
            headers={"x-csrf-token": token, "idempotency-key": uuid4().hex},
        )
        assert answer.status // 100 == status, f"{method} {path}: {answer.status} {answer.text()}"
        return answer.json() if answer.body() else None

    def secret(self) -> str:
        """What the page shows this once."""
        return self.page.locator(".secret code").inner_text()

    def mail(self, to: str, subject: str) -> str:
        """The link of a mail to somebody, from the page where a developer reads what was sent."""
        inbox = self.context.new_page()
        until = time.monotonic() + 20
        mails = inbox.locator("tr", has_text=to).filter(has_text=subject)
        inbox.goto(f"{self.address}/dev/mail")
        while not mails.count():
            assert time.monotonic() < until, f"no {subject!r} to {to}:\n{inbox.inner_text('body')}"
            time.sleep(0.1)
            inbox.reload()
        inbox.goto(self.address + str(mails.first.get_by_role("link").get_attribute("href")))
        link = inbox.locator("ul a").first.get_attribute("href")
        inbox.close()
        assert link is not None
        return link

    def registers(self, name: str, email: str, then: str = "/console") -> None:
        """Make an account at the door, prove the address by the mailed link, and sign in."""
        self.goes(f"/console/register?return_to={then}")
        self.sends("register", name=name, email=email, password=PASSWORD)
        self.goes(self.mail(email, "Confirm your address"))
        self.presses("Confirm my address")
        self.sends("sign-in", email=email, password=PASSWORD)

    def signs_out(self) -> None:
        """By the corner of the page."""
        self.page.locator("[popovertarget=me]").click()
        self.presses("Sign out", "#me")

    def is_thrown_out(self) -> None:
        """Until this browser's session is over everywhere, as another tab of it sees."""
        tab = self.context.new_page()
        until = time.monotonic() + 10
        while "/sign-in" not in tab.url:
            assert time.monotonic() < until, "the session goes on"
            tab.goto(f"{self.address}/console")
        tab.close()

    def gets_a_passkey_device(self) -> None:
        """Chromium's own authenticator for tests, with a finger on it."""
        protocol = self.context.new_cdp_session(self.page)
        protocol.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
        able = dict.fromkeys(("hasResidentKey", "hasUserVerification", "isUserVerified"), True)
        protocol.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, **able}})


@contextmanager
def somebody(browser: Browser, address: str, **settings: Any) -> Iterator[Person]:
    """A person with a browser of their own; that nothing broke in it meanwhile is checked at the end."""
    context = browser.new_context(**{"locale": "en-SG", **settings})
    context.set_default_timeout(15_000)
    person = Person(context, context.new_page(), address)

    def hear(page: Page) -> None:
        page.on("pageerror", lambda error: person.complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: (
                person.complaints.append(f"{page.url}: {said.text}")
                if said.type in ("error", "warning") and _ours(page.url, said.text)
                else None
            ),
        )

    def _ours(url: str, text: str) -> bool:
        return url.startswith(address) and not _REFUSED.match(text)  # a provider's pages are its own affair

    hear(person.page)
    try:
        yield person
        assert person.complaints == [], "\n".join(person.complaints)
    finally:
        context.close()


@dataclass(slots=True)
class Receiver:
    """Somebody's server for webhooks: it answers with `status`, and keeps what it was sent."""

    url: str = ""
    status: int = 200
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """To nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
