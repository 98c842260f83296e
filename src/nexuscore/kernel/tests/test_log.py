"""Log lines: their fields, their form, what is masked, and who else may write."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel import log

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture(autouse=True)
def stream() -> Iterator[io.BytesIO]:
    written = io.BytesIO()
    log.configure(level="info", format="json", stream=written)
    yield written
    log.unbind()
    log.configure(level="info", format="text")


@pytest.fixture
def lines(stream: io.BytesIO) -> Lines:
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_four_names_first(lines: Lines) -> None:
    note = uuid4()
    log.get_logger("notes.service").info("note_shelved", note=note, pages=3)
    (line,) = lines()
    assert list(line) == ["timestamp", "level", "event", "logger", "note", "pages"]
    assert (line["level"], line["event"], line["logger"]) == ("info", "note_shelved", "notes.service")
    assert (line["note"], line["pages"]) == (str(note), 3)
    written = datetime.fromisoformat(str(line["timestamp"]))
    assert written.utcoffset() == timedelta(0)
    assert abs(datetime.now(written.tzinfo) - written) < timedelta(minutes=1)


def test_the_level_is_a_threshold_and_can_change(stream: io.BytesIO, lines: Lines) -> None:
    logger = log.get_logger("a")
    logger.debug("too_fine")
    log.configure(level="warning", format="json", stream=stream)
    logger.info("too_fine_now")
    logger.warning("kept")
    log.configure(level="debug", format="json", stream=stream)
    logger.debug("kept")
    assert [line["level"] for line in lines()] == ["warning", "debug"]


def test_what_is_bound_stands_on_later_lines_of_this_task_only(lines: Lines) -> None:
    logger = log.get_logger("a")

    async def request(org: str) -> None:
        log.bind(request_id=org, org=org)
        await asyncio.sleep(0)
        logger.info("inside", expected=org)
        log.unbind("org")
        logger.info("without")

    async def both() -> None:
        await asyncio.gather(request("one"), request("two"))
        logger.info("outside")

    asyncio.run(both())
    assert [(line["event"], line.get("org"), line.get("request_id")) for line in lines()] == [
        ("inside", "one", "one"),
        ("without", None, "one"),
        ("inside", "two", "two"),
        ("without", None, "two"),
        ("outside", None, None),
    ]


def test_no_field_can_forge_the_first_four(lines: Lines) -> None:
    log.bind(level="critical")
    log.get_logger("a").info("real", timestamp="never", level="none")
    assert lines()[0]["level"] == "info"
    assert lines()[0]["timestamp"] != "never"


def test_secrets_are_masked_in_fields_events_and_bound_facts(stream: io.BytesIO, lines: Lines) -> None:
    log.bind(actor="alice@example.com", token="hunter2")
    log.get_logger("a").info("mail to alice@example.com", password="hunter2", deep=[{"cookie": "hunter2"}])
    assert b"alice" not in stream.getvalue()
    assert b"hunter2" not in stream.getvalue()
    assert lines()[0]["event"] == "mail to [email]"


def test_an_exception_is_one_masked_field(stream: io.BytesIO, lines: Lines) -> None:
    try:
        raise ValueError("no account for alice@example.com")
    except ValueError:
        log.get_logger("a").exception("sign_in_failed")
    (line,) = lines()
    assert line["level"] == "error"
    assert str(line["exception"]).splitlines()[-1] == "ValueError: no account for [email]"
    assert "test_an_exception_is_one_masked_field" in str(line["exception"])
    assert b"alice@" not in stream.getvalue()


def test_an_exception_may_be_given(lines: Lines) -> None:
    log.get_logger("a").warning("late", exc_info=KeyError("x"))
    assert lines()[0]["exception"] == "KeyError: 'x'"


@given(st.text(), st.text(), st.floats())
def test_any_text_is_one_valid_line(event: str, value: str, number: float) -> None:
    written = io.BytesIO()
    log.configure(level="info", format="json", stream=written)
    log.get_logger("a").info(event, value=value, number=number)
    (line,) = written.getvalue().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["logger"] == "a", "NaN and Infinity are not JSON"


def test_half_a_surrogate_pair_does_not_lose_the_line(lines: Lines) -> None:
    log.get_logger("a").info("odd", value="\ud800")
    assert lines()[0]["event"] == "odd"


def test_libraries_write_the_same_lines_from_warning_up(lines: Lines) -> None:
    for name in ("uvicorn.error", "asyncpg", "pgqueuer", "alembic.runtime", "somebody.else"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("pool of %s is %d%% full", "alice@example.com", 90, extra={"pool": 7})
    assert [(line["logger"], line["level"], line["event"], line["pool"]) for line in lines()] == [
        (name, "warning", "pool of [email] is 90% full", 7)
        for name in ("uvicorn.error", "asyncpg", "pgqueuer", "alembic.runtime", "somebody.else")
    ]


def test_a_library_that_logs_badly_is_still_heard(lines: Lines) -> None:
    (handler,) = (each for each in logging.getLogger().handlers if type(each).__module__ == log.__name__)
    handler.handle(logging.makeLogRecord({"name": "bad", "levelno": 40, "msg": "%d of %d", "args": ("x",)}))
    try:
        1 / 0  # noqa: B018 - the division is the point
    except ZeroDivisionError:
        logging.getLogger("bad").exception("failed")
    assert [line["event"] for line in lines()] == ["%d of %d", "failed"]
    assert str(lines()[1]["exception"]).endswith("ZeroDivisionError: division by zero")


def test_configuring_twice_writes_once(stream: io.BytesIO, lines: Lines) -> None:
    log.configure(level="info", format="json", stream=stream)
    logging.getLogger("uvicorn").warning("once")
    assert len(lines()) == 1


def test_the_request_line_has_the_names_of_the_general_path(stream: io.BytesIO, lines: Lines) -> None:
    org, actor = uuid4(), uuid4()
    log.request_line(
        method="GET", route="/notes/{id}", status=200, duration_ms=3.14159, size=512, request_id="r-1", org=org,
        actor=actor, client="10.0.0.1", agent="curl/8 (alice@example.com)", path="/notes/alice@example.com",
    )  # fmt: skip
    (line,) = lines()
    assert datetime.fromisoformat(str(line.pop("timestamp")))
    assert line == {
        "level": "info", "event": "request", "logger": "nexuscore.http", "request_id": "r-1", "org": str(org),
        "actor": str(actor), "method": "GET", "route": "/notes/{id}", "path": "/notes/[email]", "status": 200,
        "duration_ms": 3.14, "size": 512, "client": "10.0.0.1", "agent": "curl/8 ([email])",
    }  # fmt: skip


def test_the_request_line_follows_the_level_and_failures_are_errors(stream: io.BytesIO, lines: Lines) -> None:
    log.configure(level="error", format="json", stream=stream)
    for status in (200, 404, 500):
        log.request_line(method="GET", route="/", status=status, duration_ms=1, size=0, request_id="r")
    assert [(line["status"], line["level"]) for line in lines()] == [(500, "error")]


def test_text_is_one_readable_line_even_when_attacked() -> None:
    written = io.BytesIO()
    log.configure(level="info", format="text", stream=written)
    log.get_logger("notes").warning("shelved", title='a "b"\n12:00:00.000 error forged', empty="", org=None)
    text = written.getvalue().decode()
    time, rest = text[:12], text[12:]
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", time)
    assert rest == r' warning  shelved title="a \"b\"\n12:00:00.000 error forged" empty="" org=None (notes)' + "\n"


def test_the_text_form_shows_the_traceback_below() -> None:
    written = io.StringIO()
    log.configure(level="info", format="text", stream=written)
    log.get_logger("notes").error("failed", exc_info=ValueError("bad"))
    assert written.getvalue().splitlines()[0].endswith("failed (notes)")
    assert written.getvalue().splitlines()[-1] == "ValueError: bad"


def test_a_closed_stream_is_no_failure() -> None:
    written = io.BytesIO()
    log.configure(level="info", format="json", stream=written)
    written.close()
    log.get_logger("a").info("nobody_listens")


def test_standard_output_is_the_default(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log.configure(level="info", format="json")
    log.get_logger("a").info("out")
    assert json.loads(capfdbinary.readouterr().out)["event"] == "out"


@pytest.mark.parametrize("value", ["a", "A-b_c.9", "x" * 64])
def test_a_harmless_request_id_is_kept(value: str) -> None:
    assert log.clean_request_id(value) == value


@pytest.mark.parametrize("value", [None, "", "x" * 65, "a b", "a\n", "a\r\nX: y", "é", "a;b", "<script>", "a\x00"])
def test_any_other_request_id_is_replaced(value: str | None) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", log.clean_request_id(value))


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("value", [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-ff"])
def test_a_valid_traceparent_is_read(value: str) -> None:
    assert log.parse_traceparent(value) == (TRACE, PARENT)


@pytest.mark.parametrize(
    "value",
    [None, "", "00", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
     f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more", f"00-{TRACE}-{PARENT}",
     f"00-{TRACE}-{PARENT}-01\n",
     f"00-{TRACE[:-1]}-{PARENT}-01"],
)  # fmt: skip
def test_any_other_traceparent_is_ignored(value: str | None) -> None:
    assert log.parse_traceparent(value) is None


def test_a_new_traceparent_keeps_the_trace_and_starts_a_span() -> None:
    one, two = log.new_traceparent(TRACE), log.new_traceparent(TRACE)
    assert one != two
    parsed = log.parse_traceparent(one)
    assert parsed is not None
    assert parsed[0] == TRACE
    assert log.parse_traceparent(log.new_traceparent()) is not None
