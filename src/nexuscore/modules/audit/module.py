"""The manifest: all that audit adds to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.audit import develop, events, jobs, permissions
from nexuscore.modules.audit.commands import commands
from nexuscore.modules.audit.figures import FactFigures, SignInFigures
from nexuscore.modules.audit.finding import FactFinder, WholeLogFinder
from nexuscore.modules.audit.pages import pages
from nexuscore.modules.audit.retention import DEFAULTS, Retention
from nexuscore.modules.audit.routes import routes
from nexuscore.modules.audit.settings import AuditSettings
from nexuscore.modules.audit.tables import ArchivedPart, Export, Seal

module = Module(
    name="audit",
    package=__package__,
    settings=(AuditSettings,),
    tables=(Seal, ArchivedPart, Export),
    routes=(routes,),
    pages=(pages, develop.pages),
    events=(
        events.SearchedEverywhere,
        events.ExportRequested,
        events.ExportReady,
        events.ExportDownloaded,
        events.MonthArchived,
        events.ArchivePruned,
    ),
    workers=(jobs.seal_log, jobs.archive_month, jobs.prune_month, jobs.make_export),
    schedules=(jobs.seal_every_minute, jobs.move_and_remove),
    permissions=(permissions.READ, permissions.EXPORT, permissions.READ_ALL),
    slots=(Slot(Retention),),
    contributes=(*DEFAULTS, FactFigures(), SignInFigures(), FactFinder(), WholeLogFinder()),
    commands=commands,
)
