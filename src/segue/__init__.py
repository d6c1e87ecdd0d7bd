"""Segue: from a catalog and a log of what people did to decisions that are served, explained, measured and improved."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Project": "segue.project",
    "Event": "segue.domain.events",
    "Item": "segue.domain.catalog",
    "Decision": "segue.domain.decisions",
    "Experiment": "segue.domain.experiment",
    "Histories": "segue.domain.requests",
    "Requests": "segue.domain.requests",
    "Items": "segue.domain.items",
    "Recommender": "segue.domain.recommender",
    "Learner": "segue.learn.learner",
    "SegueError": "segue.domain.errors",
    "World": "segue.simulate.world",
}

__all__ = [*sorted(_PUBLIC), "__version__"]  # noqa: PLE0604 - strings they are

if TYPE_CHECKING:
    from segue.domain.catalog import Item as Item
    from segue.domain.decisions import Decision as Decision
    from segue.domain.errors import SegueError as SegueError
    from segue.domain.events import Event as Event
    from segue.domain.experiment import Experiment as Experiment
    from segue.domain.items import Items as Items
    from segue.domain.recommender import Recommender as Recommender
    from segue.domain.requests import Histories as Histories
    from segue.domain.requests import Requests as Requests
    from segue.learn.learner import Learner as Learner
    from segue.project import Project as Project
    from segue.simulate.world import World as World


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used, so that `import segue` costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'segue' has no attribute '{name}'")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
