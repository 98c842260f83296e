"""A real server and a real Chromium that can reach nothing else."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser as Playing, sync_playwright
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.browser import axe
from tests.serving import served

TOKEN = "a-token-for-the-browser-test"
NOWHERE_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the notes and doors are."""
    with served("tests.browser.app:app", tmp_path_factory.mktemp("data"), NEXUS_DEV_TOKEN=TOKEN) as found:
        yield found


_NOBODYS = frozenset({"about", "data", "chrome", "chrome-untrusted", "chrome-extension"})  # the browser's own


@dataclass(slots=True)
class Browser:
    """Chromium on the server's pages, and what it complained about and asked for meanwhile."""

    driver: Chrome
    address: str

    def open(self, path: str) -> None:
        """Load a page afresh."""
        self.driver.get("about:blank")
        self.driver.get(self.address + path)

    def complaints(self) -> list[str]:
        """What the console says since it was last asked: errors, and violations of the content policy."""
        return [entry["message"] for entry in self._log("browser")]

    def hosts(self) -> set[str]:
        """The hosts that were asked for anything since anybody looked."""
        return {urlsplit(url).netloc for url in self.requests() if urlsplit(url).scheme not in _NOBODYS}

    def requests(self) -> list[str]:
        """The addresses that were asked for since anybody looked."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]

    def _log(self, name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]  # Selenium left it so
        return found

    def look(self, width: int, scheme: str) -> None:
        """Be a screen of that width, of somebody who likes it `light` or `dark`."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def barriers(self) -> list[str]:
        """What axe finds on the page that keeps somebody out."""
        self.driver.execute_script(axe.SCRIPT)
        return axe.told(self.driver.execute_async_script(f"{axe.RUN}.then(arguments[0])"))


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """The paths of the browser and of its driver. Without them: a failure in CI, elsewhere a skip."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "No Chromium with its driver is here. On Debian: apt-get install chromium chromium-driver"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return browser, driver


@pytest.fixture(scope="session")
def started(chromium: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests."""
    options = ChromeOptions()
    options.binary_location = chromium[0]
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        NOWHERE_ELSE,
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(chromium[1]))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(started: Chrome, address: str) -> Browser:
    """The browser, with nothing left of the test before."""
    found = Browser(started, address)
    found.open("/health/live")
    started.execute_script("sessionStorage.clear()")
    found.look(1280, "light")
    found.complaints()
    found.hosts()
    return found


@pytest.fixture(scope="module")
def playing(chromium: tuple[str, str]) -> Iterator[Playing]:
    """One Chromium for people who each have a context of their own in it. (Not for longer than a module: Playwright
    keeps an event loop running, beside which no asynchronous test could have its own.)"""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", NOWHERE_ELSE]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium[0], args=arguments)
        yield browser
        browser.close()
