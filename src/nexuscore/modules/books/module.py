"""The manifest: all that the books add to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.books import events, pages, permissions
from nexuscore.modules.books.chart import CHART, Account
from nexuscore.modules.books.checks import CHECKS, Check
from nexuscore.modules.books.commands import commands
from nexuscore.modules.books.routes import routes
from nexuscore.modules.books.settings import BooksSettings
from nexuscore.modules.books.tables import JournalEntry, JournalPosting

module = Module(
    name="books",
    package=__package__,
    needs=("orgs",),
    settings=(BooksSettings,),
    tables=(JournalEntry, JournalPosting),
    routes=(routes,),
    pages=(pages.pages,),
    events=(events.EntryPosted,),
    permissions=(permissions.READ,),
    slots=(Slot(Account), Slot(Check)),
    contributes=(*CHART, *CHECKS),
    commands=commands,
)
