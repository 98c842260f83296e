"""`make screenshots`: pages of the console as small pictures in docs/screens/, from a server of its own."""

import base64
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from docs.screens_billing import SUPPLIER, bill
from tests.serving import ROOT, environment, served

APP = "examples.main:app"
SCREENS = ROOT / "docs" / "screens"
PASSWORD = "Quiet-Harbour-41!"  # noqa: S105 - of a person who lives for a minute
SHOWN = (  # name, path, width, scheme, language
    ("overview", "/console", 1200, "light", "en"),
    ("members", "/console/members", 1200, "light", "en"),
    ("roles", "/console/roles", 1200, "light", "en"),
    ("audit", "/console/audit", 1200, "dark", "en"),
    ("webhooks", "/console/webhooks", 1200, "light", "en"),
    ("event", "/console/webhooks/events/user.signed_in", 1200, "light", "en"),
    ("security-hebrew", "/console/security", 1200, "light", "he"),
    ("security-phone", "/console/security", 390, "light", "en"),
    ("notes-polish", "/console/notes", 1200, "light", "pl"),
    ("jobs", "/console/jobs", 1200, "dark", "en"),
    ("kit", "/console/kit", 1200, "light", "en"),
)
TOOLS = (  # of the platform, and for whoever develops
    ("inbox", "/console/inbox", 1200, "light", "en"),
    ("settings", "/console/settings?source=environment", 1200, "light", "en"),
    ("doctor", "/console/doctor", 1200, "dark", "en"),
    ("develop", "/console/develop", 1200, "light", "en"),
    ("outbox", "/console/develop/mail", 1200, "light", "he"),
    ("search", "/console/search?q=harbour", 1200, "light", "en"),
)
MONEY = (  # the organisation's, and the platform's
    ("plan", "/console/billing/plan", 1200, "light", "en"),
    ("plan-hebrew", "/console/billing/plan", 1200, "dark", "he"),
    ("usage", "/console/billing/usage", 1200, "light", "en"),
    ("fee", "/console/billing/platform/fee", 1200, "light", "pl"),
)


def main() -> None:
    """Start a server, fill it a little, look at it."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    options = ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
    ):
        options.add_argument(argument)
    with tempfile.TemporaryDirectory() as folder, served(APP, Path(folder), 0, **SUPPLIER) as address:
        driver = Chrome(options=options)
        try:
            _look(driver, address, "sign-in", "/console/sign-in", 1200, "light", "en")
            _fill(driver, address, Path(folder))
            payment = ("payment", _buy(driver, address), 1200, "light", "en")
            billed = bill(address, "root@example.com", PASSWORD)
            for name, path, width, scheme, language in (*SHOWN, *TOOLS, *MONEY, payment, *billed):
                _look(driver, address, name, path, width, scheme, language)
        finally:
            driver.quit()


def _fill(driver: Chrome, address: str, data: Path) -> None:
    command = [sys.executable, "-m", "nexuscore.cli", "--app", APP, "--data", str(data), "identity", "bootstrap"]
    environ = environment(NEXUS_PUBLIC_URL=address)
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    found = re.search(r"token=([\w-]+)", said)
    driver.get(f"{address}/console/bootstrap?token={found[1] if found else ''}")
    _send(driver, "#bootstrap", name="Ada Root", email="root@example.com", password=PASSWORD)
    driver.get(f"{address}/console/organisations/new")
    _send(driver, "#organisation", name="Harbour Trading")
    _send(driver, "#invite", email="bob@example.com")
    for title, tags in (("Meet the harbour master", "work"), ("Milk", "shop"), ("Ledger of November", "work")):
        driver.get(f"{address}/console/notes/new")
        _send(driver, "#note", title=title, tags=tags)
    for url in ("https://example.com/hooks/nexus", "https://ledger.example.com/events"):
        driver.get(f"{address}/console/webhooks/new")
        _send(driver, "#endpoint", url=url, description="Bookkeeping")
    driver.get(f"{address}/console/develop")
    _send(driver, 'form[action="/console/develop/seed"]')


def _buy(driver: Chrome, address: str) -> str:
    """Subscribe to a plan and pay it with a card of the stand-in; where the payment is."""
    driver.get(f"{address}/console/billing/plan/choose?plan=professional-month")
    driver.find_element(By.CSS_SELECTOR, "#subscribe [value=false]").click()
    _send(driver, "#subscribe")
    driver.find_element(By.CSS_SELECTOR, "#pay [name=keep_method][type=checkbox]").click()
    _send(driver, "#pay")
    return driver.current_url.removeprefix(address)


def _send(driver: Chrome, form: str, **fields: str) -> None:
    """Fill in a form and send it; the next page is there."""
    for name, value in fields.items():
        driver.find_element(By.CSS_SELECTOR, f"{form} [name={name}]").send_keys(value)
    button = driver.find_element(By.CSS_SELECTOR, f"{form} .button.primary")
    button.click()
    WebDriverWait(driver, 20, ignored_exceptions=[WebDriverException]).until(staleness_of(button))


def _look(driver: Chrome, address: str, name: str, path: str, width: int, scheme: str, language: str) -> None:
    size = {"width": width, "height": 750, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    driver.get(f"{address}/console/sign-in")
    driver.add_cookie({"name": "nexus_language", "value": language, "path": "/"})
    driver.get(address + path)
    picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (SCREENS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
    sys.stdout.write(f"docs/screens/{name}.png\n")


if __name__ == "__main__":
    main()
