"""Bar charts over time as plain geometry for a template to draw: no script, no inline style, and text beside them.

A chart is 100 high and each bar is 10 wide; the stylesheet stretches the drawing to its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import format_decimal, gettext

WIDE, HIGH = 10, 100
GAP = 1.5
TICKS = 5


@dataclass(frozen=True)
class Series:
    """One segment of every bar: its name, its tone (a class of the stylesheet) and its value in each bar."""

    name: str
    tone: str
    values: Sequence[int]


@dataclass(frozen=True)
class BarSegment:
    """One segment of a bar, as a rectangle."""

    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A bar from the bottom up, and its description in words."""

    x: int
    words: str
    parts: list[BarSegment]


@dataclass(frozen=True)
class Chart:
    """What a template needs. `sentence` sums the chart up; `marks` are the labels of the vertical axis, from the top;
    `ticks` those of the horizontal axis, from left to right; `before` is the line of the totals of the period before,
    as the points of a polyline; empty without any."""

    name: str
    title: str
    sentence: str
    series: list[Series]
    bars: list[Bar]
    marks: list[int]
    ticks: list[str]
    before: str = ""

    @property
    def width(self) -> int:
        """Width of the whole drawing."""
        return len(self.bars) * WIDE


def stacked(
    name: str,
    title: str,
    sentence: str,
    series: Sequence[Series],
    bars: Sequence[str],
    ticks: list[str],
    before: Sequence[int] = (),
) -> Chart:
    """A stacked bar chart; a series without any value is left out. `bars` has the name of each bar, `ticks` a short
    form of it, and `before` the total of each bar in the period before, if that has as many."""
    shown = [one for one in series if any(one.values)]
    before = before if len(before) == len(bars) and any(before) else ()
    sums = [sum(values) for values in zip(*(one.values for one in shown), strict=True)]
    top = nice(max([*sums, *before], default=0))
    drawn = [_bar(place, bar, shown, top, before[place] if before else None) for place, bar in enumerate(bars)]
    marks = [top, top // 2, 0] if top % 2 == 0 else [top, 0]
    heights = [round(HIGH - value / top * HIGH, 2) for value in before]
    line = " ".join(f"{place * WIDE},{y} {place * WIDE + WIDE},{y}" for place, y in enumerate(heights))
    return Chart(name, title, sentence, shown, drawn, marks, _few(ticks), line)


def nice(value: int) -> int:
    """The next round number up, for the top of an axis."""
    size = 10 ** max(0, len(str(value)) - 1)
    return next(step * size for step in (1, 2, 4, 5, 6, 8, 10) if step * size >= value)


def _bar(place: int, name: str, shown: Sequence[Series], top: int, before: int | None) -> Bar:
    parts, below = [], 0.0
    for one in shown:
        height = one.values[place] / top * HIGH
        if height:
            y = round(HIGH - below - height, 2)
            parts.append(BarSegment(one.tone, place * WIDE + GAP / 2, y, WIDE - GAP, round(height, 2)))
        below += height
    described = [f"{one.name}: {format_decimal(one.values[place])}" for one in shown if one.values[place]] or ["0"]
    if before is not None:
        described.append(gettext("before: %(n)s", n=format_decimal(before)))
    return Bar(place * WIDE, f"{name}\n{', '.join(described)}", parts)


def _few(ticks: list[str]) -> list[str]:
    """The first, the last, and a few evenly spaced between them."""
    if len(ticks) <= TICKS:
        return ticks
    last = len(ticks) - 1
    count = next((count for count in (TICKS, 4, 3) if last % (count - 1) == 0), 4)
    return [ticks[round(place * last / (count - 1))] for place in range(count)]
