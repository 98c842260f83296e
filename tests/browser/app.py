"""What the browser looks at: the notes alone, with the development token."""

from examples.notes.module import module as notes
from nexuscore.kernel.app import compose

app = compose([notes])
