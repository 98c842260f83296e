"""The manifest: all that usage adds to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.usage import events, jobs, permissions, tables
from nexuscore.modules.usage.routes import routes
from nexuscore.modules.usage.settings import UsageSettings

module = Module(
    name="usage",
    package=__package__,
    needs=("orgs",),
    settings=(UsageSettings,),
    tables=tables.ALL,
    routes=(routes,),
    events=events.ALL,
    workers=(jobs.let_go,),
    schedules=(jobs.expire,),
    permissions=permissions.ALL,
)
