"""Writing: three languages, two forms, one look, and nothing a name can break."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings as hypothesis, strategies as st

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import ConfigurationError, ValidationError
from nexuscore.kernel.module import Module
from nexuscore.kernel.money import Money
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail.errors import NotRendered
from nexuscore.modules.mail.messages import variables_of
from nexuscore.modules.mail.module import module
from nexuscore.modules.mail.rendering import LAYOUT, render
from nexuscore.modules.mail.testing import faults_of_messages, sample
from nexuscore.modules.mail.tests.probe import MAILS, Bill, Broken, Hello, Include, Inside, Spy, messages
from nexuscore.modules.mail.trial import Trial

pytestmark = pytest.mark.anyio
HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>&lt;{{ 7 * 7 }}{% raw %}{name}'"""


def composed_with(*more: Module, **settings: str) -> App:
    environ = {"NEXUS_ENV": "test", **settings}
    modules: Sequence[Module] = [module, *more]
    classes: list[type[Settings]] = [KernelSettings, *(cls for each in modules for cls in each.settings)]
    return compose(modules, settings=load(classes, environ=environ, env_file=None))


class Tags(HTMLParser):
    """Every tag with its attributes' names, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.titles: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.titles += [value for name, value in attrs if name == "aria-label"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def test_every_message_of_mail_reads_well_in_every_language(house: House) -> None:
    """The real modules only: the probe's are broken on purpose."""
    app = composed_with()
    assert faults_of_messages(app) == []
    written = {language: render(app, sample(Trial), language) for language in ("en", "he", "pl")}
    assert [each.subject for each in written.values()] == [
        "Mail from NexusCore works",
        "הדואר של NexusCore פועל",
        "Poczta z NexusCore działa",
    ]
    assert '<html lang="he" dir="rtl"' in written["he"].html
    assert '<html lang="pl" dir="ltr"' in written["pl"].html
    assert written["he"].html.count("text-align:right") >= 3
    assert "direction:ltr" not in written["he"].html


async def test_what_is_wrong_with_a_message_is_said(house: House) -> None:
    app = composed_with(
        Module(name="bad", package=None, needs=("mail",), contributes=(mail.Messages(Broken, Spy, Include),))
    )
    faults = faults_of_messages(app)
    assert "probe.broken: broken.mjml uses 'nmae', which is not a field" in faults
    assert "probe.broken: he: no translation of 'Nobody translated this'" in faults
    assert "probe.broken: pl: no translation of 'Broken'" in faults
    assert "probe.spy: spy.txt uses 'missing', which is not a field" in faults
    assert any(fault.startswith("probe.include: en: probe.include: not valid MJML") for fault in faults)


async def test_pictures_and_left_over_names_are_said(house: House, tmp_path: Path) -> None:
    (tmp_path / "probe.spy.txt").write_text("x")
    bad = Module(name="bad", package=None, needs=("mail",), contributes=(mail.Messages(Spy),))
    faults = faults_of_messages(composed_with(bad, NEXUS_MAIL_TEMPLATES=str(tmp_path)))
    assert "probe.spy: en: {left} is left in the HTML" in faults
    assert any("would fetch" in fault and "pixel.gif" in fault for fault in faults)


@pytest.mark.parametrize("language", ["en", "he", "pl"])
def test_a_hostile_name_is_text_in_html_and_itself_in_text(composed: App, language: str) -> None:
    written = render(composed, Hello(name=HOSTILE, note=HOSTILE), language)
    plain = Tags(render(composed, Hello(name="Alice", note="hi"), language).html)
    hostile = Tags(written.html)
    assert hostile.tags == plain.tags
    assert HOSTILE in "".join(hostile.texts)
    assert f"Hello {HOSTILE}" in hostile.titles
    assert written.text.startswith(f"Hello {HOSTILE}\n\n{HOSTILE}\n")
    assert written.subject == f"Hello {HOSTILE}"


