"""What the declaration may say about evaluation: how the log is split, and what the lists are held to."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from segue.domain.settings import Settings

Cut = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Metric = Literal[
    "recall",
    "precision",
    "ndcg",
    "map",
    "mrr",
    "hit_rate",
    "novelty",
    "coverage",
    "diversity",
    "miscalibration",
    "new_item_recall",
    "long_tail_recall",
    "serendipity",
    "popularity",
    "popularity_lift",
    "gini",
]


class EvaluationSettings(Settings, frozen=True):
    """How models are compared on the log.

    split          "time": train before a moment, test after it; "last": each person's last items by order; "random":
                   a share of each person's items; "files": what `test_files` hold. A split that the data cannot
                   give is refused, and the refusal says which they can
    test_days      of "time": how many days at the end of the log are the test; `test_fraction` counts where not given
    test_fraction  of "time" and "random": the share of the events that is the test
    last           of "last": how many items at each person's end
    test_files     of "files": the event files, as `[events] files` names them, that are the test
    new_items      whether what people did with items that nobody had in the training part is "left_out", or "counted"
                   where the catalog says something of the item, so that models of content are judged on it
    k              the list lengths at which everything is measured
    metrics        what is measured. Where empty: recall, precision, ndcg, map, mrr, hit_rate, novelty and coverage;
                   diversity and miscalibration where items have categories; new_item_recall where new items count
    slices         parts of the people or items for which everything is told by itself: "activity", "item_age",
                   "popularity", "categories", a column of the users, an attribute of the items
    seen           whether the items of a person's own history are "excluded" from the lists (and from what counts as
                   found), or "ranked" with all others
    baseline       the model that every other one is compared with
    bootstrap      how many resamples of the people the intervals come from
    permutations   how many random rounds the p-values come from
    confidence     of the intervals
    seed           of the random split, of the resamples and of the permutations
    """

    split: Literal["time", "last", "random", "files"] = "time"
    test_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    test_fraction: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    last: Annotated[int, msgspec.Meta(ge=1)] = 1
    test_files: tuple[str, ...] = ()
    new_items: Literal["left_out", "counted"] = "left_out"
    k: Annotated[tuple[Cut, ...], msgspec.Meta(min_length=1)] = (5, 10, 20)
    metrics: tuple[Metric, ...] = ()
    slices: tuple[str, ...] = ()
    seen: Literal["excluded", "ranked"] = "excluded"
    baseline: str = "popularity"
    bootstrap: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 1000
    permutations: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 2000
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
