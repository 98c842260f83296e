"""Where alerts go that the kernel sends itself: a web hook, as chats take it, and PagerDuty."""

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from pydantic_core import to_json

from nexuscore.kernel import sight
from nexuscore.kernel.alerts import Alert, AlertSender, described

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

SECONDS = 10.0


class HookSender(AlertSender):
    """POSTs JSON to the address of the settings. Slack, Mattermost and Discord's Slack form show its `text`."""

    name = "hook"

    def is_set_up(self, app: "App") -> bool:
        """Whether there is an address."""
        return app.kernel.alert_hook_url is not None

    def takes(self, alert: Alert) -> bool:
        """What is critical, and what chats want to hear of besides."""
        return super().takes(alert) or alert.rule.chat

    async def send(self, app: "App", alert: Alert) -> None:
        """One request."""
        await _post(app.kernel.alert_hook_url, described(app, alert))


class PagerDutySender(AlertSender):
    """Opens an incident, one for all happenings of a group."""

    name = "pagerduty"

    def is_set_up(self, app: "App") -> bool:
        """Whether there is a key."""
        return app.kernel.alert_pagerduty_key is not None

    async def send(self, app: "App", alert: Alert) -> None:
        """One event of version 2 of their API."""
        kernel, told = app.kernel, described(app, alert)
        key = kernel.alert_pagerduty_key
        event = {
            "routing_key": key.get_secret_value() if key is not None else "",
            "event_action": "trigger",
            "dedup_key": f"{kernel.public_url}/{alert.rule.name}/{alert.key}"[:255],
            "payload": {
                "summary": told["text"][:1024],
                "source": told["machine"],
                "severity": alert.rule.severity,
                "timestamp": told["last"],
                "custom_details": told,
            },
        }
        await _post(SecretStr(kernel.alert_pagerduty_url), event)


async def _post(url: SecretStr | None, body: dict[str, Any]) -> None:
    """One request to an address the operator chose; no answer below 300 is a failure."""
    import httpx2

    if url is None:
        return
    with sight.outside("alert") as call:
        async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            headers = {"content-type": "application/json", **call.headers}
            answer = await client.post(url.get_secret_value(), content=to_json(body), headers=headers)
        call.status = answer.status_code
    if answer.status_code >= 300:
        raise ConnectionError(f"the alert was answered with {answer.status_code}")
