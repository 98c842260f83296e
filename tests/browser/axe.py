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
# The frame around pages is the same on all: one page is looked at whole, of others what is theirs and what is about a
# page as such. `target-size` is the one rule of WCAG 2.2 AA that axe leaves to be asked for.
_ASKED = "{rules: {'target-size': {enabled: true}}, resultTypes: ['violations']}"
_OF_PAGES = (
    *("document-title", "html-has-lang", "html-lang-valid", "landmark-one-main", "page-has-heading-one"),
    *("heading-order", "duplicate-id-aria", "bypass", "meta-viewport"),
)
RUN = f"axe.run({_ASKED})"
RUN_INSIDE = f"axe.run('main', {_ASKED})"
RUN_AROUND = f"axe.run({{runOnly: {list(_OF_PAGES)}, resultTypes: ['violations']}})"


def told(found: dict[str, Any]) -> list[str]:
    """Each kind of violation, with the first element it was found on."""
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
