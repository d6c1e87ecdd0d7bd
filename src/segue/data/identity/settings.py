"""What the declaration may say of identity: how ids are read, who counts as whom, what a session is, what a robot."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from segue.domain.settings import Settings

Mend = Literal["trim", "lower", "nfc", "nfkc", "spaces", "zeros"]
Shared = Literal["alone", "last"]
Least = Annotated[int, msgspec.Meta(ge=2)]


class Normalise(Settings, frozen=True):
    """What is done to ids, in the order in which it is said, at ingest and to live events and requests alike.

    "trim" takes blanks off the ends, "spaces" makes any run of blanks one blank, "lower" writes small letters, "nfc"
    and "nfkc" give one form to characters that Unicode can write in several, "zeros" takes leading zeros off numbers.

    users  of users and visitors
    items  of items, in events and in the catalog
    """

    users: tuple[Mend, ...] = ()
    items: tuple[Mend, ...] = ()


class IdentitySettings(Settings, frozen=True):
    """How ids are read, and who counts as whom.

    stitch  whether a visitor who was seen together with one user counts as that user, with all that was done before
    shared  a visitor who was seen with several users stays a person of its own ("alone"), or each of its events counts
            for the user it was last seen with by then, the first one after it where there was none yet ("last")
    """

    normalise: Normalise = Normalise()
    stitch: bool = False
    shared: Shared = "alone"


class SessionSettings(Settings, frozen=True):
    """What a session is, where the log does not say.

    gap_minutes  a session ends when nothing happened for longer than this
    """

    gap_minutes: Annotated[float, msgspec.Meta(gt=0)] = 30.0


class RobotSettings(Settings, frozen=True):
    """From when on somebody is taken for a robot; several events at one moment (an order, a page) count once.

    exclude     whether learning and evaluation leave robots out
    per_minute  moments of one minute with events
    per_hour    the same of an hour
    per_day     the same of a day
    regular     moments in a row, nearly all at equal intervals of at most an hour, most with another item
    same_item   events with one item in a day
    agent       the key of the events' context that holds the user agent, such as "user_agent"
    agents      regular expressions; a person whose user agent matches one, in any case, is a robot
    """

    exclude: bool = True
    per_minute: Least = 90
    per_hour: Least = 1_500
    per_day: Least = 6_000
    regular: Least = 100
    same_item: Least = 2_000
    agent: str | None = None
    agents: tuple[str, ...] = (
        "bot\\b",
        "crawl",
        "spider",
        "slurp",
        "headless",
        "^curl/",
        "python-requests",
    )
