"""axe, which looks for what keeps somebody out of a page."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _script() -> str:
    package = find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("axe.min.js").read_text()


SCRIPT = _script()
RUN = (
    "axe.run({rules: {'target-size': {enabled: true}}})"  # the one rule of WCAG 2.2 AA that axe leaves to be asked for
)


def told(found: dict[str, Any]) -> list[str]:
    """Each kind of violation, with the first element it was found on."""
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
