"""The documentation page, as somebody with a browser, a keyboard or a phone meets it."""

from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import TOKEN, Browser

DOCS = "/api/docs"


def wait_for(browser: Browser, css: str, text: str = "") -> WebElement:
    """The first element that matches and says `text`, once it is there."""

    def look(_: object) -> WebElement | None:
        found = browser.driver.find_elements(By.CSS_SELECTOR, css)
        return next((each for each in found if text in each.text and each.is_displayed()), None)

    element = WebDriverWait(browser.driver, 10).until(look)
    assert element is not None
    return element


def shown_operations(browser: Browser) -> list[str]:
    return [each.text.splitlines()[1] for each in browser.driver.find_elements(By.CSS_SELECTOR, "#list a")]


def open_operation(browser: Browser, name: str) -> None:
    browser.open(f"{DOCS}#/{name}")
    wait_for(browser, "h1", name.replace("_", " ").capitalize())


def test_an_operation_is_found_read_and_tried(browser: Browser) -> None:
    browser.open(DOCS)
    wait_for(browser, "h1", "NexusCore API")
    assert len(shown_operations(browser)) == 7
    wait_for(browser, "#search").send_keys("write note post")
    assert shown_operations(browser) == ["Create note", "Restore note"]
    assert wait_for(browser, "#found").text == "2 of 7"
    wait_for(browser, "#list a", "Create note").click()
    wait_for(browser, "h1", "Create note")
    assert "Needs notes.write. Write, change and delete notes." in wait_for(browser, ".access").text
    assert wait_for(browser, ".fields", "title").text.startswith("title\nstring\nrequired\n1 to 200 characters")
    assert "validation_failed" in wait_for(browser, ".errors").text

    wait_for(browser, "#try-Bearer-token").send_keys(TOKEN)
    body = wait_for(browser, "#try-body")
    body.clear()
    body.send_keys('{"title": "It\'s milk", "tags": ["shop"]}')
    wait_for(browser, ".send").click()
    assert wait_for(browser, ".verdict", "201").text.startswith("201 Created")
    assert '"title": "It\'s milk"' in wait_for(browser, ".outcome pre").text
    wait_for(browser, ".outcome summary").click()
    assert "x-request-id" in wait_for(browser, ".outcome dl").text

    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(browser.address).netloc}


def test_a_request_elsewhere_would_be_noticed(browser: Browser) -> None:
    browser.open(DOCS)
    wait_for(browser, "h1")
    browser.driver.execute_script("new Image().src = 'http://elsewhere.test/pixel.png'")
    WebDriverWait(browser.driver, 10).until(lambda _: any("elsewhere" in said for said in browser.complaints()))


def test_curl_says_the_same_without_the_token(browser: Browser) -> None:
    open_operation(browser, "create_note")
    wait_for(browser, "#try-Bearer-token").send_keys(TOKEN)
    body = wait_for(browser, "#try-body")
    body.clear()
    body.send_keys('{"title": "It\'s"}')
    said = wait_for(browser, "pre[aria-label='curl command']").text
    assert said == (
        f"curl -X POST '{browser.address}/api/v1/notes' \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        "  -d '{\"title\": \"It'\\''s\"}'"
    )


def test_the_token_stays_in_the_tab(browser: Browser) -> None:
    open_operation(browser, "list_notes")
    wait_for(browser, "#try-Bearer-token").send_keys(TOKEN)
    wait_for(browser, "#try-limit").send_keys("5")
    open_operation(browser, "list_notes")
    assert wait_for(browser, "#try-Bearer-token").get_attribute("value") == TOKEN
    assert browser.driver.execute_script("return [localStorage.length, document.cookie]") == [0, ""]
    browser.driver.switch_to.new_window("tab")
    try:
        open_operation(browser, "list_notes")
        assert wait_for(browser, "#try-Bearer-token").get_attribute("value") == ""
    finally:
        browser.driver.close()
        browser.driver.switch_to.window(browser.driver.window_handles[0])


