"""What the report says of items and people: the long tail, and how much people do."""

from __future__ import annotations

from itertools import pairwise

from segue.data.profile.activity import Activity, Band
from segue.data.profile.profile import Profile
from segue.data.profile.visits import Robots
from segue.report.plots import bars, curve, levels
from segue.report.section import Figure, Section
from segue.report.words import counted, cut, share


def tail(profile: Profile) -> Section | None:
    """How unevenly events fall on items."""
    found = profile.tail
    if found is None:
        return None
    half = found.needed(0.5)
    lead = f"Half of all events fall on {share(half)} of the items."
    sentences = [
        f"The most popular 1 % have {share(found.share(0.01))} of the events, 10 % have {share(found.share(0.1))}, "
        f"20 % have {share(found.share(0.2))}; Gini’s coefficient is {found.gini:.2f}."
    ]
    if found.single:
        sentences.append(
            f"{counted(found.single, 'item has', 'items have')} a single event, {share(found.single / found.items)} "
            "of those with any: nothing that learns from events alone can say much about them."
        )
    if found.catalog:
        never = share(found.untouched / found.catalog)
        sentences.append(
            f"Of {found.catalog:,} items in the catalog, {found.untouched:,} ({never}) were never met."
            if found.untouched
            else f"Every one of the {found.catalog:,} items in the catalog was met at least once."
        )
    shares = [
        {"items, most popular first": f"{part:.0%}", "of the events": share(found.share(part))} for part in _PARTS
    ]
    lorenz = Figure(
        title="How events pile up on items",
        plot=curve(found.curve, (half, 0.5), f"half, on {share(half)}", "Share of events by share of items", lead),
        table=shares,
        python="project.profile().tail.curve",
        value=found.curve,
    )
    names = [cut(each.title or each.item, 60) for each in found.top]
    top = Figure(
        title="The most met items",
        plot=levels(
            names[:6],
            [each.events / found.top[0].events for each in found.top[:6]],
            [f"{each.events:,}" for each in found.top[:6]],
            "Events of the most popular items",
            f"{names[0]} leads",
        ),
        table=[{"item": name, "events": each.events} for name, each in zip(names, found.top, strict=True)],
        python="project.profile().tail.top",
        value=found.top,
    )
    return Section("tail", "The long tail", lead, tuple(sentences), (lorenz, top))


FEW = 3  # events; a log in which nobody has fewer was thinned
_PARTS = (0.01, 0.05, 0.1, 0.2, 0.5)


def people(profile: Profile) -> Section | None:
    """How much people do."""
    found = profile.activity
    if found is None:
        return None
    median = found.quantiles[0.5]
    busiest = share(found.busiest)
    lead = f"The median person has {counted(median, 'event')}; the busiest hundredth have {busiest} of all events."
    sentences = [
        _spread(found.quantiles),
    ]
    sentences += _limits(found)
    if found.single:
        sentences.append(
            f"{counted(found.single, 'person has', 'people have')} a single event "
            f"({share(found.single / found.people)}): what to show them next has to come "
            "from what everybody likes, or from the item itself."
        )
    names = [_band(band) for band in found.bands]
    every = 1 + len(names) // 7
    shown = [str(band.low) if place % every == 0 else "" for place, band in enumerate(found.bands)]
    table = [
        {"events": name, "people": band.people, "share of people": share(band.people / found.people)}
        for name, band in zip(names, found.bands, strict=True)
    ]
    by_people = Figure(
        title="People by how many events they have",
        plot=bars([band.people for band in found.bands], shown, "People by number of events", lead),
        table=table,
        python="project.profile().activity.bands",
        value=found.bands,
    )
    by_events = Figure(
        title="Events by how many their person has",
        plot=bars([band.events for band in found.bands], shown, "Events by activity of the person", lead),
        table=[
            {"events": name, "together": band.events, "share of events": share(band.events / found.events)}
            for name, band in zip(names, found.bands, strict=True)
        ],
        python="[band.events for band in project.profile().activity.bands]",
        value=[band.events for band in found.bands],
    )
    return Section("people", "People", lead, tuple(sentences), (by_people, by_events))


