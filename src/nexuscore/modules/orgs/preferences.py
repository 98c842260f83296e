"""What an organisation sets for itself: every setting is declared by the module that reads it.

contributes=(orgs.Setting("billing.footer", Annotated[str, Field(max_length=200)], "", "The last line of invoices."),)
"""

from typing import Any
from weakref import WeakKeyDictionary

import pydantic
from pydantic import TypeAdapter

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.faults import fault_of
from nexuscore.modules.orgs.tables import Organisation


class Setting:
    """One setting of an organisation: its dotted name, what it may hold, what it is without being set."""

    def __init__(self, name: str, kind: Any, default: Any, meaning: str) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning
        self.holds: TypeAdapter[Any] = TypeAdapter(kind)


_known: WeakKeyDictionary[App, dict[str, Setting]] = WeakKeyDictionary()


def known(app: App) -> dict[str, Setting]:
    """Every setting an organisation has in this app."""
    found = _known.get(app)
    if found is None:
        found = _known[app] = {setting.name: setting for setting in app.fillers(Setting)}
    return found


def setting(app: App, organisation: Organisation, name: str) -> Any:
    """What an organisation has set, or the default."""
    return organisation.settings.get(name, known(app)[name].default)


def merged(app: App, before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The settings after `given` was set; null resets one. One fault for each that is unknown or does not fit."""
    after = dict(before)
    wrong: list[Fault] = []
    for name, value in given.items():
        declared = known(app).get(name)
        if declared is None:
            wrong.append(Fault(f"settings.{name}", "unknown_setting", "There is no such setting."))
        elif value is None:
            after.pop(name, None)
        else:
            try:
                after[name] = declared.holds.dump_python(declared.holds.validate_python(value), mode="json")
            except pydantic.ValidationError as error:
                wrong.append(fault_of(f"settings.{name}", error.errors(include_url=False)[0]))
    if wrong:
        raise ValidationError.of(wrong)
    return after
