"""What `nexus serve` says about payments."""

from nexuscore.kernel.app import App
from nexuscore.kernel.module import Greeting
from nexuscore.modules.payments.fake.mounted import own_address
from nexuscore.modules.payments.provider import is_pretended


class PaymentGreeting(Greeting):
    """Where the pretended Stripe is, while it takes the money."""

    async def lines(self, app: App) -> list[str]:
        """One line, when nobody is really charged."""
        return [f"Payments are pretended: {own_address(app)}/dev/stripe"] if is_pretended(app) else []