def visits(profile: Profile) -> Section | None:
    """Sessions, and who is no person."""
    found, robots = profile.visits, profile.robots
    if found is None:
        return None
    half = counted(found.events[0.5], "event")
    lead = (
        "Most sessions have a single event" if found.events[0.5] == 1 else f"Half of all sessions have {half} or fewer"
    )
    lead += f"; one in ten has {found.events[0.9]:,} or more."
    ways = ["by the log’s own names"] if found.named else []
    ways += [f"by silences of more than {found.gap_minutes:g} minutes"] if found.named < found.sessions else []
    by = " and, where there are none, ".join(ways)
    alone = share(found.single / found.sessions)
    sentences = [
        f"There are {counted(found.sessions, 'session')}, told apart {by}; {alone} of them have a single event."
    ]
    if found.minutes is not None and found.minutes[0.9]:
        soon, later = _minutes(found.minutes[0.5]), _minutes(found.minutes[0.9])
        sentences.append(f"Half of them are over within {soon}, nine of ten within {later}.")
    sentences += _robots(robots)
    sizes = [*pairwise(low for low, _ in found.bands)]
    names = [str(low) if low + 1 == high else f"{low} to {high - 1}" for low, high in sizes]
    counts = [sessions for _, sessions in found.bands]
    by_size = Figure(
        title="Sessions by how many events they have",
        plot=bars(counts, [f"{low}+" if low > 2 else str(low) for low, _ in found.bands], "Sessions by size", lead),
        table=[
            {"events": name, "sessions": sessions, "share": share(sessions / found.sessions)}
            for name, sessions in zip([*names, f"{found.bands[-1][0]} or more"], counts, strict=True)
        ],
        python="project.profile().visits.bands",
        value=found.bands,
    )
    return Section("visits", "Sessions and robots", lead, tuple(sentences), (by_size,))


def _robots(found: Robots | None) -> list[str]:
    if found is None:
        return []
    if not found.found:
        return ["Nobody acts like a robot."]
    fate = "are left out of what is learned" if found.excluded else "are counted like people"
    many = f"{counted(found.found, 'robot')} with {counted(found.events, 'event')}"
    return [f"{many} {fate}; “segue robots” says why each is taken for one."]


def _minutes(minutes: float) -> str:
    if minutes < 1.5:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def _spread(quantiles: dict[float, int]) -> str:
    """What the lower, the upper and the uppermost people have, in words that hold where many have the same.

    >>> _spread({0.25: 47, 0.9: 100, 0.99: 182})
    'Three in four have 47 or more, nine in ten 100 or fewer, 99 in a hundred 182 or fewer.'
    >>> _spread({0.25: 50, 0.9: 50, 0.99: 50})
    'Three in four have 50 or more, 99 in a hundred 50 or fewer.'
    """
    low, high, top = (quantiles[share] for share in (0.25, 0.9, 0.99))
    said = [("three in four", f"{low:,} or more")] if low > 1 else []
    said += [("nine in ten", f"{high:,} or fewer")] if high < top else []
    said += [("99 in a hundred", f"{top:,} or fewer")]
    (who, what), *others = said
    rest = "".join(f", {each} {events}" for each, events in others)
    return f"{who.capitalize()} have {what}{rest}."


def _limits(found: Activity) -> list[str]:
    """What looks like the doing of whoever made the log, not of the people in it."""
    said = []
    low, high = found.quantiles[0.25], found.quantiles[0.9]
    if low == high and low > 1:
        said.append(f"Most people have exactly {low:,}: that is how the log was made, not what people do.")
    if found.least >= FEW and found.people >= 100:
        said.append(
            f"Nobody has fewer than {found.least:,}: those who did less were left out before the log came here."
        )
    return said


def _band(band: Band) -> str:
    return f"{band.low:,}" if band.low == band.high else f"{band.low:,} to {band.high:,}"
