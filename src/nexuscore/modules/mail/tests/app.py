"""The app of the crash test, for a worker in a process of its own."""

from nexuscore.kernel.app import compose
from nexuscore.modules.mail.module import module
from nexuscore.modules.mail.tests.probe import probe

app = compose([module, probe])
