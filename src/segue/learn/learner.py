"""What a learner is: typed parameters, and a program over an engine's verbs that ends in a recommender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeAlias

from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.settings import Settings
from segue.engines.engine import Aggregate, Dataset, Engine
from segue.learn.ranges import Range
from segue.learn.registry import learner, learner_of, learner_type, learners
from segue.learn.saved import load_model, save_model

Validate: TypeAlias = Callable[[Recommender], float]
"""How good a recommender is; higher is better. A learner that goes in rounds keeps the best of them."""


class Loadable(Recommender, Protocol):
    """A recommender that can be read again from the folder that its `save` wrote."""

    @classmethod
    def load(cls, folder: Path, items: Items) -> Self: ...


class Learner(Settings, frozen=True):
    """The base of every learner: its fields are its parameters.

    A learner of one's own gives `name`, `recommender` (the class that `fit` returns, found again when a model is
    loaded) and `fit`, and is offered under the entry point group `segue.learners`.

    >>> learner("item_knn", {"k": 20}).k
    20
    """

    name: ClassVar[str]
    recommender: ClassVar[type[Loadable]]
    ranges: ClassVar[Mapping[str, Range]] = {}
    """Between which values each parameter is looked for by `segue tune`; what is not here is not tuned."""

    @classmethod
    def refuse(cls, params: Mapping[str, Any]) -> None:
        """Refuse parameters as they were written, where that can be said better than by their types."""

    @property
    def ignored(self) -> frozenset[str]:
        """The parameters that say nothing beside the others; `segue tune` neither varies, tells nor writes them."""
        return frozenset()

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:
        """Learn from the dataset by the engine's `prepare`, `fold` and `map` alone. Same data, same answer."""
        raise NotImplementedError(f"{type(self).__name__} has no fit")


class Counted(Learner, frozen=True):
    """A learner that is one aggregate and a closed form: `fit` is `finish` of the fold.

    >>> isinstance(learner("popularity", {}), Counted)
    True
    """

    @property
    def aggregate(self) -> Aggregate[Any]:
        """What is counted."""
        raise NotImplementedError(f"{type(self).__name__} has no aggregate")

    def finish(self, state: Any, items: Items) -> Recommender:
        """The recommender of what was counted; `items` is the vocabulary of the codes in the state."""
        raise NotImplementedError(f"{type(self).__name__} has no finish")

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        refuse_empty(dataset.rows, self.name)
        return self.finish(engine.fold(self.aggregate, dataset), dataset.items)


def refuse_empty(rows: int, name: str) -> None:
    """A `DataError` that says what to do where there is nothing to learn from."""
    if rows == 0:
        raise DataError(
            f"{name} has nothing to learn from: the dataset has no interactions that weigh more than 0",
            mend="ingest events, see [events.types] in segue.toml for what they weigh, or widen the split",
        )


__all__ = [
    "Counted",
    "Learner",
    "Loadable",
    "Validate",
    "learner",
    "learner_of",
    "learner_type",
    "learners",
    "load_model",
    "refuse_empty",
    "save_model",
]
