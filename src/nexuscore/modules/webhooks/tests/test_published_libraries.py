"""Receivers use the published libraries of Standard Webhooks: both the Python and the JavaScript one accept us."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.webhooks.testing import Receiver
from nexuscore.modules.webhooks.tests.shop import add, pay

pytestmark = pytest.mark.anyio
JAVASCRIPT = """
const { Webhook } = require("standardwebhooks");
const { secrets, headers, body } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const seen = secrets.map((secret) => new Webhook(secret).verify(body, headers).type);
let refused = 0;
for (const [wrong, sent] of [[body + " ", headers], [body, { ...headers, "webhook-id": "other" }]]) {
  try { new Webhook(secrets[0]).verify(wrong, sent); } catch { refused += 1; }
}
console.log(JSON.stringify({ seen, refused }));
"""


async def deliver(house: House, alice: Client, receiver: Receiver) -> tuple[list[str], dict[str, str], str]:
    """A delivery during a rotation: both secrets, the headers and the body as they came."""
    endpoint = await add(alice, receiver.url)
    rotated = await alice.post(f"/webhooks/endpoints/{endpoint['id']}/rotate-secret", {})
    await pay(house)
    await house.drain()
    [heard] = receiver.heard
    return [endpoint["secret"], rotated.json()["secret"]], heard.headers, heard.body.decode()


async def test_in_python(house: House, alice: Client, receiver: Receiver) -> None:
    secrets, headers, body = await deliver(house, alice, receiver)
    for secret in secrets:
        assert Webhook(secret).verify(body, headers)["type"] == "invoice.paid"
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + " ", headers)


async def test_in_javascript(house: House, alice: Client, receiver: Receiver, tmp_path: Path) -> None:
    secrets, headers, body = await deliver(house, alice, receiver)
    given = json.dumps({"secrets": secrets, "headers": headers, "body": body})
    assert await asyncio.to_thread(in_javascript, tmp_path, given) == {"seen": ["invoice.paid"] * 2, "refused": 2}


def in_javascript(folder: Path, given: str) -> Any:
    """What the JavaScript library says, installed for this once."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("there is no Node.js here to run the JavaScript library of Standard Webhooks")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "standardwebhooks@1"]
    try:
        subprocess.run(install, cwd=folder, check=True, timeout=120, capture_output=True)
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot install the JavaScript library of Standard Webhooks here: {error}")
    command = [node, "-e", JAVASCRIPT]
    ran = subprocess.run(command, cwd=folder, input=given, check=True, timeout=60, capture_output=True, text=True)
    return json.loads(ran.stdout)
