"""The console as people meet it: a fresh installation, two of them in two browsers, from the first link to the trail.

One server for all, started as somebody starts it who has just installed it; nothing is done behind its back.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import time

import pyotp
import pytest
from playwright.sync_api import Browser, expect
from standardwebhooks import Webhook

from tests.browser import issuer
from tests.browser.furniture import SUPPLIER
from tests.browser.person import PASSWORD, Person, Receiver, receiving, somebody
from tests.docs.blocks import free_port
from tests.serving import Server, serving

Meeting = Callable[..., Person]


@dataclass(frozen=True, slots=True)
class House:
    """The installation, and where it looks for a provider."""

    server: Server
    provider_port: int

    @property
    def address(self) -> str:
        """Where it is; not the numbers that `nexus serve` prints."""
        return self.server.address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """`nexus serve`, which calls itself localhost since passkeys belong to a name, and knows one provider."""
    port, theirs = free_port(), free_port()
    address = f"http://localhost:{port}"
    provider = {"name": "acme", "label": "Acme", "issuer": f"http://127.0.0.1:{theirs}"}
    provider |= {"client_id": issuer.CLIENT_ID, "client_secret": issuer.SECRET}
    settings = {"NEXUS_ENV": "development", "NEXUS_PUBLIC_URL": address, **SUPPLIER}
    settings["NEXUS_IDENTITY_PROVIDERS"] = json.dumps([provider])
    with serving(tmp_path_factory.mktemp("story"), port, **settings) as server:
        yield House(server, theirs)


@pytest.fixture
def meet(house: House, playing: Browser) -> Iterator[Meeting]:
    """Somebody with a browser of their own; whatever it complained about fails the test."""

    def one(**settings: object) -> Person:
        return met.enter_context(somebody(playing, house.address, **settings))

    with ExitStack() as met:
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def test_from_the_first_link_to_the_trail(house: House, meet: Meeting, receiver: Receiver) -> None:
    ada, bob = meet(), meet()
    runs_the_installation(ada, house.server.first_link())
    founds_an_organisation(ada)
    joins_by_the_mail(ada, bob)
    is_given_a_role(ada, bob)
    comes_back_by_passkey(ada)
    sends_webhooks(ada, bob, receiver)
    pays_for_a_plan(ada, receiver)
    reads_the_trail(ada)


def runs_the_installation(ada: Person, link: str) -> None:
    ada.goes("/console/sign-in")
    ada.goes(link)
    ada.sends("bootstrap", name="Ada Root", email="ada@example.com", password=PASSWORD)
    expect(ada.page).to_have_url(f"{ada.address}/console")
    ada.goes("/console/people")
    ada.sees("ada@example.com", "Administrator")
    ada.goes(link)
    ada.presses("Make me the admin")
    ada.sees("This link or code does not work, or no longer.")


def founds_an_organisation(ada: Person) -> None:
    ada.goes("/console/organisations")
    ada.sees("No organisation yet")
    ada.presses("New organisation", "main")
    ada.sends("organisation", name="Harbour Trading", uen="12345")
    ada.sees("This is not a valid UEN.")
    assert ada.page.locator("#organisation-name").input_value() == "Harbour Trading", "what was typed is kept"
    ada.page.get_by_label("Registered for GST").check()
    ada.sends("organisation", uen="197401143C", gst_number="M90312345X")
    ada.sees("Harbour Trading is ready. Invite the others.")


def joins_by_the_mail(ada: Person, bob: Person) -> None:
    ada.sends("invite", email="bob@example.com", role="viewer")
    ada.sees("bob@example.com is invited.", "Take back")
    bob.goes(bob.mail("bob@example.com", "Harbour Trading"))
    bob.sees("Ada Root invites you to Harbour Trading")
    bob.presses("create one")
    assert bob.page.locator("#register-email").input_value() == "bob@example.com"
    bob.sends("register", name="Bob Stone", password=PASSWORD)
    bob.goes(bob.mail("bob@example.com", "Confirm your address"))
    bob.presses("Confirm my address")
    bob.sends("sign-in", email="bob@example.com", password=PASSWORD)
    bob.goes(bob.mail("bob@example.com", "Harbour Trading"))
    bob.presses("Join Harbour Trading")
    bob.sees("You have joined Harbour Trading.")
    if bob.button("Work here").count():
        bob.presses("Work here")
    bob.goes("/console/members")
    bob.sees("Bob Stone", "Ada Root")


def is_given_a_role(ada: Person, bob: Person) -> None:
    bob.goes("/console/webhooks")
    bob.sees("You do not have permission to do this.")
    ada.goes("/console/roles/new")
    for permission in ("organisation.read", "members.read", "webhooks.read", "webhooks.manage"):
        ada.page.locator(f"[value='{permission}']").check()
    ada.sends("role", name="Integrator")
    ada.sees("The role Integrator is made.")
    ada.goes("/console/members")
    row = ada.page.locator("li", has_text="Bob Stone")
    row.get_by_role("combobox").select_option(label="Integrator")
    with ada.page.expect_navigation():
        row.get_by_role("button", name="Change").click()
    ada.sees("The role is changed.")
    bob.waits_to_see("No endpoints yet")


def comes_back_by_passkey(ada: Person) -> None:
    ada.gets_a_passkey_device()
    ada.goes("/console/security")
    ada.page.locator("#passkey-name").fill("Ada's laptop")
    ada.presses("Add a passkey")
    ada.sees("Your recovery codes")
    ada.presses("I have kept them")
    ada.sees("Ada's laptop")
    ada.signs_out()
    ada.presses("Sign in with a passkey")
    expect(ada.page).to_have_url(f"{ada.address}/console")


def sends_webhooks(ada: Person, bob: Person, receiver: Receiver) -> None:
    receiver.status = 500
    bob.goes("/console/webhooks")
    bob.presses("New endpoint", "main")
    bob.sends("endpoint", url=receiver.url, description="Bookkeeping", filters="invitation.*\ninvoice.*")
    secret = bob.secret()
    bob.presses("I have kept it")
    bob.presses("Send a test")
    bob.waits_to_see("· 500")
    bob.sees("waiting")
    receiver.status = 204
    bob.presses("Try again now")
    bob.waits_to_see("delivered")
    headers, body = receiver.heard[-1]
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"

    receiver.status = 410
    ada.goes("/console/members")
    ada.sends("invite", email="carol@example.com", role="member")
    bob.presses(receiver.url, "main")
    bob.waits_to_see("It answered 410: it is gone.")
    receiver.status = 204
    bob.presses("Turn on")
    bob.confirms("recover", days="1")
    bob.sees("Deliveries begun anew")
    bob.presses("invitation.created", "#recent")
    bob.waits_to_see("delivered")
    assert json.loads(receiver.heard[-1][1])["type"] == "invitation.created"


def pays_for_a_plan(ada: Person, receiver: Receiver) -> None:
    ada.goes("/console/billing/plan")
    ada.sees("On trial")
    ada.presses("Choose Professional, S$99.00 a month")
    ada.sees("S$107.91")
    ada.page.get_by_text("The first invoice is made at once.").click()
    ada.sends("subscribe")
    ada.sees("Pay the first invoice, and the plan holds.", "Pay INV-")
    ada.sends("pay", card="pm_card_visa_chargeDeclinedInsufficientFunds")
    ada.sees("insufficient funds")
    ada.page.get_by_label("Keep the card for renewals").check()
    ada.sends("pay", card="pm_card_threeDSecure2Required")
    ada.sees("Your bank wants to see you")
    ada.presses("Go to your bank")
    ada.page.get_by_role("button", name="Approve").click()
    ada.page.wait_for_url(f"{ada.address}/console/billing/payments/*")
    ada.waits_to_see("RCT-")
    ada.presses("The invoice", "main")
    ada.sees("Tax Invoice", "paid")
    paper = ada.context.request.get(ada.address + str(ada.button("PDF", exact=True).get_attribute("href")))
    assert (paper.headers["content-type"], paper.body()[:5]) == ("application/pdf", b"%PDF-")
    assert b"%%EOF" in paper.body()[-32:]
    ada.goes("/console/billing/plan")
    ada.waits_to_see("active")
    ada.sees("Visa •••• 3220")
    heard = [json.loads(body)["type"] for _, body in receiver.heard]
    assert "invoice.paid" in heard, "and the endpoint was told"


def reads_the_trail(ada: Person) -> None:
    ada.goes("/console/audit")
    happened = (
        *("organisation.created", "invitation.created", "invitation.accepted", "member.added", "role.created"),
        *("member.role_changed", "webhook.endpoint_created", "webhook.disabled", "webhook.enabled"),
        *("subscription.created", "invoice.opened", "payment.failed", "payment.completed", "subscription.activated"),
    )
    for each in happened:
        ada.goes(f"/console/audit?type={each}")
        ada.presses(each, "#facts", exact=True)
        expect(ada.page.get_by_role("heading", level=1)).to_have_text(each)
    ada.goes("/console/audit/everywhere?type=user.*")
    ada.sees("user.registered", "user.passkey_added")
    ada.goes("/console/audit?type=access.denied")
    ada.sees("access.denied")


def test_a_second_factor_and_the_day_it_is_lost(meet: Meeting) -> None:
    eve = meet()
    eve.registers("Eve Lamp", "eve@example.com")
    eve.goes("/console/security")
    eve.presses("Set it up")
    app = pyotp.TOTP(eve.page.locator("main .code code").inner_text())
    eve.sends("totp", code="000000")
    eve.sees("This second factor is not right.")
    eve.sends("totp", code=app.now())
    codes = eve.page.locator(".secret code").inner_text().split()
    assert len(set(codes)) == 10
    eve.presses("I have kept them")
    for proof in ("code", "recovery"):
        eve.signs_out()
        eve.sends("sign-in", email="eve@example.com", password=PASSWORD)
        eve.sees("One more proof that it is you.")
        if proof == "code":
            eve.sends("code", code=app.at(int(time()) + 30))
        else:
            eve.page.get_by_text("I have lost my device").click()
            eve.sends("recovery", recovery_code=codes[0])
        expect(eve.page).to_have_url(f"{eve.address}/console")
    eve.goes("/console/security")
    eve.sees("Codes left: 9.")


def test_somebody_comes_through_a_provider(house: House, meet: Meeting, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    package = issuer.installed(pytestconfig.cache.mkdir(issuer.PACKAGE.replace("@", "-")))
    grace = meet()
    with issuer.serving(package, house.provider_port, f"{house.address}/api/v1/auth/oauth/acme/callback"):
        grace.goes("/console/sign-in?return_to=/console/account")
        grace.presses("Sign in with Acme")
        grace.page.locator("[name=login]").fill("grace")
        grace.page.locator("[name=password]").fill("any")
        grace.presses("Sign-in", exact=True)
        grace.presses("Continue", exact=True)
        grace.page.wait_for_url(f"{house.address}/console/account")
        grace.sees("Mail goes to grace@example.com.")


def test_the_keyboard_alone_is_enough(meet: Meeting) -> None:
    kim = meet()
    kim.registers("Kim Keys", "kim@example.com")
    kim.signs_out()
    keys = kim.page.keyboard
    keys.type("kim@example.com")
    keys.press("Tab")
    keys.type(PASSWORD)
    with kim.page.expect_navigation():
        keys.press("Enter")
    keys.press("Tab")
    assert kim.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    keys.press("Control+k")
    keys.type("api k")
    with kim.page.expect_navigation():
        keys.press("Enter")
    expect(kim.page).to_have_url(f"{kim.address}/console/api-keys")
    until_focus(kim, "Name")
    keys.type("A program")
    until_focus(kim, "Make the key")
    with kim.page.expect_navigation():
        keys.press("Enter")
    until_focus(kim, "I have kept it")
    with kim.page.expect_navigation():
        keys.press("Enter")
    until_focus(kim, "Revoke")
    keys.press("Enter")
    keys.press("Escape")
    assert kim.page.evaluate("document.activeElement.textContent.trim()") == "Revoke", "one is back where one was"
    keys.press("Enter")
    until_focus(kim, "Revoke")
    with kim.page.expect_navigation():
        keys.press("Enter")
    kim.sees("No keys yet")


def with_focus(somebody: Person, name: str) -> bool:
    """Whether what has the focus is called so."""
    found: bool = somebody.page.evaluate(
        """name => { const at = document.activeElement;
        const label = at.labels?.[0] ?? at; return label.textContent.trim() === name
            && (!document.querySelector('.dialog:popover-open') || at.closest('.dialog') !== null) }""",
        name,
    )
    return found


def until_focus(somebody: Person, name: str) -> None:
    """Press Tab until that has the focus."""
    for _ in range(60):
        somebody.page.keyboard.press("Tab")
        if with_focus(somebody, name):
            return
    pytest.fail(f"Tab does not lead to {name!r} on {somebody.page.url}")


def test_without_scripts_everything_can_be_done(meet: Meeting, receiver: Receiver) -> None:
    otto = meet(java_script_enabled=False)
    otto.registers("Otto Plain", "otto@example.com")
    otto.goes("/console/organisations/new")
    otto.sends("organisation", name="Plain Sailing")
    otto.sends("invite", email="rita@example.com", role="admin")
    otto.sees("rita@example.com is invited.")
    otto.confirms(str(otto.button("Take back").get_attribute("popovertarget")))
    otto.sees("The invitation is taken back.")
    receiver.status = 503
    otto.goes("/console/webhooks/new")
    otto.sends("endpoint", url="http://example.com/hook")
    otto.sees("Address")
    otto.sends("endpoint", url=receiver.url, filters="member.*")
    otto.presses("I have kept it")
    otto.presses("Send a test")
    otto.waits_to_see("· 503")
    receiver.status = 200
    otto.presses("Try again now")
    otto.waits_to_see("delivered")
    otto.goes("/console/webhooks/deliveries?state=failed")
    otto.sees("Nothing here.")
    otto.page.locator("[name=state]").select_option("delivered")
    otto.presses("Filter")
    otto.sees("webhook.test")


def test_what_was_typed_outlives_the_session(meet: Meeting) -> None:
    una, elsewhere = meet(), meet()
    una.registers("Una Form", "una@example.com")
    una.goes("/console/organisations/new")
    una.fills("organisation", name="Tide & Co")
    elsewhere.goes("/console/sign-in")
    elsewhere.sends("sign-in", email="una@example.com", password=PASSWORD)
    elsewhere.goes("/console/sessions")
    elsewhere.confirms("all")
    una.is_thrown_out()
    una.sends("organisation")
    expect(una.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    una.sends("sign-in", email="una@example.com", password=PASSWORD)
    una.sees("What you typed is still here. Please send it again.")
    assert una.page.locator("#organisation-name").input_value() == "Tide & Co"
    una.sends("organisation")
    una.sees("Tide & Co is ready.")
