"""The manifest: all that webhooks add to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.webhooks import events, jobs, permissions
from nexuscore.modules.webhooks.description import WebhookChapter
from nexuscore.modules.webhooks.figures import DeliveryFigures
from nexuscore.modules.webhooks.finding import WebhookFinder
from nexuscore.modules.webhooks.pages import pages
from nexuscore.modules.webhooks.routes import routes
from nexuscore.modules.webhooks.seeds import EndpointSeed
from nexuscore.modules.webhooks.settings import WebhookSettings
from nexuscore.modules.webhooks.tables import Attempt, Delivery, Endpoint

module = Module(
    name="webhooks",
    package=__package__,
    settings=(WebhookSettings,),
    tables=(Endpoint, Delivery, Attempt),
    routes=(routes,),
    pages=(pages,),
    events=(
        events.EndpointCreated,
        events.EndpointChanged,
        events.EndpointDeleted,
        events.SecretRotated,
        events.WebhookEnabled,
        events.WebhookDisabled,
        events.WebhookTest,
    ),
    listeners=(jobs.fan_out,),
    workers=(jobs.deliver, jobs.replay),
    schedules=(jobs.wake_the_forgotten, jobs.prune),
    permissions=(permissions.READ, permissions.MANAGE),
    contributes=(EndpointSeed(), WebhookChapter(), DeliveryFigures(), WebhookFinder()),
)
