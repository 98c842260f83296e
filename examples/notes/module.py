"""The manifest: all that notes add to an app."""

from examples.notes import events, jobs, permissions
from examples.notes.finding import NoteFinder
from examples.notes.pages import pages
from examples.notes.routes import routes
from examples.notes.tables import Note
from nexuscore.kernel.module import Module

module = Module(
    name="notes",
    package=__package__,
    tables=(Note,),
    routes=(routes,),
    pages=(pages,),
    events=(events.NoteCreated, events.NoteChanged, events.NoteDeleted, events.NoteRestored),
    listeners=(jobs.count_words_of_new,),
    workers=(jobs.count_words,),
    schedules=(jobs.empty_the_bin,),
    permissions=(permissions.READ, permissions.WRITE),
    contributes=(NoteFinder(),),
)
