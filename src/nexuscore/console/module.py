"""The manifest: all that the console's frame adds to an app."""

from nexuscore.console import assets, develop, figures, installation, jobs, kit, pages, tables
from nexuscore.console.drafts import DRAFTS, sweep_drafts
from nexuscore.console.frame import ConsoleFrame
from nexuscore.console.settings import ConsoleSettings
from nexuscore.kernel.module import Module

module = Module(
    name="console",
    package=__package__,
    settings=(ConsoleSettings,),
    tables=(tables.Draft,),
    routes=(assets.routes,),
    pages=(pages.pages, jobs.pages, installation.pages, develop.pages, kit.pages),
    limits=(DRAFTS,),
    permissions=(figures.JOBS, figures.LOAD, installation.INSTALLATION, develop.SOW),
    schedules=(sweep_drafts,),
    contributes=(ConsoleFrame(), figures.RequestFigures(), figures.JobFigures()),
)
