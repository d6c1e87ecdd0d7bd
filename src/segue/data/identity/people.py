"""The people that learning counts: visitors as the users they became, robots left out."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.data.identity.robots import Robot, robots
from segue.data.identity.settings import IdentitySettings, RobotSettings
from segue.data.identity.stitch import Links, links
from segue.data.identity.turns import Turns
from segue.data.lake.snapshot import Snapshot

LEFT_OUT = -1


@dataclass(frozen=True)
class People:
    """Whom each person code counts for.

    who     int32[people]: a code, `LEFT_OUT` for a robot that is left out
    robots  those that were found, left out or not
    links   None where visitors are not stitched
    """

    who: npt.NDArray[np.int32]
    robots: tuple[Robot, ...] = ()
    links: Links | None = None

    @property
    def turns(self) -> Turns | None:
        """Whose the visitors of several users were at which time; None where they count for themselves."""
        return self.links.turns if self.links else None

    def counting(self, codes: npt.NDArray[np.int32], times: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int32]:
        """int32: whom events of person codes count for; `times`, microseconds since 1970 UTC, are for `turns` only.

        A visitor of several users who is a robot as a visitor is left out, whose turn it ever was.
        """
        who = np.append(self.who, np.int32(LEFT_OUT))  # the last is that of LEFT_OUT itself
        counts = who[codes]
        if self.turns is None or times is None:
            return counts
        return np.where(counts == LEFT_OUT, counts, who[self.turns.whose(counts, times)])

    @property
    def changes_nothing(self) -> bool:
        """Whether everybody counts, as themselves."""
        if self.turns is not None and len(self.turns.users):
            return False
        return bool((self.who == np.arange(len(self.who), dtype=np.int32)).all())

    @property
    def fingerprint(self) -> str:
        """A name of what it does to events."""
        digest = blake2b(self.who.tobytes(), digest_size=16)
        if self.turns is not None:
            for column in (self.turns.visitors, self.turns.times, self.turns.users):
                digest.update(column.tobytes())
        return digest.hexdigest()


def stitched(snapshot: Snapshot, identity: IdentitySettings) -> People:
    """Visitors as the users they became, where that is declared; nobody is left out."""
    if not identity.stitch:
        return People(np.arange(snapshot.people_count, dtype=np.int32))
    found = links(snapshot, identity.shared)
    return People(found.who, links=found)


def people(snapshot: Snapshot, identity: IdentitySettings, bots: RobotSettings, cache: Path | None = None) -> People:
    """The same, and robots left out unless the declaration keeps them."""
    known = stitched(snapshot, identity)
    found = tuple(robots(snapshot, bots, known.who, cache))
    who = known.who
    if bots.exclude and found:
        codes = np.array([robot.code for robot in found], np.int32)
        who = np.where(np.isin(who, codes), np.int32(LEFT_OUT), who)
    return People(who, found, known.links)


__all__ = ["LEFT_OUT", "People", "people", "stitched"]
