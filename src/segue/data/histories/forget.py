"""Forgetting people everywhere that a workspace keeps what they did: lake, journal, index of histories, cache."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from segue.data.histories.state import UserState
from segue.data.identity.normalise import normalised
from segue.data.journal.journal import Journal
from segue.data.lake.forget import Forgotten, forget_in_lake
from segue.data.lake.lake import Lake
from segue.data.lake.lease import lease

WAIT_S = 60.0


def forget(lake: Lake, journal: Journal, state: UserState, people: Sequence[str]) -> Forgotten:
    """Forget people (as `person_key` names them, such as "u:ann") so that no file of the workspace has their ids.

    They are meant as they are written, and as the declaration reads what is written so (`[identity.normalise]`).
    The journal goes first, so that nothing of theirs is drained meanwhile, then the lake with its older versions, then
    the index, which is built anew, and what was prepared for learning. Models hold no people. What the service is sent
    of them later is new. `BusyError` where a reader of the journal stays longer than a minute: run it again.
    """
    mends = state.source.identity.normalise.users
    people = list(dict.fromkeys([*people, *(person[:2] + normalised(person[2:], mends) for person in people)]))
    with lease(state.folder / ".drainer", "forgetting people", WAIT_S), lake.writer(WAIT_S):
        journal.forget(people)
        forgotten = forget_in_lake(lake, people)
        if state.through() or (state.folder / "current").exists():
            state.rebuild(lake.snapshot())
        _without_drafts(state.folder)
        shutil.rmtree(state.folder.parent / "cache", ignore_errors=True)
    return forgotten


def _without_drafts(folder: Path) -> None:
    """Remove what an interrupted build of the index left."""
    for draft in folder.glob(".index-*"):
        shutil.rmtree(draft, ignore_errors=True)


__all__ = ["Forgotten", "forget"]
