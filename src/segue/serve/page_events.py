"""What the page's session may send and read: answers to the page's own lists, and those lists."""

from __future__ import annotations

from collections.abc import Sequence

from segue.data.journal.journal import Journal
from segue.domain.decisions import Decision
from segue.domain.events import IMPRESSION, Event
from segue.serve.problems import Refusal

VIA = ("via", "page")  # in the context of every decision that the page made
TYPES = (IMPRESSION, "click")


def made_by_page(decision: Decision) -> bool:
    """Whether the page asked for this list."""
    name, page = VIA
    return decision.context.get(name) == page


def check_answers(events: Sequence[Event], journal: Journal) -> None:
    """A `Refusal` unless each event is what a person on the page saw or clicked in a list that the page made."""
    decisions: dict[str, Decision | None] = {}
    for index, event in enumerate(events):
        identifier = event.decision or ""
        if identifier not in decisions:
            decisions[identifier] = journal.decision(identifier) if identifier else None
        if not _answers(event, decisions[identifier]):
            raise Refusal(
                "beyond_page",
                "the page sends impressions and clicks of what its own lists showed, and nothing else",
                where=f"event {index}",
                mend="load the page again where it was open for long; send other events with an API key",
            )


def _answers(event: Event, decision: Decision | None) -> bool:
    return (
        decision is not None
        and made_by_page(decision)
        and event.type in TYPES
        and (event.user, event.visitor) == (decision.user, decision.visitor)
        and (event.item, event.position) in {(shown.item, shown.position) for shown in decision.shown}
    )
