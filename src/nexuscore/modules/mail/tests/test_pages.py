"""/dev/mail: readable by whoever develops, harmless whatever a mail holds, and not there in production."""

import re
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.testing import Client, House
from nexuscore.modules import mail
from nexuscore.modules.mail.tests.probe import Hello, Script
from nexuscore.modules.mail.tests.test_rendering import HOSTILE, Tags

pytestmark = pytest.mark.anyio
PRODUCTION = {
    "NEXUS_ENV": "production",
    "NEXUS_SECRET_KEY": "3vB9xQ7tLm2ZpR8wKd5Yh1Nc6Jf4Gs0A",
    "NEXUS_PUBLIC_URL": "https://app.acme.test",
    "NEXUS_MAIL_SMTP_HOST": "smtp.acme.test",
    "NEXUS_MAIL_FROM_ADDRESS": "hello@acme.com",
}


@pytest.fixture
def settings(env: dict[str, str]) -> dict[str, str]:
    return env


@pytest.fixture
def env() -> dict[str, str]:
    return {}


async def sent(house: House, name: str = "Alice", locale: str = "en") -> UUID:
    async with house.context() as ctx:
        mail_id = await mail.send(ctx, Hello(name=name), to="alice@example.com", locale=locale)
    await house.drain()
    return mail_id


async def test_the_newest_mails_are_listed(house: House, nobody: Client) -> None:
    assert "nexus mail test you@example.com" in (await nobody.get("/dev/mail")).text
    first, second = await sent(house), await sent(house, "Bob")
    page = await nobody.get("/dev/mail")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.index(str(second)) < page.text.index(str(first))
    assert "Hello Bob" in page.text
    assert "Mail goes to: outbox." in page.text


async def test_a_mail_is_shown_with_its_text_links_html_and_source(house: House, nobody: Client) -> None:
    mail_id = await sent(house)
    page = (await nobody.get(f"/dev/mail/{mail_id}")).text
    assert "<h1><bdi>Hello Alice</bdi></h1>" in page
    assert "alice@example.com" in page
    assert '<a href="https://app.example.com/verify?token=t" rel="noopener noreferrer">' in page
    assert f'<iframe src="/dev/mail/{mail_id}/html" sandbox=""' in page
    assert "Hello Alice\n\n123456\n" in page
    html = await nobody.get(f"/dev/mail/{mail_id}/html")
    assert html.text.startswith("<!doctype html><html lang=")
    source = await nobody.get(f"/dev/mail/{mail_id}/source")
    assert source.headers["content-type"] == "text/plain; charset=utf-8"
    assert source.text.startswith("From: NexusCore <no-reply@example.com>\r\nTo: alice@example.com\r\n")


async def test_a_page_may_do_nothing_but_show_itself(house: House, nobody: Client) -> None:
    mail_id = await sent(house)
    for path in ("/dev/mail", f"/dev/mail/{mail_id}"):
        answer = await nobody.get(path)
        [policy] = answer.headers.get_list("content-security-policy")
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers.get_list("x-frame-options") == ["DENY"]
        assert re.findall(r'(?:src|href)="(?!/dev/mail|https://app\.example\.com)', answer.text) == []
    html = await nobody.get(f"/dev/mail/{mail_id}/html")
    [policy] = html.headers.get_list("content-security-policy")
    assert policy == (
        "base-uri 'none'; form-action 'none'; default-src 'none'; sandbox; style-src 'unsafe-inline';"
        " img-src data:; frame-ancestors 'self'"
    )
    assert html.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    style = await nobody.get("/dev/mail/style.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


async def test_a_hostile_name_stays_text_on_every_page(house: House, nobody: Client) -> None:
    plain, hostile = await sent(house), await sent(house, HOSTILE)
    one, other = [(await nobody.get(f"/dev/mail/{each}")).text for each in (plain, hostile)]
    assert Tags(one).tags == Tags(other).tags
    assert HOSTILE in "".join(Tags(other).texts)
    listed = (await nobody.get("/dev/mail")).text
    assert HOSTILE in "".join(Tags(listed).texts)
    assert not [tag for tag, _ in Tags(listed).tags if tag in {"script", "img"}]


@pytest.mark.parametrize(("language", "direction", "title"), [("he", "rtl", "דואר"), ("pl", "ltr", "Poczta")])
async def test_pages_speak_the_readers_language(nobody: Client, language: str, direction: str, title: str) -> None:
    page = (await nobody.get("/dev/mail", headers={"accept-language": language})).text
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert f"<h1>{title}</h1>" in page


async def test_a_mail_that_another_sender_took_shows_its_fate(house: House, nobody: Client, script: Script) -> None:
    script.answers = [mail.Refused("422 <b>no</b>")]
    mail_id = await sent(house)
    page = (await nobody.get(f"/dev/mail/{mail_id}")).text
    assert "failed (script)" in page
    assert "422 &lt;b&gt;no&lt;/b&gt;" in page
    assert "What it says is not kept here" in page
    assert "<iframe" not in page


async def test_an_unknown_mail_is_not_found(nobody: Client) -> None:
    for suffix in ("", "/html", "/source"):
        assert (await nobody.get(f"/dev/mail/{uuid4()}{suffix}")).status_code == 404
    assert (await nobody.get("/dev/mail/7")).status_code == 422


async def test_pages_are_no_part_of_the_api(house: House) -> None:
    assert not [path for path in house.app.openapi["paths"] if "/dev/" in path]


@pytest.mark.parametrize("env", [PRODUCTION], ids=["production"])
async def test_in_production_there_are_no_such_pages(house: House, alice: Client, nobody: Client) -> None:
    async with house.context() as ctx:
        mail_id = await mail.send(ctx, Hello(name="Alice"), to="alice@example.com", locale="en")
    for path in ("", "/style.css", f"/{mail_id}", f"/{mail_id}/html", f"/{mail_id}/source"):
        for client in (nobody, alice):
            assert (await client.get(f"/dev/mail{path}")).status_code == 404
