"""The plots of a leaderboard: values with their intervals, quality against cost, and curves that grow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from segue.report.plots import BASE, HEIGHT, RIGHT, TOP, WIDTH, drawing, words
from segue.report.words import cut, number

COLOURS = 2  # that the page has; further curves are told apart by their dashes
MARGIN = 46  # at the left of quality, whose numbers have four digits


@dataclass(frozen=True)
class Point:
    """A model at a cost: its quality with its interval."""

    name: str
    cost: float
    value: float
    low: float
    high: float


def intervals(points: Sequence[Point], title: str, told: str) -> Markup:
    """A line for each model, best first: its value as a dot on its interval, all on one scale."""
    low, high = min(point.low for point in points), max(point.high for point in points)
    span, line = (high - low) or 1.0, 34
    body = []
    for place, point in enumerate(points):
        y = place * line

        def across(value: float) -> float:
            return 5 + (WIDTH - 10) * (value - low) / span

        body.append(words(0, y + 13, cut(point.name, 36), "start", "say"))
        body.append(words(WIDTH, y + 13, f"{point.value:.4f}", "end"))
        body.append(f'<line class="rule" x1="5" y1="{y + 23}" x2="{WIDTH - 5}" y2="{y + 23}"/>')
        ends = f'x1="{across(point.low):.1f}" x2="{across(point.high):.1f}"'
        body.append(f'<line class="line" {ends} y1="{y + 23}" y2="{y + 23}"/>')
        body.append(f'<circle class="dot" cx="{across(point.value):.1f}" cy="{y + 23}" r="3.5"/>')
    return drawing("".join(body), title, told, height=max(line * len(points), line))


def costs(points: Sequence[Point], unit: str, title: str, told: str, better: int = 1) -> Markup:
    """Quality upward against a cost to the right, which grows by factors; the unbeaten (see there) are lined."""
    frame = _Frame([point.cost for point in points], [edge for point in points for edge in (point.low, point.high)])
    body = [frame.grid(unit)]
    front = [(frame.x(point.cost), frame.y(point.value)) for point in unbeaten(points, better)]
    body.append(f'<polyline class="even" fill="none" points="{_path(front)}"/>')
    for point in points:
        x, y = frame.x(point.cost), frame.y(point.value)
        body.append(f'<path class="line" d="M{x:.1f} {frame.y(point.low):.1f}V{frame.y(point.high):.1f}"/>')
        body.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        right = x > (WIDTH + MARGIN) / 2
        body.append(words(x - 7 if right else x + 7, y + 4, cut(point.name, 20), "end" if right else "start", "say"))
    return drawing("".join(body), title, told)


def curves(lines: Mapping[str, Sequence[Point]], unit: str, title: str, told: str) -> Markup:
    """Quality upward against how much was learned from, to the right by factors; a line for each model."""
    every = [point for line in lines.values() for point in line]
    frame = _Frame([point.cost for point in every], [point.value for point in every])
    body = [frame.grid(unit)]
    for place, (name, line) in enumerate(lines.items()):
        path = _path([(frame.x(point.cost), frame.y(point.value)) for point in line])
        body.append(f'<polyline class="line l{place % COLOURS} d{place // COLOURS}" points="{path}"/>')
        end = line[-1]
        body.append(words(frame.x(end.cost) - 4, frame.y(end.value) - 6, cut(name, 24), "end", "say"))
    return drawing("".join(body), title, told)


def unbeaten(points: Sequence[Point], better: int = 1) -> list[Point]:
    """Those that no other reaches at the same cost or less, cheapest first; `better` is -1 where less is better.

    >>> cheap, dear, bad = Point("a", 1, 0.2, 0, 1), Point("b", 9, 0.3, 0, 1), Point("c", 5, 0.1, 0, 1)
    >>> [point.name for point in unbeaten([dear, bad, cheap])]
    ['a', 'b']
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -better * point.value)):
        if not front or better * point.value > better * front[-1].value:
            front.append(point)
    return front


class _Frame:
    """Where values stand: costs by factors from left to right, qualities upward."""

    def __init__(self, costs: Sequence[float], values: Sequence[float]) -> None:
        known = [cost for cost in costs if cost > 0]
        least, most = (math.log10(min(known)), math.log10(max(known))) if known else (0.0, 1.0)
        self.left, self.right = (least - 0.1, most + 0.1) if most - least > 0.05 else (least - 0.5, most + 0.5)
        self.low, self.high = min(values), max(values)
        if self.low == self.high:
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def x(self, cost: float) -> float:
        place = (math.log10(max(cost, 10**self.left)) - self.left) / (self.right - self.left)
        return MARGIN + place * (WIDTH - MARGIN - RIGHT)

    def y(self, value: float) -> float:
        return BASE - (BASE - TOP) * (value - self.low) / (self.high - self.low)

    def grid(self, unit: str) -> str:
        parts = []
        for share in (0.0, 0.5, 1.0):
            value = self.low + share * (self.high - self.low)
            y = self.y(value)
            parts.append(f'<line class="rule" x1="{MARGIN}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
            parts.append(words(MARGIN - 6, y + 4, f"{value:.3f}", "end"))
        parts += [words(self.x(cost), BASE + 15, number(cost)) for cost in self._ticks()]
        parts.append(words(WIDTH - RIGHT, HEIGHT + 4, unit, "end"))
        return "".join(parts)

    def _ticks(self) -> list[float]:
        """Powers of ten, or the ends where there are fewer than two of them."""
        powers = [10.0**power for power in range(math.ceil(self.left), math.floor(self.right) + 1)]
        return powers if len(powers) > 1 else [10 ** (self.left + 0.1), 10 ** (self.right - 0.1)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return escape(" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


__all__ = ["Point", "costs", "curves", "intervals", "unbeaten"]
