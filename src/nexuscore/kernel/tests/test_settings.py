"""Settings: read from the environment, checked all at once, refused when unsafe, shown without their secrets."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import AliasChoices, Field, SecretStr

from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import CommaList, Environment, KernelSettings, Loaded, Settings, load

PAGE = (Path(__file__).parents[4] / "docs" / "settings.md").read_text(encoding="utf-8")
KEY = "kZ7-pQ2_vM9xT4cW8nB1yR6uE3aL5dF0"
PRODUCTION = {
    "NEXUS_ENV": "production",
    "NEXUS_SECRET_KEY": KEY,
    "NEXUS_PUBLIC_URL": "https://app.acme.dev",
}


class MailSettings(Settings, prefix="mail"):
    host: str = Field(default="localhost", description="The server that takes our mail.")
    port: int = Field(default=25, ge=1, description="Its port.")
    password: SecretStr | None = Field(default=None, description="The password there.")
    senders: CommaList[str] = Field(default_factory=list, description="Who may send.")
    key: str = Field(
        default="", validation_alias=AliasChoices("MAIL_KEY", "NEXUS_MAIL_KEY"), description="A name of its own."
    )


class ShopSettings(Settings, prefix="shop"):
    name: str = Field(description="The shop's name.")
    size: int = Field(default=3, description="How large.")

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        if env == "production" and self.size < 5:
            yield "size", "is too small for production"


def loaded(environ: dict[str, str], *classes: type[Settings]) -> Loaded:
    return load(classes or (KernelSettings, MailSettings), environ=environ, env_file=None)


def faults(environ: dict[str, str], *classes: type[Settings]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(environ, *classes)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_field_is_read_under_the_prefix_of_its_class() -> None:
    settings = loaded({"NEXUS_MAIL_HOST": "mx.acme.dev", "NEXUS_PORT": "9000"})
    assert settings[MailSettings].host == "mx.acme.dev"
    assert settings[KernelSettings].port == 9000
    assert settings[MailSettings].port == 25


def test_nothing_set_is_enough_for_development() -> None:
    kernel = loaded({})[KernelSettings]
    assert (kernel.env, kernel.data, kernel.host, kernel.port) == ("development", Path("data"), "127.0.0.1", 8000)
    assert kernel.database_url is None
    assert kernel.secret_key is None


def test_lists_are_written_with_commas() -> None:
    assert loaded({"NEXUS_MAIL_SENDERS": "alice, bob ,"})[MailSettings].senders == ["alice", "bob"]
    assert loaded({"NEXUS_MAIL_SENDERS": '["alice", "bob, charlie"]'})[MailSettings].senders == [
        "alice",
        "bob, charlie",
    ]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert loaded({"NEXUS_MAIL_PORT": "", "NEXUS_NONSENSE": ""})[MailSettings].port == 25


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("NEXUS_MAIL_HOST=file\nNEXUS_MAIL_PORT=26\nNEXUS_MAIL_PASSWORD='a$b${c}'\nOTHER=1\n")
    settings = load([MailSettings], environ={"NEXUS_MAIL_HOST": "environment"}, env_file=file)
    mail = settings[MailSettings]
    assert (mail.host, mail.port) == ("environment", 26)
    assert mail.password is not None
    assert mail.password.get_secret_value() == "a$b${c}"
    sources = {row.name: row.source for row in settings.rows()}
    assert sources == {
        "NEXUS_MAIL_HOST": "environment",
        "NEXUS_MAIL_PORT": ".env",
        "NEXUS_MAIL_PASSWORD": ".env",
        "NEXUS_MAIL_SENDERS": "default",
        "MAIL_KEY": "default",
    }


def test_a_missing_file_is_no_fault_but_an_unreadable_one_is(tmp_path: Path) -> None:
    assert load([MailSettings], environ={}, env_file=tmp_path / "none")[MailSettings].port == 25
    (tmp_path / ".env").write_bytes(b"NEXUS_MAIL_HOST=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load([MailSettings], environ={}, env_file=tmp_path / ".env")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_MAIL_HOST", "from-os")
    assert load([MailSettings], env_file=None)[MailSettings].host == "from-os"
    assert MailSettings().host == "localhost", "only load reads the environment"
    assert os.environ["NEXUS_MAIL_HOST"] == "from-os"


def test_every_fault_of_every_class_is_listed_at_once() -> None:
    found = faults(
        {
            "NEXUS_PORT": "abc",
            "NEXUS_POOL_MIN": "30",
            "NEXUS_TRUSTED_PROXIES": "10.0.0.0/8, here",
            "NEXUS_MAIL_PORT": "0",
            "NEXUS_SHOP_SIZE": "big",
        },
        KernelSettings,
        MailSettings,
        ShopSettings,
    )
    assert sorted(line.partition(":")[0] for line in found) == [
        "NEXUS_MAIL_PORT",
        "NEXUS_POOL_MIN",
        "NEXUS_PORT",
        "NEXUS_SHOP_NAME",
        "NEXUS_SHOP_SIZE",
        "NEXUS_TRUSTED_PROXIES",
    ]
    assert "NEXUS_SHOP_NAME: must be set" in found
    assert next(line for line in found if line.startswith("NEXUS_PORT")).endswith("(it is 'abc')")


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_a_fault_never_shows_a_secret(rest: str) -> None:
    found = faults({"DATABASE_URL": f"mysql://hunter2{rest}", "NEXUS_MAIL_PORT": "x"})
    assert "hunter2" not in repr(found)
    assert [line.partition(":")[0] for line in found] == ["DATABASE_URL", "NEXUS_MAIL_PORT"]
    assert found[0].endswith("(it is ********)")


def test_a_fault_in_an_alias_names_the_variable_that_was_set() -> None:
    (found,) = faults({"NEXUS_DATABASE_URL": "mysql://x"})
    assert found.startswith("NEXUS_DATABASE_URL: must look like postgresql://")


def test_what_is_allowed_and_doubtful_is_a_warning() -> None:
    class Odd(Settings, prefix="odd"):
        size: int = Field(0, description="How big.")

        def doubts(self, env: str) -> Iterator[tuple[str, str]]:
            if self.size > 9:
                yield "size", f"is big for {env}"

    assert loaded({"NEXUS_ODD_SIZE": "10"}, KernelSettings, Odd).warnings == ("NEXUS_ODD_SIZE: is big for development",)
    assert loaded({}, KernelSettings, Odd).warnings == ()


def test_unknown_names_are_a_warning_in_development_and_a_fault_in_production() -> None:
    assert loaded({"NEXUS_MAIL_HSOT": "x", "OTHER": "x"}).warnings == (
        "NEXUS_MAIL_HSOT: no such setting; did you mean NEXUS_MAIL_HOST?",
    )
    assert loaded({"NEXUS_ZZZZZZZZ": "x"}).warnings == ("NEXUS_ZZZZZZZZ: no such setting",)
    assert faults({**PRODUCTION, "NEXUS_MAIL_HSOT": "x"}) == [
        "NEXUS_MAIL_HSOT: no such setting; did you mean NEXUS_MAIL_HOST?"
    ]


def test_rows_show_everything_but_secrets() -> None:
    settings = loaded(
        {"NEXUS_MAIL_PASSWORD": "hunter2", "NEXUS_MAIL_PORT": "26", "NEXUS_SECRET_KEYS_PREVIOUS": "hunter2"}
    )
    rows = {row.name: row for row in settings.rows()}
    assert "hunter2" not in repr(rows)
    assert rows["NEXUS_MAIL_PASSWORD"].value == "********"
    assert rows["NEXUS_SECRET_KEYS_PREVIOUS"].value == "********"
    assert rows["NEXUS_SECRET_KEY"].value == ""
    port = rows["NEXUS_MAIL_PORT"]
    assert (port.value, port.default, port.source, port.meaning) == ("26", "25", "environment", "Its port.")
    shop = loaded({"NEXUS_SHOP_NAME": "Acme"}, ShopSettings).rows()[0]
    assert (shop.value, shop.default) == ("Acme", "(must be set)")


def test_a_field_without_a_description_is_refused_at_its_definition() -> None:
    with pytest.raises(TypeError, match="say what port, host means"):

        class Bare(Settings, prefix="bare"):
            port: int = 1
            host: str = Field(default="x")


def test_settings_are_frozen_and_closed() -> None:
    mail = MailSettings(host="x")
    with pytest.raises(ValueError, match="frozen"):
        mail.host = "y"  # type: ignore[misc]  # the point
    with pytest.raises(ValueError, match="Extra inputs"):
        MailSettings(hots="x")  # type: ignore[call-arg]  # the point


def test_two_classes_cannot_read_the_same_variable() -> None:
    class MailHost(Settings, prefix="mail_host"):
        name: str = Field(default="x", description="A name.")

    class Mail(Settings, prefix="mail"):
        host_name: str = Field(default="x", description="A name.")

    assert faults({}, MailHost, Mail) == ["NEXUS_MAIL_HOST_NAME: read by MailHost and by Mail"]
    assert loaded({}, Mail, Mail)[Mail].host_name == "x"


def test_a_class_that_was_not_loaded_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        loaded({}, MailSettings)[KernelSettings]


@pytest.mark.parametrize("name", ["DATABASE_URL", "NEXUS_DATABASE_URL"])
def test_the_database_has_two_names_and_the_owner_defaults_to_it(name: str) -> None:
    url = "postgresql://app:pw@db/nexus"
    kernel = loaded({name: url})[KernelSettings]
    assert kernel.database_url == kernel.database_owner_url == SecretStr(url)
    owner = "postgresql://owner:pw@db/nexus"
    kernel = loaded({name: url, "DATABASE_OWNER_URL": owner})[KernelSettings]
    assert (kernel.database_url, kernel.database_owner_url) == (SecretStr(url), SecretStr(owner))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://app@db/nexus"),
        ("DATABASE_URL", "postgresql://app@db"),
        ("NEXUS_ENV", "staging"),
        ("NEXUS_PORT", "70000"),
        ("NEXUS_PUBLIC_URL", "app.acme.dev"),
        ("NEXUS_PUBLIC_URL", "https://al:pw@acme.dev"),
        ("NEXUS_TRUSTED_PROXIES", "10.0.0.300"),
        ("NEXUS_CORS_ORIGINS", "https://acme.dev/path"),
        ("NEXUS_LOG_LEVEL", "loud"),
        ("NEXUS_POOL_MAX", "0"),
        ("NEXUS_POOL_MAX", "1"),
        ("NEXUS_MAX_BODY_BYTES", "0"),
        ("NEXUS_REQUEST_TIMEOUT_S", "0"),
        ("NEXUS_DEFAULT_LOCALE", "fr"),
    ],
)
def test_nonsense_is_refused_everywhere(name: str, value: str) -> None:
    assert len(faults({name: value})) == 1


def test_forms_are_made_uniform() -> None:
    kernel = loaded(
        {
            "NEXUS_PUBLIC_URL": "https://acme.dev/",
            "NEXUS_TRUSTED_PROXIES": "10.1.2.3/8, ::1",
            "NEXUS_LOG_LEVEL": "WARNING",
            "NEXUS_CORS_ORIGINS": "https://a.dev,http://localhost:3000",
        }
    )[KernelSettings]
    assert kernel.public_url == "https://acme.dev"
    assert kernel.trusted_proxies == ["10.0.0.0/8", "::1/128"]
    assert kernel.log_level == "warning"
    assert kernel.cors_origins == ["https://a.dev", "http://localhost:3000"]


def test_production_starts_when_it_is_safe() -> None:
    kernel = loaded({**PRODUCTION, "DATABASE_URL": "postgresql://app:jdW8-s_9kkq@db/nexus"})[KernelSettings]
    assert kernel.env == "production"


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"NEXUS_SECRET_KEY": ""}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEY": "changeme"}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEY": "kZ7-pQ2_vM9xT4cW8nB1yR6uE3aL5dF"}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEY": "please-change-me-kZ7-pQ2_vM9xT4cW8nB1"}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEY": "your_secret_key_goes_here_0123456789"}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEY": "a" * 64}, "NEXUS_SECRET_KEY"),
        ({"NEXUS_SECRET_KEYS_PREVIOUS": f"{KEY}, short"}, "NEXUS_SECRET_KEYS_PREVIOUS"),
        ({"NEXUS_DEV_TOKEN": "x"}, "NEXUS_DEV_TOKEN"),
        ({"NEXUS_CORS_ORIGINS": "*"}, "NEXUS_CORS_ORIGINS"),
        ({"NEXUS_TRUSTED_PROXIES": "0.0.0.0/0"}, "NEXUS_TRUSTED_PROXIES"),
        ({"NEXUS_TRUSTED_PROXIES": "::/0"}, "NEXUS_TRUSTED_PROXIES"),
        ({"NEXUS_PUBLIC_URL": ""}, "NEXUS_PUBLIC_URL"),
        ({"NEXUS_PUBLIC_URL": "http://acme.dev"}, "NEXUS_PUBLIC_URL"),
        ({"DATABASE_OWNER_URL": "postgresql://app:changeme@db/nexus"}, "DATABASE_OWNER_URL"),
    ],
)
def test_production_refuses_what_leaves_a_door_open(change: dict[str, str], variable: str) -> None:
    (found,) = faults({**PRODUCTION, **change})
    assert found.startswith(f"{variable}: ")
    development = {**PRODUCTION, **change, "NEXUS_ENV": "development"}
    assert loaded(development)[KernelSettings].env == "development", "the same is fine elsewhere"


def test_a_faulty_value_is_not_also_called_unsafe() -> None:
    (found,) = faults({**PRODUCTION, "NEXUS_PUBLIC_URL": "nonsense"})
    assert found.startswith("NEXUS_PUBLIC_URL: must look like")


def test_unsafe_settings_are_listed_beside_faulty_ones() -> None:
    found = faults(
        {"NEXUS_ENV": "production", "NEXUS_PORT": "x", "NEXUS_SHOP_NAME": "Acme"}, KernelSettings, ShopSettings
    )
    assert sorted(line.partition(":")[0] for line in found) == [
        "NEXUS_PORT",
        "NEXUS_PUBLIC_URL",
        "NEXUS_SECRET_KEY",
        "NEXUS_SHOP_SIZE",
    ]


@pytest.mark.parametrize("row", loaded({}, KernelSettings).rows(), ids=lambda row: row.name)
def test_every_kernel_setting_is_documented_as_it_is(row: object) -> None:
    assert f"| `{row.name}` | {row.default and f'`{row.default}`'} | {row.meaning} |" in PAGE  # type: ignore[attr-defined]  # pytest's parameters are untyped


def test_no_documented_setting_is_gone() -> None:
    names = {row.name for row in loaded({}, KernelSettings).rows()}
    kernel = PAGE.partition("## The kernel's settings\n")[2].partition("\n## ")[0]
    documented = {line.split("`")[1] for line in kernel.splitlines() if line.startswith("| `")}
    assert documented == names
