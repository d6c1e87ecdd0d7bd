"""The one place that knows how the parts meet: a workspace folder, opened, with everything that can be done in it."""

from __future__ import annotations

from segue.project.comparing import Comparing
from segue.project.looking import Looking
from segue.project.operating import Operating
from segue.project.pairing import Pairing
from segue.project.taking import Taking
from segue.project.tuning import Tuning


class Project(Looking, Taking, Tuning, Comparing, Pairing, Operating):
    """A workspace: one tenant, one catalog, one folder with `segue.toml`.

    Open it with `Project.open(folder)`; every command of `segue` is a method here. A project holds no lock between
    calls and sees what others write to the workspace with the next call.
    """


__all__ = ["Project"]
