"""What the report says of time: growth, the hours of the week, gaps, and what changed lately."""

from __future__ import annotations

from datetime import date

from segue.data.profile.calendar import Growth, Period
from segue.data.profile.drift import Shift
from segue.data.profile.profile import Profile
from segue.report.plots import bars, heat, moves
from segue.report.section import Figure, Section
from segue.report.words import counted, cut, share

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
LONG_GAP_H = 24.0


def growth(profile: Profile) -> Section | None:
    """Events, people and items over time."""
    found = profile.growth
    if found is None:
        return None
    whole = [period for period in found.periods if period.whole] or list(found.periods)
    most = max(whole, key=lambda period: period.events)
    lead = _trend(found, whole)
    when = {"day": f"on {most.start:%-d %B %Y}", "week": f"in the week of {most.start:%-d %B %Y}"}
    sentences = [
        f"The log goes from {found.first:%-d %B %Y} to {found.last:%-d %B %Y}, {counted(found.days, 'day')}.",
        f"The most events came {when.get(found.unit, f'in {most.start:%B %Y}')}: {most.events:,}.",
    ]
    if len(whole) > 2:
        late = whole[-1]
        back = share(late.returning / late.people) if late.people else "0 %"
        sentences.append(f"In the last whole {found.unit}, {back} of {late.people:,} people had been there before.")
    return Section("growth", "Growth", lead, tuple(sentences), _by_period(found, lead))


def _by_period(found: Growth, lead: str) -> tuple[Figure, ...]:
    """Events, people and items of each period."""
    names = _starts([period.start for period in found.periods])
    table = [_row(period) for period in found.periods]
    per = f"by {found.unit}"
    partly = {place for place, period in enumerate(found.periods) if not period.whole}
    return (
        Figure(
            f"Events {per}",
            bars([period.events for period in found.periods], names, f"Events {per}", lead, faint=partly),
            [{"from": row["from"], "events": row["events"]} for row in table],
            "[period.events for period in project.profile().growth.periods]",
            [period.events for period in found.periods],
        ),
        Figure(
            f"People {per}",
            bars(
                [period.returning for period in found.periods],
                names,
                f"Returning and new people {per}",
                lead,
                [period.new for period in found.periods],
                partly,
            ),
            [{"from": row["from"], "returning": row["returning"], "new": row["new"]} for row in table],
            "[(period.returning, period.new) for period in project.profile().growth.periods]",
            [(period.returning, period.new) for period in found.periods],
            ("returning", "new"),
        ),
        Figure(
            f"Different items {per}",
            bars([period.items for period in found.periods], names, f"Items with events {per}", lead, faint=partly),
            [{"from": row["from"], "items": row["items"]} for row in table],
            "[period.items for period in project.profile().growth.periods]",
            [period.items for period in found.periods],
        ),
    )


def _trend(found: Growth, whole: list[Period]) -> str:
    """The first third of the whole periods against the last."""
    third = len(whole) // 3
    if not third:
        return f"The log covers {counted(found.days, 'day')}: too few to speak of growth."
    before = sum(period.events for period in whole[:third]) / third
    after = sum(period.events for period in whole[-third:]) / third
    if not before:
        return f"The last third of the log has {after:,.0f} events a {found.unit}, the first none."
    ratio, numbers = after / before, f"{after:,.0f} against {before:,.0f}"
    if ratio <= 0.9:
        return f"Towards the end, a {found.unit} has {share(1 - ratio)} fewer events than at the beginning ({numbers})."
    many = f"{ratio:.1f} times"
    word = "about" if ratio < 1.1 else {"2.0 times": "twice"}.get(many, many)
    return f"Towards the end, a {found.unit} has {word} as many events as at the beginning ({numbers})."


def _row(period: Period) -> dict[str, object]:
    return {
        "from": period.start.isoformat() + ("" if period.whole else " (in part)"),
        "events": period.events,
        "returning": period.returning,
        "new": period.new,
        "items": period.items,
    }


