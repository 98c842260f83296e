"""What was measured, beside what was promised: figures, and the tables they are printed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A promise about a figure's median."""

    limit: float
    at_least: bool = False

    def held_by(self, value: float) -> bool:
        """Whether the promise is kept."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured several times: `what` of `subject`."""

    subject: str
    what: str
    values: tuple[float, ...]
    target: Target | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def verdict(self) -> str:
        """The promise and whether it was kept; empty when nothing was promised."""
        if self.target is None:
            return ""
        return f"{self.target} {'ok' if self.target.held_by(self.median) else 'MISSED'}"

    def __str__(self) -> str:
        shown = number(self.median)
        if min(self.values) != max(self.values):
            shown += f" ({number(min(self.values))} to {number(max(self.values))})"
        return f"{shown} {self.note}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """The figure for a machine."""
        return {
            "subject": self.subject,
            "what": self.what,
            "median": self.median,
            "values": list(self.values),
            "target": None if self.target is None else str(self.target),
            "held": None if self.target is None else self.target.held_by(self.median),
            "note": self.note,
        }


def number(value: float) -> str:
    """Three figures are enough."""
    if abs(value) >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table: a line per subject, a column per measure, and what was promised."""
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    measures = list(dict.fromkeys(figure.what for figure in figures))
    promised = any(figure.target for figure in figures)
    lines = [["", *measures, *(["promised"] if promised else [])]]
    for subject in subjects:
        of = {figure.what: figure for figure in figures if figure.subject == subject}
        cells = [str(of[what]) if what in of else "" for what in measures]
        verdicts = "; ".join(figure.verdict for figure in of.values() if figure.target)
        lines.append([subject, *cells, *([verdicts] if promised else [])])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(widths[at]) for at, cell in enumerate(line)) + " |" for line in lines)
