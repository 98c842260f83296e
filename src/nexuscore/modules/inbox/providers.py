"""The providers the house knows. Another module brings more, or puts one of its own under the same name."""

from collections.abc import Callable, Sequence

from pydantic import SecretStr

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NotFoundError
from nexuscore.modules.inbox import schemes
from nexuscore.modules.inbox.schemas import Source
from nexuscore.modules.inbox.settings import InboxSettings
from nexuscore.modules.inbox.slots import Provider


def _set(read: Callable[[InboxSettings], Sequence[SecretStr]]) -> Callable[[App], list[str]]:
    return lambda app: [each.get_secret_value() for each in read(app.settings[InboxSettings])]


STRIPE = Provider("stripe", schemes.stripe, _set(lambda settings: settings.stripe_secrets))
STANDARD = Provider("standard", schemes.standard_webhooks, _set(lambda settings: settings.standard_secrets))
GITHUB = Provider("github", schemes.github, _set(lambda settings: settings.github_secrets))
SENDGRID = Provider("sendgrid", schemes.sendgrid, _set(lambda settings: settings.sendgrid_keys))
TELEGRAM = Provider("telegram", schemes.telegram, _set(lambda settings: settings.telegram_secrets))
GENERIC = Provider(
    "generic",
    schemes.hmac_signed("x-webhook-signature", "x-webhook-timestamp"),
    _set(lambda settings: settings.generic_secrets),
)
BUILT_IN = (STRIPE, STANDARD, GITHUB, SENDGRID, TELEGRAM, GENERIC)


def providers(app: App) -> dict[str, Provider]:
    """Every provider by name; where two share one, the later module's counts."""
    return {provider.name: provider for provider in app.fillers(Provider)}


def provider(app: App, name: str) -> Provider:
    """The provider of that name."""
    found = providers(app).get(name)
    if found is None:
        raise NotFoundError
    return found


def described(app: App) -> list[Source]:
    """Everybody we can hear, where, and whether their secret is set."""
    base, ours = app.kernel.public_url, {name.rpartition("_")[0]: name for name in InboxSettings.model_fields}
    return [
        Source(
            name=name,
            url=f"{base}/hooks/{name}",
            configured=bool(secrets(app, each)),
            setting=f"NEXUS_INBOX_{ours[name].upper()}" if name in ours and each in BUILT_IN else None,
        )
        for name, each in sorted(providers(app).items())
    ]


def secrets(app: App, provider: Provider) -> list[str]:
    """Its secrets, less empty ones, which would let everybody in."""
    return [each for each in provider.secrets(app) if each]
