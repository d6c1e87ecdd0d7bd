"""Which visitors became which users: the one place that says who counts as whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.identity.settings import Shared
from segue.data.identity.turns import Turns, turns
from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

SHARED: Final = -1


@dataclass(frozen=True)
class Links:
    """What the log says of visitors and users, in person codes, as of its snapshot.

    visitors  int32[links], ascending: the visitors who were seen together with a user
    users     int32[links]: the user that each became, `SHARED` where several users were seen with it
    people    how many person codes there are
    turns     whose a visitor of several users was at which time; None where such a visitor is left alone
    """

    visitors: npt.NDArray[np.int32]
    users: npt.NDArray[np.int32]
    people: int
    turns: Turns | None = None

    @cached_property
    def who(self) -> npt.NDArray[np.int32]:
        """int32[people]: whom each code counts for; a visitor of several users for itself."""
        who = np.arange(self.people, dtype=np.int32)
        became = self.users != SHARED
        who[self.visitors[became]] = self.users[became]
        return who

    @property
    def stitched(self) -> int:
        """How many visitors count as a user."""
        return int((self.users != SHARED).sum())

    @property
    def shared(self) -> npt.NDArray[np.int32]:
        """The visitors whom several users were seen with."""
        shared: npt.NDArray[np.int32] = self.visitors[self.users == SHARED]
        return shared


def links(snapshot: Snapshot, shared: Shared = "alone") -> Links:
    """The links of all events, of any type, that name both a user and a visitor; none that was received later.

    A visitor seen with one user becomes that user. Whose of several users it was cannot be told, so a visitor seen with
    several, such as a shared device, stays a person of its own, unless `shared` says to go by the last one.
    """
    both = snapshot.coded_events().filter(pl.col(columns.USER).is_not_null() & pl.col(columns.VISITOR).is_not_null())
    seen = both.group_by(columns.VISITOR).agg(
        user=pl.when(pl.col(columns.USER).min() == pl.col(columns.USER).max())
        .then(pl.col(columns.USER).min())
        .otherwise(SHARED)
        .cast(pl.Int32)
    )
    met = seen.sort(columns.VISITOR).collect(engine="streaming")
    found = Links(met[columns.VISITOR].to_numpy(), met["user"].to_numpy(), snapshot.people_count)
    if shared == "alone" or not len(found.shared):
        return found
    return replace(found, turns=turns(both, found.shared, snapshot.dictionary("person_ids")[columns.ID]))
