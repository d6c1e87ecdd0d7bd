"""What live histories weigh: as the release says that answers, as the declaration says where none does."""

from __future__ import annotations

from pathlib import Path

from segue.data.histories.state import UserState
from segue.data.journal.journal import Journal
from segue.data.settings import EventSource


class Weighing:
    """The histories of a workspace under the weights of a release: a model is asked with what it was trained on.

    So an edit of `segue.toml` changes nothing under a running service before the next release. The journal's tail is
    weighed anew at once; what is in the index, as soon as the drainer has built it again (its next round).
    """

    def __init__(self, workspace: Path, declared: EventSource, journal: Journal) -> None:
        self._workspace = workspace
        self._declared = declared
        self._journal = journal
        self._state = UserState(workspace, declared, journal)  # set at once: threads share it

    def by(self, events: EventSource | None) -> UserState:
        """The histories under these weights; under the declared ones where a release does not say, or there is none."""
        source, state = events or self._declared, self._state
        if source is not state.source and source != state.source:
            state = self._state = UserState(self._workspace, source, self._journal)
        return state
