"""Small charts as numbers for an inline SVG: lines and bars in a box of 100 by 28."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 100.0, 28.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    x: float
    y: float
    width: float
    height: float
    value: float


def line(series: Sequence[float], height: float = HEIGHT) -> str:
    """The path of a line through a series, oldest first."""
    if len(series) < 2:
        return ""
    top, low = max(series), min(0.0, *series)
    span = (top - low) or 1.0
    step = WIDTH / (len(series) - 1)
    heights = [height - 1 - (value - low) / span * (height - 2) for value in series]
    points = [f"{at * step:.1f},{y:.1f}" for at, y in enumerate(heights)]
    return "M" + "L".join(points)


def area(series: Sequence[float], height: float = HEIGHT) -> str:
    """The same, closed at the foot."""
    path = line(series, height)
    return f"{path}L{WIDTH:.0f},{height:.0f}L0,{height:.0f}Z" if path else ""


def bars(series: Sequence[float], height: float = HEIGHT) -> list[Bar]:
    """One bar for each number."""
    if not series:
        return []
    top = max(series) or 1.0
    step = WIDTH / len(series)
    gap = min(1.0, step * 0.25)
    return [
        Bar(
            round(at * step + gap / 2, 2),
            round(height - value / top * (height - 1), 2),
            round(step - gap, 2),
            round(value / top * (height - 1), 2),
            value,
        )
        for at, value in enumerate(series)
    ]
