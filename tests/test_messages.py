"""Every mail of the shipped app, in every language: a module adds its own by being there."""

from nexuscore.kernel import i18n
from nexuscore.main import app
from nexuscore.modules.mail.testing import faults_of_messages


def test_every_message_reads_well_in_every_language() -> None:
    i18n.install(i18n.Catalogues.load(module.locale for module in app.modules if module.locale))
    assert faults_of_messages(app) == []
