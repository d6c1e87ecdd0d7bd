"""What a surface is asked: who is there, what they did, when, and what the list is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from segue.find.past import Named, Past


@dataclass(frozen=True)
class Ask:
    """One request for a list.

    past        what the person did, oldest first, as the log knows it
    history     item ids, oldest first: of a person who is not in the log, or what came on top of it just now
    k           how many items; as the surface says where None
    request_id  the same one is the same decision
    """

    surface: str
    request_id: str
    now: datetime
    user: str | None = None
    visitor: str | None = None
    past: Sequence[Past] = ()
    history: Sequence[str] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    k: int | None = None
    release: str = ""
    assignments: Mapping[str, str] = field(default_factory=dict)

    @property
    def events(self) -> Sequence[Past]:
        """Everything that is known of the person, oldest first."""
        return [*self.past, *map(Named, self.history)] if self.history else self.past
