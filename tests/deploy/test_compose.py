"""`deploy/compose` is held against the app: it cannot be started here, but what it says of us must be so."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from nexuscore.cli import COMMANDS
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.main import app

HERE = Path(__file__).parents[2] / "deploy" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"].startswith("nexuscore:")}
EXAMPLE = dict(line.partition("=")[::2] for line in (HERE / ".env.example").read_text().splitlines() if line[:1] != "#")
SECRET = "kT7-9vQw2xLr4ZpB8nYcJ6mHsD3fGaEu"


def filled(text: str) -> str:
    """A value with its variables as somebody has filled them in."""
    given = {name: value.replace("example.com", "nexuscore.dev") or SECRET for name, value in EXAMPLE.items()}
    return re.sub(r"\$\{(\w+)(?::[?-][^}]*)?}", lambda found: given[found[1]], text)


def test_what_there_is() -> None:
    assert OURS.keys() == {"serve-a", "serve-b", "worker", "migrate"}
    assert {"postgres", "valkey", "proxy"} == SERVICES.keys() - OURS.keys()


@pytest.mark.parametrize("name", OURS)
def test_production_starts_with_its_settings(name: str) -> None:
    environment = {key: filled(value) for key, value in OURS[name]["environment"].items()}
    loaded = load(list(app.settings.by_class), environ=environment, env_file=None)
    assert loaded.warnings == ()
    kernel = loaded[KernelSettings]
    assert kernel.env == "production"
    assert kernel.redis_url is not None, "there are several processes"
    grace = int(OURS[name]["stop_grace_period"].removesuffix("s"))
    assert grace > kernel.drain_s + 2 * kernel.shutdown_grace_s, "nobody is killed while they finish"


@pytest.mark.parametrize("name", OURS)
def test_its_command_is_one_of_ours(name: str) -> None:
    command, *options = OURS[name]["command"]
    assert command in COMMANDS
    assert set(options) <= {"--no-migrate", "--no-workers"}


def test_addresses_are_served() -> None:
    paths = {route.path for route in app.routes}
    caddy = (HERE / "Caddyfile").read_text()
    asked = re.findall(r"http://127.0.0.1:8000(/[\w/]+)", str(OURS)) + re.findall(r"health_uri (\S+)", caddy)
    asked += re.findall(r"path (.+)", caddy)[0].split()
    assert asked
    assert set(asked) <= paths
    hosts = re.findall(r"(\S+):8000", re.findall(r"reverse_proxy (.*) {", caddy)[0])
    assert hosts == ["serve-a", "serve-b"]


def test_everything_named_is_there() -> None:
    for name, service in SERVICES.items():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys(), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (HERE / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")
    wanted = set(re.findall(r"\$\{(\w+):\?}", (HERE / "compose.yaml").read_text()))
    assert wanted == EXAMPLE.keys(), "what must be filled in stands in .env.example"


def test_nothing_secret_has_a_default() -> None:
    assert {name for name, value in EXAMPLE.items() if value} == {"DOMAIN", "MAIL_FROM", "SMTP_HOST", "SMTP_USER"}
    environment = {key: filled(value) for key, value in OURS["serve-a"]["environment"].items()}
    assert [key for key, value in environment.items() if SECRET in value] == [
        "NEXUS_SECRET_KEY",
        "NEXUS_METRICS_TOKEN",
        "NEXUS_MAIL_SMTP_PASSWORD",
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
    ]


def test_the_image_holds_what_it_needs() -> None:
    lines = (HERE / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE):
        for name in source.split():
            assert (HERE.parents[1] / name).exists(), name
    assert "USER nexus" in lines
