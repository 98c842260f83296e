"""Passkeys in a real browser, with the authenticator Chromium brings for tests: no Python pretends to be either."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import Browser
from tests.docs.blocks import free_port
from tests.serving import ROOT, environment, served

APP = "tests.browser.passkeys:app"
PAGE = "/passkeys"
PASSWORD = "Quiet-Harbour-41!"


@dataclass(frozen=True, slots=True)
class Installation:
    """A running server, and its machine's command line."""

    address: str
    data: Path

    def make_account(self, email: str) -> None:
        """An account with a password, by the link for the machine's owner."""
        command = [sys.executable, "-m", "nexuscore.cli", "--app", APP, "--data", str(self.data)]
        environ = environment(NEXUS_PUBLIC_URL=self.address)
        said = subprocess.run(
            [*command, "identity", "bootstrap"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        ).stdout
        token = re.search(r"token=([\w-]+)", said)
        assert token, said
        given = {"token": token[1], "email": email, "password": PASSWORD, "name": "Root"}
        url = self.address.replace("localhost", "127.0.0.1") + "/api/v1/auth/bootstrap"
        assert httpx2.post(url, json=given, trust_env=False).status_code == 200


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server that calls itself localhost, since a passkey belongs to a name."""
    data, port = tmp_path_factory.mktemp("data"), free_port()
    address = f"http://localhost:{port}"
    with served(APP, data, port, NEXUS_PUBLIC_URL=address, NEXUS_IDENTITY_SIGN_IN_PER_MINUTE="100"):
        yield Installation(address, data)


@pytest.fixture
def email(people: Installation) -> str:
    """The login name of an account of one's own."""
    made = f"{uuid4().hex}@example.com"
    people.make_account(made)
    return made


@pytest.fixture
def browser(started: Chrome, people: Installation) -> Iterator[Browser]:
    """The browser on the page, knowing nobody, with a device that checks a finger."""
    options = VirtualAuthenticatorOptions(
        protocol=VirtualAuthenticatorOptions.Protocol.CTAP2,
        transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
    )
    started.add_virtual_authenticator(options)
    started.execute_cdp_cmd("Network.clearBrowserCookies", {})
    found = Browser(started, people.address)
    found.open(PAGE)
    found.complaints()
    yield found
    started.remove_virtual_authenticator()


def pressed(browser: Browser, button: str, **fields: str) -> str:
    """Fill in the fields, press the button: what the page says then."""
    for name, value in fields.items():
        box = browser.driver.find_element(By.ID, name)
        box.clear()
        box.send_keys(value)
    browser.driver.find_element(By.ID, button).click()
    said = browser.driver.find_element(By.TAG_NAME, "output")
    WebDriverWait(browser.driver, 15).until(lambda _: said.text not in ("", "…"))
    return said.text


def press(browser: Browser, button: str, **fields: str) -> Any:
    """The answer to what the button does, which must be none of a refusal."""
    said = pressed(browser, button, **fields)
    assert said.startswith(("{", "null")), f"{button}: {said}"
    return json.loads(said)


def refused(browser: Browser, button: str) -> str:
    """Why what the button does was refused: the code of our error, or the name of the browser's."""
    said = pressed(browser, button)
    assert not said.startswith(("{", "null")), f"{button}: {said}"
    return said


def sign_in(browser: Browser, email: str) -> str:
    """Sign in by the password, and by a passkey if that is asked for: the status."""
    return str(press(browser, "sign-in", email=email, password=PASSWORD)["status"])


def with_passkey(browser: Browser, email: str) -> Any:
    """Sign in by the password and add a passkey, then sign out: the passkey."""
    assert sign_in(browser, email) == "signed_in"
    added = press(browser, "add-passkey", name="Blue key")
    press(browser, "sign-out")
    return added


def test_added_once_it_signs_in_without_a_name(browser: Browser, email: str) -> None:
    added = with_passkey(browser, email)
    assert (added["name"], len(added["recovery_codes"])) == ("Blue key", 10)
    (kept,) = browser.driver.get_credentials()
    assert (kept.rp_id, kept.is_resident_credential) == ("localhost", True)
    signed_in = press(browser, "sign-in-by-passkey")
    assert (signed_in["status"], signed_in["access_token"]) == ("signed_in", None)
    cookies = {each["name"]: each for each in browser.driver.get_cookies()}
    assert cookies["nexus_session"]["httpOnly"]
    assert cookies["nexus_browser"]["httpOnly"]
    press(browser, "prove-again")
    assert browser.complaints() == []


def test_after_a_password_it_is_asked_for(browser: Browser, email: str) -> None:
    with_passkey(browser, email)
    assert sign_in(browser, email) == "signed_in"
    press(browser, "sign-out")
    browser.driver.set_user_verified(False)
    assert sign_in(browser, email) == "signed_in", "that it is there is enough"
    press(browser, "sign-out")
    assert refused(browser, "sign-in-by-passkey") == "NotAllowedError", "alone it must know who holds it"


def test_without_the_passkey_the_password_is_not_enough(browser: Browser, email: str) -> None:
    with_passkey(browser, email)
    browser.driver.remove_all_credentials()
    assert refused(browser, "sign-in") == "NotAllowedError"
    assert refused(browser, "prove-again") == "authentication_required"


def test_a_device_has_one_passkey_for_an_account(browser: Browser, email: str) -> None:
    with_passkey(browser, email)
    press(browser, "sign-in-by-passkey")
    assert refused(browser, "add-passkey") == "InvalidStateError"


def test_a_passkey_that_was_removed_signs_nobody_in(browser: Browser, email: str) -> None:
    added = with_passkey(browser, email)
    press(browser, "sign-in-by-passkey")
    script = """const [id, done] = arguments;
        const headers = {'X-CSRF-Token': document.cookie.match(/nexus_csrf=([^;]+)/)[1]};
        fetch(`/api/v1/me/passkeys/${id}`, {method: 'DELETE', headers}).then((answer) => done(answer.status));"""
    assert browser.driver.execute_async_script(script, added["id"]) == 204
    press(browser, "sign-out")
    assert refused(browser, "sign-in-by-passkey") == "passkey_refused"
    assert sign_in(browser, email) == "signed_in"
