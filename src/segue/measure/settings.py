"""What the declaration may say about evaluation: how the log is split, and what the lists are held to."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from segue.domain.settings import Settings

Cut = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class EvaluationSettings(Settings, frozen=True):
    """How models are compared on the log.

    split          "time": train before a moment, test after it; "last": each person's last items by order; "random":
                   a share of each person's items; "files": what `test_files` hold. A split that the data cannot
                   give is refused, and the refusal says which they can
    test_days      of "time": how many days at the end of the log are the test; `test_fraction` counts where not given
    test_fraction  of "time" and "random": the share of the events that is the test
    last           of "last": how many items at each person's end
    test_files     of "files": the event files, as `[events] files` names them, that are the test
    k              the list lengths at which everything is measured
    seen           whether the items of a person's own history are "excluded" from the lists (and from what counts as
                   found), or "ranked" with all others
    baseline       the model that every other one is compared with
    bootstrap      how many resamples of the people the intervals come from
    confidence     of the intervals
    seed           of the random split and of the resamples
    """

    split: Literal["time", "last", "random", "files"] = "time"
    test_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    test_fraction: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    last: Annotated[int, msgspec.Meta(ge=1)] = 1
    test_files: tuple[str, ...] = ()
    k: Annotated[tuple[Cut, ...], msgspec.Meta(min_length=1)] = (5, 10, 20)
    seen: Literal["excluded", "ranked"] = "excluded"
    baseline: str = "popularity"
    bootstrap: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 1000
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