def _starts(days: list[date]) -> list[str]:
    """Names of the first, of some between and of the last period: as many as there is room for."""
    every = max(1, -(-len(days) // 4))
    long = (days[-1] - days[0]).days > 300
    names = ["" for _ in days]
    for place in range(0, len(days), every):
        names[place] = f"{days[place]:%b %y}" if long else f"{days[place]:%-d %b}"
    return names


def seasons(profile: Profile) -> Section | None:
    """The hours of the week, and when nothing came."""
    found = profile.seasons
    if found is None:
        return None
    by_hour = [sum(day[hour] for day in found.by_hour) for hour in range(24)]
    whole = sum(by_hour)
    fortnight = profile.growth is not None and profile.growth.days >= 14
    day = DAYS[found.by_weekday.index(max(found.by_weekday))]
    lead = _busiest(by_hour) + (f", and most on {day}." if fortnight else ".")
    sentences = []
    never = [name for name, events in zip(DAYS, found.by_weekday, strict=True) if not events]
    if never and fortnight:
        sentences.append(f"Nothing ever came on {' and '.join(never)}.")
    if found.silent:
        sentences.append(f"{counted(found.silent, 'day has', 'days have')} no event at all.")
    if found.gaps and found.gaps[0].hours >= LONG_GAP_H:
        gap = found.gaps[0]
        sentences.append(
            f"The longest silence lasted {gap.hours / 24:.1f} days, "
            f"from {gap.start:%-d %B %Y %H:%M} to {gap.end:%-d %B %Y %H:%M}."
        )
    week = Figure(
        f"Events by weekday and hour ({found.timezone})",
        heat(found.by_hour, WEEKDAYS, "Events by weekday and hour", lead),
        [
            {"day": name, "events": events, "share": share(events / whole)}
            for name, events in zip(WEEKDAYS, found.by_weekday, strict=True)
        ],
        "project.profile().seasons.by_hour",
        found.by_hour,
    )
    silences = Figure(
        "The longest silences, in hours",
        bars(
            [gap.hours for gap in found.gaps], [f"{gap.start:%-d %b}" for gap in found.gaps], "Hours of silence", lead
        ),
        [
            {"from": f"{gap.start:%Y-%m-%d %H:%M}", "to": f"{gap.end:%Y-%m-%d %H:%M}", "hours": gap.hours}
            for gap in found.gaps
        ],
        "project.profile().seasons.gaps",
        found.gaps,
    )
    return Section("seasons", "Hours and days", lead, tuple(sentences), (week, silences) if found.gaps else (week,))


def _busiest(by_hour: list[int]) -> str:
    """The shortest stretch of hours with half of all events."""
    whole = sum(by_hour)
    for length in range(1, 25):
        starts = [sum(by_hour[(start + hour) % 24] for hour in range(length)) for start in range(24)]
        if max(starts) >= whole / 2:
            start = starts.index(max(starts))
            break
    until = (start + length) % 24
    return f"Half of all events come between {start}:00 and {until}:00"


def drift(profile: Profile) -> Section | None:
    """What changed lately."""
    found = profile.drift
    if found is None or not found.shifts:
        return None
    most = found.shifts[0]
    since = f"{found.since:%-d %B %Y}"
    changed = [shift for shift in found.shifts if shift.word != "steady"]
    verb = "is" if len(changed) == 1 and changed[0].of in _SINGLE else "are"
    lead = (
        f"Since {since}, {_listed([_of(shift) for shift in changed])} {verb} no longer what "
        f"{'it was' if verb == 'is' else 'they were'}."
        if changed
        else f"The events since {since} are much like those before."
    )
    sentences = (
        f"Held against each other: {counted(found.recent, 'event')} since then, {found.before:,} before. "
        f"An index (PSI) under 0.1 is taken for steady, over 0.25 for changed; "
        f"the largest here is {most.psi:.2f}, of {_of(most)}.",
    )
    plural = [shift for shift in found.shifts if len(shift.moved) > 1]
    told = [shift for shift in plural if shift.word != "steady"][:4] or plural[:2]
    figures = tuple(
        Figure(
            f"{_of(shift).capitalize()}: {shift.word}, index {shift.psi:.2f}",
            moves(
                [(_value(shift, each.value), each.before, each.recent) for each in shift.moved],
                f"Shares of events by {shift.of}, before and since",
                f"index {shift.psi:.2f}",
            ),
            [
                {shift.of: cut(each.value, 60), "before": share(each.before), "since": share(each.recent)}
                for each in shift.moved
            ],
            f'next(shift for shift in project.profile().drift.shifts if shift.of == "{shift.of}")',
            shift,
            ("since", "before"),
        )
        for shift in told
    )
    return Section("drift", "What changed lately", lead, sentences, figures)


_WORDS = {
    "type": "the mix of event types",
    "item": "the items people meet",
    "category": "the categories people meet",
    "hour": "the hours of the day",
    "value": "the values of events",
    "quantity": "the quantities",
}


_SINGLE = {"type"}


def _of(shift: Shift) -> str:
    return _WORDS[shift.of]


def _value(shift: Shift, value: str) -> str:
    return f"{value}:00" if shift.of == "hour" else value


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
