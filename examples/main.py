"""The app: everything built in, and the notes module beside it."""

from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.main import DEFAULT_MODULES

app = compose([*DEFAULT_MODULES, notes])
