"""The console in Chromium: nothing keeps anybody out, and the keyboard is enough.

The whole matrix (every page, three languages, two schemes, two widths) is for `make soak`; here each is seen once.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import Browser
from tests.serving import ROOT, environment, served

APP = "examples.main:app"
OUTSIDE = ("/console/sign-in", "/console/register", "/console/forgot-password", "/console/magic-link")
INSIDE = (
    *("", "/kit", "/search?q=a", "/account", "/security", "/sessions", "/api-keys", "/people", "/organisations"),
    *("/organisations/new", "/organisation", "/members", "/roles", "/roles/new", "/webhooks", "/webhooks/new"),
    *("/webhooks/deliveries", "/webhooks/events", "/audit", "/audit/everywhere", "/jobs", "/notes", "/notes/new"),
)
SOAK = os.environ.get("NEXUS_SOAK") == "1"
LOOKS = list(product(("en", "he", "pl"), ("light", "dark"), (390, 1440)))
PASSWORD = "Quiet-Harbour-41!"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server of the whole app, and its data."""
    data = tmp_path_factory.mktemp("console")
    with served(APP, data, 0, NEXUS_IDENTITY_SIGN_IN_PER_MINUTE="1000") as address:
        yield address, data


@pytest.fixture(scope="module")
def inside(started: Chrome, place: tuple[str, Path]) -> Browser:
    """The first admin, in an organisation of their own, by the link of the terminal and the pages alone."""
    address, data = place
    command = [sys.executable, "-m", "nexuscore.cli", "--app", APP, "--data", str(data), "identity", "bootstrap"]
    environ = environment(NEXUS_PUBLIC_URL=address)
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    token = re.search(r"token=([\w-]+)", said)
    assert token, said
    browser = Browser(started, address)
    browser.look(1440, "light")
    browser.open(f"/console/bootstrap?token={token[1]}")
    fill(browser, "#bootstrap", name="Ada Root", email="root@example.com", password=PASSWORD)
    browser.open("/console/organisations/new")
    fill(browser, "#organisation", name="Harbour Trading")
    return browser


def fill(browser: Browser, form: str, **fields: str) -> None:
    """Fill in a form and send it; the next page is there."""
    page = browser.driver.find_element(By.TAG_NAME, "html")
    for name, value in fields.items():
        browser.driver.find_element(By.CSS_SELECTOR, f"{form} [name={name}]").send_keys(value)
    browser.driver.find_element(By.CSS_SELECTOR, f"{form} .button.primary").click()
    WebDriverWait(browser.driver, 15).until(lambda _: gone(page))


def gone(element: object) -> bool:
    try:
        element.is_enabled()  # type: ignore[attr-defined]  # of an element
    except Exception:  # noqa: BLE001 - whatever a stale element raises
        return True
    return False


def findings(browser: Browser, path: str, language: str, scheme: str, width: int) -> list[str]:
    """What is wrong with a page as somebody sees it."""
    browser.look(width, scheme)
    browser.driver.add_cookie({"name": "nexus_language", "value": language, "path": "/"})
    browser.driver.get(browser.address + path)
    seen = f"{path} {language} {scheme} {width}: "
    fits = browser.driver.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    wrong = browser.barriers() + [said for said in browser.complaints() if "[DOM]" not in said]
    return [seen + each for each in wrong] + ([] if fits else [f"{seen}is wider than the screen"])


def test_nothing_keeps_anybody_out(inside: Browser) -> None:
    inside.complaints()
    wrong: list[str] = []
    for number, path in enumerate(INSIDE):
        for look in LOOKS if SOAK else [LOOKS[number % len(LOOKS)]]:
            wrong += findings(inside, f"/console{path}", *look)
    assert wrong == []


def test_the_door_is_open_to_everybody(started: Chrome, place: tuple[str, Path]) -> None:
    browser = Browser(started, place[0])
    browser.open("/console/sign-in")
    cookies = started.get_cookies()
    started.execute_cdp_cmd("Network.clearBrowserCookies", {})
    try:
        browser.complaints()
        wrong = [
            each
            for number, path in enumerate(OUTSIDE)
            for look in (LOOKS if SOAK else [LOOKS[(number * 5) % len(LOOKS)]])
            for each in findings(browser, path, *look)
        ]
        assert wrong == []
        assert browser.hosts() == {place[0].removeprefix("http://")}
    finally:
        started.execute_cdp_cmd("Network.clearBrowserCookies", {})
        for cookie in cookies:
            started.add_cookie(cookie)


def test_the_keyboard_is_enough(inside: Browser) -> None:
    inside.look(1440, "light")
    inside.driver.add_cookie({"name": "nexus_language", "value": "en", "path": "/"})
    inside.open("/console")
    page = inside.driver.find_element(By.TAG_NAME, "body")
    page.send_keys(Keys.TAB)
    assert inside.driver.switch_to.active_element.text == "Skip to the content"
    page.send_keys(Keys.CONTROL, "k")
    WebDriverWait(inside.driver, 5).until(lambda d: d.switch_to.active_element.get_attribute("id") == "palette-words")
    inside.driver.switch_to.active_element.send_keys("members", Keys.ENTER)
    WebDriverWait(inside.driver, 10).until(lambda d: d.current_url.endswith("/console/members"))
    inside.driver.find_element(By.CSS_SELECTOR, "[popovertarget=leave]").send_keys(Keys.ENTER)
    dialog = inside.driver.find_element(By.ID, "leave")
    assert dialog.is_displayed()
    inside.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    WebDriverWait(inside.driver, 5).until(lambda _: not dialog.is_displayed())


def test_typed_text_is_not_lost_by_a_slip(inside: Browser) -> None:
    inside.open("/console/notes/new")
    inside.driver.find_element(By.NAME, "title").send_keys("Precious")
    leaving = "const event = new Event('beforeunload', {cancelable: true}); window.dispatchEvent(event)"
    asked = f"{leaving}; return event.defaultPrevented"  # a driver answers the question itself, so we ask the page
    assert inside.driver.execute_script(asked)
    inside.driver.find_element(By.CSS_SELECTOR, "#note .button.primary").click()
    WebDriverWait(inside.driver, 10).until(lambda d: "The note is written." in d.page_source)
