"""The plots, drawn by us as SVG: plain shapes whose colours come from the page, each with a title and a description."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count

from markupsafe import Markup, escape

from segue.report.words import cut, share, short

WIDTH, HEIGHT = 360, 196
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 12, 24
_numbers = count(1)


def bars(
    heights: Sequence[float],
    names: Sequence[str],
    title: str,
    told: str,
    over: Sequence[float] = (),
    faint: Collection[int] = (),
) -> Markup:
    """Columns from left to right; `over` is stacked on top in the second colour, those at `faint` places are paler.

    A column without a name has "".
    """
    whole = [height + (over[place] if over else 0) for place, height in enumerate(heights)]
    top = _round_up(max(whole, default=0) or 1)
    step = (WIDTH - LEFT - RIGHT) / max(len(heights), 1)
    wide = max(step - (2 if step > 6 else 0.4), 0.6)
    parts = [_grid(top)]
    for place, height in enumerate(heights):
        x, up = LEFT + place * step, _up(height, top)
        pale = " faint" if place in faint else ""
        parts.append(_rect(x, BASE - up, wide, up, "a" + pale))
        if over and over[place]:
            more = _up(over[place], top)
            parts.append(_rect(x, BASE - up - more, wide, more, "b" + pale))
    parts += _names(names, step)
    return drawing("".join(parts), title, told)


def curve(points: Sequence[tuple[float, float]], at: tuple[float, float], label: str, title: str, told: str) -> Markup:
    """A concentration curve over a square of shares, with the line of equality and one point marked."""
    wide, high = WIDTH - LEFT - RIGHT, BASE - TOP
    path = " ".join(f"{LEFT + x * wide:.1f},{BASE - y * high:.1f}" for x, y in points)
    x, y = LEFT + at[0] * wide, BASE - at[1] * high
    body = [
        _grid(1.0, percent=True),
        f'<polygon class="area" points="{LEFT},{BASE} {path} {LEFT + wide},{BASE}"/>',
        f'<polyline class="line" points="{path}"/>',
        f'<line class="even" x1="{LEFT}" y1="{BASE}" x2="{LEFT + wide}" y2="{TOP}"/>',
        f'<path class="mark" d="M{LEFT} {y:.1f}H{x:.1f}V{BASE}"/>',
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>',
        f'<text x="{x + 9:.1f}" y="{y + 15:.1f}" class="say">{escape(label)}</text>',
        *(words(LEFT + part * wide, BASE + 15, f"{part:.0%}".replace("%", " %")) for part in (0, 0.25, 0.5, 0.75)),
        words(LEFT + wide, BASE + 15, "items", "end"),
    ]
    return drawing("".join(body), title, told)


def heat(rows: Sequence[Sequence[float]], names: Sequence[str], title: str, told: str) -> Markup:
    """A grid of cells, darker where there is more; its columns are the hours of a day."""
    most = max((max(row, default=0) for row in rows), default=0) or 1
    step, high = (WIDTH - LEFT - RIGHT) / 24, (BASE - TOP) / max(len(rows), 1)
    body = []
    for line, row in enumerate(rows):
        y = TOP + line * high
        body.append(words(LEFT - 6, y + high / 2 + 4, names[line], "end"))
        for place, value in enumerate(row):
            box = f'x="{LEFT + place * step:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{high - 1:.1f}"'
            body.append(f'<rect {box} class="none"/>')
            if value:
                body.append(f'<rect {box} class="a" fill-opacity="{0.1 + 0.9 * value / most:.2f}"/>')
    body += [words(LEFT + hour * step, BASE + 15, f"{hour}h", "start") for hour in range(0, 24, 6)]
    return drawing("".join(body), title, told)


def levels(names: Sequence[str], shares: Sequence[float], labels: Sequence[str], title: str, told: str) -> Markup:
    """Horizontal bars, each on its own line below its name; `labels` stand at the right."""
    line = 34
    body = []
    for place, (name, part, label) in enumerate(zip(names, shares, labels, strict=True)):
        y = place * line
        body.append(words(0, y + 13, cut(name, 44), "start", "say"))
        body.append(words(WIDTH, y + 13, label, "end"))
        body.append(_rect(0, y + 18, WIDTH, 6, "none") + _rect(0, y + 18, max(WIDTH * part, 1 if part else 0), 6, "a"))
    return drawing("".join(body), title, told, height=max(line * len(names), line))


def moves(rows: Sequence[tuple[str, float, float]], title: str, told: str) -> Markup:
    """For each name a line from a share before (a ring) to the share now (a dot)."""
    line, most = 34, max((max(before, now) for _, before, now in rows), default=0) or 1
    body = []
    for place, (name, before, now) in enumerate(rows):
        y, wide = place * line, WIDTH - 10
        then, here = 5 + wide * before / most, 5 + wide * now / most
        body.append(words(0, y + 13, cut(name, 38), "start", "say"))
        body.append(words(WIDTH, y + 13, f"{share(before)} → {share(now)}", "end"))
        body.append(f'<line class="rule" x1="5" y1="{y + 23}" x2="{WIDTH - 5}" y2="{y + 23}"/>')
        body.append(f'<line class="line" x1="{then:.1f}" y1="{y + 23}" x2="{here:.1f}" y2="{y + 23}"/>')
        body.append(f'<circle class="ring" cx="{then:.1f}" cy="{y + 23}" r="3.5"/>')
        body.append(f'<circle class="dot" cx="{here:.1f}" cy="{y + 23}" r="3.5"/>')
    return drawing("".join(body), title, told, height=max(line * len(rows), line))


def spark(heights: Sequence[float], title: str) -> Markup:
    """A histogram as large as a word."""
    most, wide, high = max(heights, default=0) or 1, 132, 26
    step = wide / max(len(heights), 1)
    body = "".join(
        _rect(place * step, high - max(high * height / most, 1), max(step - 1, 0.6), max(high * height / most, 1), "a")
        for place, height in enumerate(heights)
        if height
    )
    return Markup('<svg class="spark" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>').format(
        wide, high, title, Markup(body)
    )


BASE = HEIGHT - BOTTOM


def drawing(body: str, title: str, told: str, height: float = HEIGHT) -> Markup:
    """Shapes as a picture with a title and a description."""
    place = next(_numbers)
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="t{p} d{p}"><title id="t{p}">{}</title>'
        '<desc id="d{p}">{}</desc>{}</svg>'
    ).format(WIDTH, height, title, told, Markup(body), p=place)


def _grid(top: float, *, percent: bool = False) -> str:
    """Three lines with what they stand for."""
    parts = []
    for part in (0.0, 0.5, 1.0):
        y = BASE - part * (BASE - TOP)
        parts.append(f'<line class="rule" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(words(LEFT - 6, y + 4, f"{part:.0%}".replace("%", " %") if percent else short(part * top), "end"))
    return "".join(parts)


def _names(names: Sequence[str], step: float) -> list[str]:
    """The names below the columns that have one: in the middle of wide columns, from the beginning of narrow ones."""
    found = [(place, name) for place, name in enumerate(names) if name]
    said = []
    for place, name in found:
        x = LEFT + place * step + (step / 2 if step >= 20 else 0)
        late = step < 20 and x + 7 * len(name) > WIDTH
        said.append(words(x, BASE + 15, name, "end" if late else "middle" if step >= 20 else "start"))
    return said


def _rect(x: float, y: float, wide: float, high: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" class="{kind}"/>'


def words(x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick") -> str:
    """A text at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _up(height: float, top: float) -> float:
    return max((BASE - TOP) * height / top, 0.8 if height else 0)


def _round_up(most: float) -> float:
    """The next of 1, 2, 4, 5, 8, 10, ... of its size, so that the lines stand at plain numbers."""
    size = 10.0 ** (len(str(int(most))) - 1)
    return next(factor * size for factor in (1, 2, 3, 4, 5, 6, 8, 10) if factor * size >= most)
