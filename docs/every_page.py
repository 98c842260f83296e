"""`make screenshots`: every page of the console, modules' too, as a small picture in docs/screens/every/."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import BROWSERS
from tests.browser.furniture import SUPPLIER, furnish
from tests.browser.pages import addresses
from tests.browser.person import receiving, somebody
from tests.serving import ROOT, serving

EVERY = ROOT / "docs" / "screens" / "every"


def main() -> None:
    """Start a server, furnish it, look at everything there is."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit("No Chromium is here. On Debian: apt-get install chromium")
    settings = {"NEXUS_ENV": "development", **SUPPLIER}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), 0, "--app", "examples.main:app", **settings) as server,
        sync_playwright() as playwright,
        receiving() as receiver,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--hide-scrollbars"])
        half = {"device_scale_factor": 0.5, "viewport": {"width": 1200, "height": 750}}
        with somebody(browser, server.address, **half) as ada:
            given = furnish(ada, server.first_link(), receiver)
            for at, page in addresses(ada, *given):
                if page is not None and page.is_page:
                    name = at.removeprefix("/console").strip("/").translate(str.maketrans("/", "-", "{}"))
                    ada.goes(page.path)
                    ada.page.screenshot(path=EVERY / f"{name or 'overview'}.png")
        browser.close()
    sys.stdout.write("docs/screens/every/\n")


if __name__ == "__main__":
    main()
