"""A workspace to train and release in, for the tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from segue.decide.surface import Surface
from segue.domain.catalog import Item
from segue.engines.local import LocalEngine
from segue.learn.ease import EASE
from segue.learn.learner import Learner
from segue.learn.popularity import Popularity
from segue.operate.registry import Registry
from segue.operate.release import Release
from segue.operate.train import TrainedModel, train
from tests.decide.world import ITEMS, table

NOW = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
HOME = {"home": Surface(("ease",), k=5)}


class Lake:
    """What a release takes from a snapshot."""

    fingerprint = "lake-1"

    def catalog(self) -> dict[str, Item]:
        items = [Item(item, title=f"Thing {item[1:]}", released=NOW, attributes={"mood": [1, "a"]}) for item in ITEMS]
        return {item.id: item for item in items}


def trained(workspace: Path, name: str = "ease", learner: Learner | None = None) -> TrainedModel:
    """Train EASE, or another learner."""
    learner = learner or EASE(regularization=5.0, min_people=1)
    return train(name, learner, LocalEngine(), table(), workspace / "models", now=NOW, fingerprint="lake-1")


def shop(workspace: Path) -> Registry:
    """A registry over two trained models."""
    trained(workspace)
    trained(workspace, "popularity", Popularity())
    return Registry(workspace)


def released(registry: Registry) -> Release:
    """A release of what the surface `home` needs."""
    return registry.release([], HOME, {}, Lake())
