"""Signing in through a real OpenID Connect provider, with a real browser: there and back, by its own pages."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import issuer
from tests.browser.conftest import Browser
from tests.docs.blocks import free_port
from tests.serving import served

PAGE = "/api/docs"
START = "/api/v1/auth/oauth/acme/start"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[str]:
    """A server with accounts, and the provider it trusts."""
    assert pytestconfig.cache is not None
    package = issuer.installed(pytestconfig.cache.mkdir(issuer.PACKAGE.replace("@", "-")))
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with issuer.serving(package, free_port(), f"{address}/api/v1/auth/oauth/acme/callback") as issued:
        provider = {"name": "acme", "issuer": issued, "client_id": issuer.CLIENT_ID, "client_secret": issuer.SECRET}
        settings = {"NEXUS_PUBLIC_URL": address, "NEXUS_IDENTITY_PROVIDERS": json.dumps([provider])}
        with served("tests.people:app", tmp_path_factory.mktemp("data"), port, **settings) as found:
            assert found == address
            yield address


@pytest.fixture
def browser(started: Chrome, people: str) -> Browser:
    """The browser, knowing nobody, on a page of ours."""
    started.execute_cdp_cmd("Network.clearBrowserCookies", {})
    found = Browser(started, people)
    found.look(1280, "light")
    found.open(PAGE)
    found.requests()
    return found


def ask(browser: Browser, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
    """What our server answers to the page that is open, with the browser's cookies."""
    script = """const [path, body, done] = arguments;
        const post = {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)};
        fetch(path, body ? post : {}).then(async (answer) => done([answer.status, await answer.json()]), done)"""
    status, answer = browser.driver.execute_async_script(script, path, body)
    return status, answer


def go_there(browser: Browser) -> None:
    """Begin in this browser, and follow to the provider."""
    status, begun = ask(browser, START, {"return_to": PAGE})
    assert status == 200, begun
    browser.driver.get(begun["url"])


def press(browser: Browser, text: str) -> None:
    """Press the button or link of the page that says so, and wait for the next page."""

    def look(_: object) -> WebElement | None:
        found = browser.driver.find_elements(By.CSS_SELECTOR, "button, a")
        return next((each for each in found if text in each.text), None)

    button = WebDriverWait(browser.driver, 15).until(look)
    assert button is not None
    page = browser.driver.find_element(By.TAG_NAME, "html").id
    button.click()
    WebDriverWait(browser.driver, 15).until(lambda d: d.find_element(By.TAG_NAME, "html").id != page)


def agree(browser: Browser, login: str) -> None:
    """Log in at the provider, and agree that it tells us."""
    WebDriverWait(browser.driver, 15).until(lambda d: d.find_elements(By.NAME, "login"))
    browser.driver.find_element(By.NAME, "login").send_keys(login)
    browser.driver.find_element(By.NAME, "password").send_keys("any")
    press(browser, "Sign-in")
    press(browser, "Continue")


def sign_in(browser: Browser, login: str) -> dict[str, Any]:
    """Sign in from a page of ours, and be back there: the account one has then."""
    go_there(browser)
    agree(browser, login)
    assert browser.driver.current_url == browser.address + PAGE
    status, me = ask(browser, "/api/v1/me")
    assert status == 200, me
    return dict(me)


def test_there_and_back_is_signed_in_by_a_cookie_no_page_can_read(browser: Browser) -> None:
    assert ask(browser, "/api/v1/me")[0] == 401
    me = sign_in(browser, "ada")
    assert (me["email"], me["name"]) == ("ada@example.com", "The ada")
    cookies = {each["name"]: each for each in browser.driver.get_cookies()}
    assert cookies["nexus_session"]["httpOnly"]
    assert cookies["nexus_session"]["sameSite"] == "Lax"
    assert "nexus_session" not in browser.driver.execute_script("return document.cookie")
    (linked,) = ask(browser, "/api/v1/me/oauth")[1]["data"]
    assert (linked["provider"], linked["email"]) == ("acme", "ada@example.com")


def test_the_next_time_it_is_the_same_account(browser: Browser) -> None:
    first = sign_in(browser, "grace")
    browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    assert sign_in(browser, "grace")["id"] == first["id"]


def test_an_address_the_provider_did_not_prove_is_not_ours_either(browser: Browser) -> None:
    assert sign_in(browser, "mallory")["email"] is None


def test_a_flow_somebody_else_began_signs_nobody_in(browser: Browser) -> None:
    """Hole 22: an attacker begins, and lures somebody to the address they were given."""
    lure = httpx2.post(browser.address + START, json={}, trust_env=False)
    browser.driver.get(lure.json()["url"])
    agree(browser, "victim")
    assert browser.driver.current_url == f"{browser.address}/console/sign-in?error=oauth_failed"
    browser.open(PAGE)
    assert ask(browser, "/api/v1/me")[0] == 401


def test_whoever_comes_back_a_second_time_is_not_signed_in_again(browser: Browser) -> None:
    sign_in(browser, "hedy")
    (back,) = {url for url in browser.requests() if "/oauth/acme/callback?" in url}
    browser.driver.delete_cookie("nexus_session")
    browser.driver.get(back)
    assert browser.driver.current_url == f"{browser.address}/console/sign-in?error=secret_invalid"
    browser.open(PAGE)
    assert ask(browser, "/api/v1/me")[0] == 401


def test_whoever_does_not_agree_is_back_at_our_sign_in(browser: Browser) -> None:
    go_there(browser)
    press(browser, "Cancel")
    assert browser.driver.current_url == f"{browser.address}/console/sign-in?error=oauth_failed"
