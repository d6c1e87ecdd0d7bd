"""What the report says of the rows themselves: kept and refused, what fits together, and every column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segue.data.profile.joins import Covered, Joined, Joins
from segue.data.profile.profile import Profile
from segue.data.profile.tables import ColumnProfile, TableProfile
from segue.domain import columns as names
from segue.report.plots import levels, spark
from segue.report.section import Figure, Section
from segue.report.words import counted, cut, number, share

COLUMNS = 60  # of a table that are shown
TABLES = ("events", "items", "users")


def intake(profile: Profile) -> Section | None:
    """Rows kept and refused."""
    found = profile.intake
    if found.rows == 0:
        return None
    kept = found.rows - found.quarantined
    whole = counted(found.rows, "row")
    lead = (
        f"Of {whole}, {share(kept / found.rows)} are kept; {found.quarantined:,} wait in quarantine."
        if found.quarantined
        else f"All {whole} that came in are kept."
    )
    kinds = [
        ("events", found.events),
        ("items", found.items),
        ("users", found.users),
        ("in quarantine", found.quarantined),
    ]
    filled = [(name, count) for name, count in kinds if count]
    sentences = []
    if found.refused:
        first = found.refused[0]
        most = "All of them" if first.rows == found.quarantined else share(first.rows / found.quarantined)
        column = f" (column {first.column})" if first.column else ""
        sentences.append(
            f"{most} for one reason: {cut(first.reason, 120)}{column}. "
            "“segue quarantine” shows them whole; below, each letter of theirs is shown as a, each digit as 9."
        )
    rows = Figure(
        "Where the rows are",
        levels(
            [name for name, _ in filled],
            [count / found.rows for _, count in filled],
            [f"{count:,}" for _, count in filled],
            "Rows kept by table, and in quarantine",
            lead,
        ),
        [{"rows": name, "count": count, "share": share(count / found.rows)} for name, count in filled],
        "project.profile().intake",
        found,
    )
    types = _types(profile, sentences)
    return Section("intake", "What came in", lead, tuple(sentences), (rows, *types, *_reasons(profile)))


def _types(profile: Profile, sentences: list[str]) -> list[Figure]:
    """What kinds of events there are, and how many clicks come on the impressions."""
    if not profile.intake.events:
        return []
    top, whole = profile.events[names.TYPE].top, profile.intake.events
    counts = dict(top)
    if counts.get("impression") and counts.get("click"):
        sentences.append(
            f"{counts['click']:,} clicks come on {counts['impression']:,} impressions, "
            f"{share(counts['click'] / counts['impression'])}."
        )
    if len(top) == 1:
        return []
    plot = levels(
        [name for name, _ in top[:6]],
        [count / whole for _, count in top[:6]],
        [f"{count:,}" for _, count in top[:6]],
        "Events by type",
        f"{top[0][0]} is the commonest",
    )
    table = [{"type": name, "events": count, "share": share(count / whole)} for name, count in top]
    return [Figure("Events by type", plot, table, 'project.profile().events["type"].top', top)]


def _reasons(profile: Profile) -> list[Figure]:
    refused = profile.intake.refused
    if not refused:
        return []
    whole = profile.intake.quarantined
    plot = levels(
        [cut(each.reason, 44) for each in refused[:6]],
        [each.rows / whole for each in refused[:6]],
        [f"{each.rows:,}" for each in refused[:6]],
        "Rows in quarantine by reason",
        f"{refused[0].reason} leads",
    )
    return [
        Figure(
            "Why rows were refused" if len(refused) > 1 else "The shape of some refused rows",
            plot if len(refused) > 1 else Markup(""),
            [
                {
                    "reason": cut(each.reason, 120),
                    "rows": each.rows,
                    "place": f"{cut(example.file.rsplit('/', 1)[-1], 40)}:{example.line}",
                    "shape": cut(example.shape, 120),
                }
                for each in refused
                for example in each.examples
            ],
            "project.profile().intake.refused",
            refused,
        )
    ]


def fitting(profile: Profile) -> Section | None:
    """Ids that lead somewhere, and what the catalog says."""
    found, covered = profile.joins, profile.coverage
    told = [
        (name, joined)
        for name, joined in (
            ("events whose item is in the catalog", found.events),
            ("items of events in the catalog", found.items),
            ("users of events in the user table", found.people),
        )
        if joined is not None
    ]
    if not told and not covered:
        return None
    sentences, lead = [], "Nothing that the events name is in the catalog or in the user table."
    if found.events is not None:
        lead = f"The catalog knows the item of {share(found.events.share)} of the events."
        if found.events.examples:
            missing = ", ".join(cut(item, 30) for item, _ in found.events.examples[:6])
            sentences.append(
                f"{counted(found.items.of - found.items.known if found.items else 0, 'item')} of the log "
                f"{'is' if len(found.events.examples) == 1 else 'are'} not in it, such as {missing}."
            )
    if found.people is not None:
        sentences.append(
            f"The user table knows {share(found.people.share)} of the {found.people.of:,} users of the log."
        )
    lacking = [each for each in covered if each.share < 1]
    for each in lacking[:3]:
        part = f", {share(each.events)} of the events" if each.events is not None else ""
        sentences.append(f"{share(each.share)} of the items have {_article(each.column)}{part}.")
    if (titles := _titles(profile)) is not None:
        sentences.append(titles)
    figures = ([_led(found, told, lead)] if told else []) + ([_covered(covered, lead)] if covered else [])
    return Section("fitting", "What fits together", lead, tuple(sentences), tuple(figures))


def _led(found: Joins, told: list[tuple[str, Joined]], lead: str) -> Figure:
    """The share of ids that are known on the other side."""
    return Figure(
        "Ids that lead somewhere",
        levels(
            [name for name, _ in told],
            [joined.share for _, joined in told],
            [share(joined.share) for _, joined in told],
            "Share of ids that are known on the other side",
            lead,
        ),
        [{"what": name, "known": joined.known, "of": joined.of, "share": share(joined.share)} for name, joined in told],
        "project.profile().joins",
        found,
    )


def _covered(covered: Sequence[Covered], lead: str) -> Figure:
    """The share of items that have each column filled."""
    return Figure(
        "What the catalog says about its items",
        levels(
            [each.column for each in covered],
            [each.share for each in covered],
            [share(each.share) for each in covered],
            "Share of items that have the column filled",
            lead,
        ),
        [
            {
                "column": each.column,
                "items": share(each.share),
                "of the events": "" if each.events is None else share(each.events),
            }
            for each in covered
        ],
        "project.profile().coverage",
        covered,
    )


def _titles(profile: Profile) -> str | None:
    """Whether one thing seems to be in the catalog under several ids."""
    title = next((column for column in profile.items.filled if column.name == names.TITLE), None)
    if title is None or not title.distinct or title.distinct > 0.99 * (title.of - title.missing):
        return None
    given = counted(title.of - title.missing, "item")
    return f"{given} have {title.distinct:,} different titles: some things are there under several ids."


def _article(column: str) -> str:
    return {names.CATEGORIES: "categories", names.TEXT: "a text", names.IMAGE: "an image"}.get(column, f"a {column}")


@dataclass(frozen=True)
class Row:
    """One column as the page draws it."""

    table: str
    name: str
    type: str
    missing: str
    distinct: str
    plot: Markup
    told: str


def columns(profile: Profile) -> Section | None:
    """Every column that holds something."""
    tables = [table for table in (getattr(profile, name) for name in TABLES) if table.count]
    if not tables:
        return None
    rows = [_row(table, column) for table in tables for column in table.filled[:COLUMNS] if column.name not in _OURS]
    rows = [row for row in rows if row.told or row.distinct]
    gappy = [
        (table, column)
        for table in tables
        for column in table.filled
        if column.missing_share >= 0.01 and column.name not in _OURS
    ]
    lead = (
        f"{counted(len(gappy), 'column has', 'columns have')} gaps, {gappy[0][0].name}.{gappy[0][1].name} among them."
        if gappy
        else "No column that is used has gaps worth telling."
    )
    worst = sorted(gappy, key=lambda pair: -pair[1].missing_share)[:3]
    sentences = [
        f"{table.name}.{column.name} is missing in {share(column.missing_share)} of {column.of:,} rows."
        for table, column in worst
    ]
    figures = tuple(
        Figure(
            f"The columns of {table.name}, as numbers",
            Markup(""),
            table.rows()[:COLUMNS],
            f"project.profile().{table.name}.rows()[:{COLUMNS}]",
            table.rows()[:COLUMNS],
        )
        for table in tables
    )
    return Section("columns", "Column by column", lead, tuple(sentences), figures, tuple(rows))


_OURS = {names.BATCH, names.RECEIVED, names.ORDER, names.DAY}  # said by Segue, not by the data


def _row(table: TableProfile, column: ColumnProfile) -> Row:
    told, plot = column.told(), Markup("")
    if column.numbers:
        plot = spark([bar.count for bar in column.numbers.bars], f"Distribution of {column.name}")
        low, middle, high = (number(column.numbers.quantiles[part]) for part in (0.05, 0.5, 0.95))
        told = f"median {middle}, nine of ten from {low} to {high}"
    elif column.top:
        if len(column.top) > 2:
            plot = spark([count for _, count in column.top], f"The commonest values of {column.name}")
        given = column.of - column.missing
        told = ", ".join(f"{cut(value, 28)} ({share(count / given)})" for value, count in column.top[:3])
    missing = share(column.missing_share) if column.missing else ""
    distinct = "" if column.distinct is None else f"{column.distinct:,}"
    return Row(table.name, cut(column.name, 40), column.type, missing, distinct, plot, told)
