"""How lists look: columns for people, plain enough for `grep`."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import typer


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns. On a terminal the last column is wrapped to its width."""
    lines = [[str(head).upper() for head in heads], *[["" if v is None else str(v) for v in row] for row in rows]]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads) - 1)]
    indent = sum(widths) + 2 * len(widths)
    room = shutil.get_terminal_size().columns - indent
    for line in lines:
        start = "".join(f"{cell:{width}}  " for cell, width in zip(line, widths, strict=False))
        tail = textwrap.wrap(line[-1], room) if sys.stdout.isatty() and room > 20 else [line[-1]]
        typer.echo((start + f"\n{' ' * indent}".join(tail)).rstrip())
