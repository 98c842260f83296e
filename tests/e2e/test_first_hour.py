"""The first hour of two people, over HTTP against a server of its own: from an empty database to a team."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import httpx2
import pyotp
import pytest

from tests.serving import ROOT, environment, served

APP = "tests.people:app"
PASSWORD = "Quiet-Harbour-41!"


@dataclass
class Installation:
    """A running server, and its machine's command line."""

    address: str
    data: Path
    used: set[str] = field(default_factory=set)

    def nexus(self, *arguments: str) -> str:
        """What a command says."""
        command = [sys.executable, "-m", "nexuscore.cli", "--app", APP, "--data", str(self.data), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
        return done.stdout

    def mailed(self, message: str, to: str) -> str:
        """The secret of the link in a mail that arrives within ten seconds; each mail is read once."""
        until = monotonic() + 10
        while monotonic() < until:
            lines = [line.split() for line in self.nexus("mail", "list").splitlines()]
            for each in lines:
                if each[-2:] == [message, to] and each[0] not in self.used:
                    self.used.add(each[0])
                    found = re.search(r"token=([\w-]+)", self.nexus("mail", "show", each[0]))
                    assert found, "no link"
                    return found[1]
            sleep(0.2)
        pytest.fail(f"no {message} to {to}:\n{self.nexus('mail', 'list')}")


@dataclass
class Somebody:
    """A person with an HTTP client."""

    installation: Installation
    email: str
    http: httpx2.Client

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The answer to a request, which must have this status."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def register(self) -> None:
        """Register and prove the address by the mailed link."""
        self.ask("POST", "/auth/register", {"email": self.email, "password": PASSWORD, "name": "A name"}, status=202)
        token = self.installation.mailed("identity.verify", self.email)
        self.ask("POST", "/auth/verify-email", {"token": token}, status=204)

    def sign_in(self) -> dict[str, Any]:
        """What a sign-in by password answers; its token is used from now on, if it gave one."""
        self.http.headers.pop("authorization", None)
        return self.keep(self.ask("POST", "/auth/sign-in", {"email": self.email, "password": PASSWORD}))

    def keep(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Use the token of an answer, if it holds one."""
        if "access_token" in answer:
            self.http.headers["authorization"] = f"Bearer {answer['access_token']}"
        return answer


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with served(APP, tmp_path / "data") as address:
        yield Installation(address, tmp_path / "data")


@pytest.fixture
def people(installation: Installation) -> Iterator[tuple[Somebody, Somebody]]:
    api = f"{installation.address}/api/v1"
    with httpx2.Client(base_url=api, trust_env=False) as one, httpx2.Client(base_url=api, trust_env=False) as two:
        yield (
            Somebody(installation, "anna@example.com", one),
            Somebody(installation, "ben@example.com", two),
        )


def test_two_strangers_become_a_team(installation: Installation, people: tuple[Somebody, Somebody]) -> None:
    anna, ben = people
    anna.register()
    assert anna.sign_in()["status"] == "signed_in"
    protect_by_an_app(anna)

    acme = anna.ask("POST", "/organisations", {"name": "Acme Pte Ltd"}, status=201)
    invited = {"email": ben.email, "role": "viewer"}
    anna.ask("POST", f"/organisations/{acme['id']}/invitations", invited, status=201)
    token = installation.mailed("orgs.invitation", ben.email)
    assert ben.ask("POST", "/invitations/look", {"token": token})["organisation_name"] == "Acme Pte Ltd"
    ben.ask("POST", "/invitations/accept", {"token": token}, status=401)
    ben.register()
    bens_id = ben.sign_in()["user_id"]
    ben.ask("POST", "/invitations/accept", {"token": token})
    ben.ask("POST", "/invitations/accept", {"token": token}, status=409)

    carl = {"email": "carl@example.com", "role": "viewer"}
    ben.ask("POST", f"/organisations/{acme['id']}/invitations", carl, status=403)
    role = anna.ask(
        "POST",
        f"/organisations/{acme['id']}/roles",
        {"name": "Inviter", "permissions": ["organisation.read", "members.read", "members.invite"]},
        status=201,
    )
    given = {"custom_role_id": role["custom_role_id"]}
    anna.ask("PATCH", f"/organisations/{acme['id']}/members/{bens_id}", given)
    ben.ask("POST", f"/organisations/{acme['id']}/invitations", carl, status=201)
    ben.ask("DELETE", f"/organisations/{acme['id']}", status=403)
    assert installation.mailed("orgs.invitation", "carl@example.com")
    said = installation.nexus("access", "explain", ben.email, "members.invite", "--org", acme["slug"])
    assert "The role Inviter holds members.invite." in said
    add_number(ben)


def add_number(somebody: Somebody) -> None:
    """Add a telephone number by the code that was kept, since nobody sends texts here."""
    attempt = somebody.ask("POST", "/me/phone", {"phone": "9123 4567"}, status=202)["attempt"]
    until = monotonic() + 10
    while not (kept := re.search(r"^\+6591234567  (\d{6}) ", somebody.installation.nexus("identity", "texts"))):
        assert monotonic() < until, "no text message"
    somebody.ask("POST", "/me/phone/verify", {"attempt": attempt, "code": kept[1]}, status=204)
    assert somebody.ask("GET", "/me")["phone"] == "+6591234567"


def protect_by_an_app(somebody: Somebody) -> None:
    """Set up an authenticator app; sign in with it, and once with a recovery code."""
    app = pyotp.TOTP(somebody.ask("POST", "/me/totp")["secret"])
    codes = somebody.ask("POST", "/me/totp/confirm", {"code": app.now()})["recovery_codes"]
    assert len(set(codes)) == 10
    for proof in ({"code": app.at(int(time()) + 30)}, {"recovery_code": codes[0]}):
        challenge = somebody.sign_in()
        assert (challenge["status"], "access_token" in challenge) == ("second_factor_needed", False)
        somebody.ask("GET", "/me", status=401)
        met = {"challenge": challenge["challenge"], **proof}
        assert somebody.keep(somebody.ask("POST", "/auth/second-factor", met))["status"] == "signed_in"
        assert somebody.ask("GET", "/me")["email"] == somebody.email
    assert somebody.ask("GET", "/me/second-factors")["recovery_codes_left"] == 9