def test_what_everybody_may_asks_for_no_token(browser: Browser) -> None:
    open_operation(browser, "list_doors")
    assert wait_for(browser, ".access").text == "Everybody. Doors are on the street."
    assert browser.driver.find_elements(By.ID, "try-Bearer-token") == []
    assert "Authorization" not in wait_for(browser, "pre[aria-label='curl command']").text
    assert (
        'choice\nin query\nThe colour.\n"red", "green", default "green"\n'
        in wait_for(browser, ".fields", "colour").text
    )
    assert "The fields of Door, as above." in wait_for(browser, ".fields", "behind").text
    wait_for(browser, "#try-colour").send_keys("red")
    wait_for(browser, ".send").click()
    assert '"colour": "red"' in wait_for(browser, ".outcome pre").text
    assert browser.complaints() == []


def test_a_refusal_is_shown_as_it_came(browser: Browser) -> None:
    open_operation(browser, "read_note")
    wait_for(browser, "#try-note_id").send_keys("not-a-uuid")
    wait_for(browser, ".send").click()
    assert '"error_code": "authentication_required"' in wait_for(browser, ".outcome pre").text
    assert wait_for(browser, ".verdict").text.startswith("401")


def test_what_is_missing_or_no_json_is_not_sent(browser: Browser) -> None:
    open_operation(browser, "change_note")
    wait_for(browser, ".send").click()
    assert browser.driver.switch_to.active_element.get_attribute("id") == "try-note_id"
    wait_for(browser, "#try-note_id").send_keys("00000000-0000-0000-0000-000000000000")
    wait_for(browser, "#try-body").send_keys("}")
    wait_for(browser, ".send").click()
    message = wait_for(browser, "#try-body").get_attribute("validationMessage")
    assert message is not None
    assert message.startswith("This is not JSON")
    assert wait_for(browser, ".try").find_element(By.CSS_SELECTOR, ".verdict").text == ""


def test_the_keyboard_is_enough(browser: Browser) -> None:
    browser.open(DOCS)
    wait_for(browser, "h1")
    page = browser.driver.find_element(By.TAG_NAME, "body")
    page.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Skip to the content"
    page.send_keys(Keys.CONTROL, "k")
    WebDriverWait(browser.driver, 5).until(lambda d: d.switch_to.active_element.get_attribute("id") == "search")
    browser.driver.switch_to.active_element.send_keys("restore", Keys.ENTER)
    heading = wait_for(browser, "h1", "Restore note")
    WebDriverWait(browser.driver, 5).until(lambda d: d.switch_to.active_element == heading)
    assert wait_for(browser, "#list a[aria-current=page]").text.splitlines()[1] == "Restore note"


def test_the_type_of_a_problem_leads_to_its_row(browser: Browser) -> None:
    browser.open("/docs/errors#not_found")
    wait_for(browser, "h1", "Errors")
    assert wait_for(browser, "[aria-current=true]").text.startswith("404 not_found")
    assert browser.driver.current_url == f"{browser.address}{DOCS}#not_found"


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (390, "dark"), (800, "light"), (1200, "dark"), (1440, "light")]
)
def test_every_page_fits_and_keeps_nobody_out(browser: Browser, width: int, scheme: str) -> None:
    browser.look(width, scheme)
    for path, heading in (
        (DOCS, "NexusCore API"),
        (f"{DOCS}#/list_notes", "List notes"),
        (f"{DOCS}#/change_note", "Change note"),
        (f"{DOCS}#/errors", "Errors"),
    ):
        browser.open(path)
        wait_for(browser, "h1", heading)
        assert browser.barriers() == []
        page = "document.documentElement"
        assert browser.driver.execute_script(f"return {page}.scrollWidth <= {page}.clientWidth")
    assert browser.complaints() == []
