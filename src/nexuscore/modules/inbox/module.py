"""The manifest: all that the inbox adds to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.inbox import events, jobs, permissions
from nexuscore.modules.inbox.finding import InboundFinder
from nexuscore.modules.inbox.pages import pages
from nexuscore.modules.inbox.providers import BUILT_IN
from nexuscore.modules.inbox.routes import hooks, routes
from nexuscore.modules.inbox.settings import InboxSettings
from nexuscore.modules.inbox.slots import Handler, Provider
from nexuscore.modules.inbox.tables import Message, RememberedId

module = Module(
    name="inbox",
    package=__package__,
    settings=(InboxSettings,),
    tables=(Message, RememberedId),
    routes=(hooks, routes),
    pages=(pages,),
    events=(events.InboundRefused, events.InboundFailed, events.InboundReplayed, events.InboundMarked),
    workers=(jobs.process,),
    schedules=(jobs.requeue_overdue, jobs.prune),
    permissions=(permissions.READ, permissions.MANAGE),
    slots=(Slot(Provider), Slot(Handler)),
    contributes=(*BUILT_IN, InboundFinder()),
)
