"""A report of a profile: which sections there are, and what they say."""

from __future__ import annotations

from datetime import datetime

from segue.data.profile.profile import Profile
from segue.report.contents import columns, fitting, intake
from segue.report.people import people, tail, visits
from segue.report.section import Report, Section
from segue.report.times import drift, growth, seasons
from segue.report.words import counted, share

TELLERS = (intake, tail, people, visits, growth, seasons, drift, fitting, columns)


def report(profile: Profile, name: str, now: datetime) -> Report:
    """All sections that the data have something for; what they lack (such as times) is said, not invented."""
    told = [(teller, teller(profile)) for teller in TELLERS]
    sections: list[Section] = [section for _, section in told if section is not None]
    missing = [teller.__name__ for teller, section in told if section is None]
    return Report(
        name=name,
        made=f"{now:%Y-%m-%d %H:%M} UTC",
        facts=_facts(profile),
        sections=tuple(sections),
        left_out=tuple(_why(profile, missing)),
    )


def _facts(profile: Profile) -> tuple[tuple[str, str], ...]:
    facts = [("events", f"{profile.intake.events:,}")]
    if profile.activity:
        facts.append(("people", f"{profile.activity.people:,}"))
    if profile.tail:
        facts.append(("items with events", f"{profile.tail.items:,}"))
    if profile.growth:
        facts.append(("days", f"{profile.growth.days:,}"))
    if profile.intake.quarantined:
        facts.append(("in quarantine", share(profile.intake.quarantined / profile.intake.rows)))
    return tuple(facts)


def _why(profile: Profile, missing: list[str]) -> list[str]:
    """Why there is no section where one might look for it."""
    if profile.intake.events == 0:
        return ["There are no events yet: `segue ingest` reads them."]
    said = []
    if "growth" in missing:
        said.append("The events carry no time, so nothing is said of growth, seasons and drift.")
    elif "drift" in missing:
        said.append("All events are of one moment, so nothing is said of drift.")
    if "fitting" in missing:
        events = counted(profile.intake.events, "event")
        said.append(f"There is no catalog and no user table that the {events} could be held against.")
    return said
