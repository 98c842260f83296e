"""From content to PDF, by Typst. What people wrote is data to the template, never markup."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typst

TEMPLATE = Path(__file__).parent / "paper.typ"


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything that stands on a paper, written out in its language."""

    content: dict[str, Any]


def printed(paper: Paper, *, fonts: Path | None = None, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """The paper. It takes some milliseconds of CPU: call it in a thread."""
    made = typst.compile(
        TEMPLATE,
        format=form,
        ppi=110 if form == "png" else None,
        font_paths=[fonts] if fonts else [],
        ignore_system_fonts=True,
        sys_inputs={"paper": json.dumps(paper.content)},
    )
    return made if isinstance(made, bytes) else made[0]