@given(name=st.text(max_size=60), note=st.text(max_size=200))
@example(name="a\r\nBcc: eve@example.com", note="")
@example(name="=?utf-8?q?=0d=0aBcc:_eve@example.com?=", note="")
@example(name='", <eve@example.com>', note="\n.\n")
@hypothesis(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_adds_a_header_or_a_tag(composed: App, name: str, note: str) -> None:
    """Refused, or exactly the headers and tags of a harmless one."""
    message = Hello(name=name, note=note)
    try:
        variables_of(composed, message)
    except ValidationError:
        return
    written = render(composed, message, "en")
    source = outgoing(written.subject, written.text, written.html, name).mime().as_bytes()
    parsed = message_from_bytes(source, policy=default)
    assert parsed.keys() == HEADERS
    assert str(parsed["Subject"]).split() == f"Hello {name}".split()
    assert [address.addr_spec for address in parsed["To"].addresses] == ["alice@example.com"]
    assert set(Tags(written.html).tags) <= PLAIN_TAGS(composed)


HEADERS = ["From", "To", "Subject", "Date", "MIME-Version", "Content-Type", "Message-ID", "Auto-Submitted"]
HEADERS.append("Content-Language")


def PLAIN_TAGS(app: App) -> set[tuple[str, tuple[str, ...]]]:  # noqa: N802 - reads as the constant it is
    return set(Tags(render(app, Hello(name="Alice", note="hi"), "en").html).tags)


def outgoing(subject: str, text: str, html: str, name: str) -> mail.Outgoing:
    return mail.Outgoing(
        id=UUID(int=1),
        from_address="no-reply@example.com",
        from_name="NexusCore",
        reply_to=None,
        to_address="alice@example.com",
        to_name=name,
        subject=subject,
        text=text,
        html=html,
        language="en",
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def test_links_keep_their_ampersands(composed: App) -> None:
    written = render(composed, Hello(name="Alice", link="https://app.example.com/?a=1&b=2"), "en")
    assert 'href="https://app.example.com/?a=1&amp;b=2"' in written.html
    assert "\nhttps://app.example.com/?a=1&b=2\n" in written.text


@pytest.mark.parametrize(
    ("language", "read"),
    [
        ("en", "November 20, 2026 · 20 November 2026, 20:30 +0800 · 1 day · SGD1,234.50"),
        ("pl", "20 listopada 2026 · 20 listopada 2026, 20:30 +0800 · 1 dzień · 1\xa0234,50\xa0SGD"),
        ("he", "20 בנובמבר 2026"),
    ],
)
def test_dates_spans_and_amounts_are_written_as_people_write_them(composed: App, language: str, read: str) -> None:
    bill = Bill(at=datetime(2026, 11, 20, 12, 30, tzinfo=UTC), span=timedelta(hours=24), amount=Money(123450, "SGD"))
    text = render(composed, bill, language).text
    assert text.startswith(read), text


def test_nothing_is_included_and_nothing_climbs_out(composed: App) -> None:
    with pytest.raises(NotRendered, match="unable to load included template"):
        render(composed, Include(), "en")
    with pytest.raises(NotRendered, match="SecurityError"):
        render(composed, Inside(name="x"), "en")


def test_the_look_is_set_by_settings(composed: App) -> None:
    app = composed_with(
        NEXUS_TITLE="Nexus",
        NEXUS_MAIL_PRODUCT="Acme & Sons",
        NEXUS_MAIL_BRAND_COLOUR="#ffee00",
        NEXUS_MAIL_LOGO_URL="https://acme.example/logo.png?a=1&b=2",
        NEXUS_MAIL_FOOTER="Acme Pte Ltd · 1 Raffles Place",
    )
    written = render(app, sample(Trial), "en")
    assert written.subject == "Mail from Acme & Sons works"
    assert 'src="https://acme.example/logo.png?a=1&amp;b=2"' in written.html
    assert 'alt="Acme &amp; Sons"' in written.html
    assert "background:#ffee00;color:#000000" in written.html
    assert written.text.endswith("-- \nAcme Pte Ltd · 1 Raffles Place\n")
    assert "NexusCore" not in written.html + written.text


def test_an_installation_may_bring_its_own_layout_and_mails(tmp_path: Path) -> None:
    (tmp_path / "layout.txt").write_text("*** {% block content %}{% endblock %} ***")
    (tmp_path / "mail.trial.mjml").write_text(
        (LAYOUT / "layout.mjml")
        .read_text()
        .replace("{% block content %}", "{% block content %}<mj-text>{{ sender }}!</mj-text>")
    )
    written = render(composed_with(NEXUS_MAIL_TEMPLATES=str(tmp_path)), sample(Trial, sender="own"), "en")
    assert written.text.startswith("*** ")
    assert ">own!<" in written.html


def test_a_message_that_cannot_work_is_refused_where_it_is_declared(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"needs a name such as.*there is no verify\.mjml in"):

        class Nameless(mail.Message, name="verify", subject="x", folder=tmp_path):
            pass

    with pytest.raises(ConfigurationError, match=r"'brand' is taken.*uses 'who', which is not a field"):

        class Taken(mail.Message, name="probe.hello", subject="Hello {who}", folder=MAILS):
            brand: str

    with pytest.raises(ConfigurationError, match="uses 'note', which may hold line breaks"):

        class Broad(mail.Message, name="probe.hello", subject="Hello {note}", folder=MAILS):
            note: mail.Paragraphs | None

    with pytest.raises(ConfigurationError, match="needs a subject"):

        class Mute(mail.Message, name="probe.hello", folder=MAILS):
            pass


async def test_two_messages_of_one_name_are_refused(house: House) -> None:
    class Again(mail.Message, name="probe.hello", subject="Hello", folder=MAILS):
        pass

    app = composed_with(Module(name="bad", package=None, needs=("mail",), contributes=(messages, mail.Messages(Again))))
    with pytest.raises(ConfigurationError, match=r"two messages are called 'probe\.hello'"):
        variables_of(app, Hello(name="Alice"))
