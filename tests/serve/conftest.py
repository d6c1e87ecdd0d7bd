"""One workspace, and one service with two workers, for all tests that leave them as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serve.service import Client, Service, running
from tests.serve.shop import keys, shop


@dataclass
class Running:
    """A service, its workspace and its keys."""

    service: Service
    workspace: Path
    keys: dict[str, str]

    def client(self, role: str | None = "service") -> Client:
        """A connection with the key of a role, or with none."""
        return self.service.client(self.keys[role] if role else None)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that tests copy."""
    return shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers, drained each second."""
    workspace = shop(tmp_path_factory.mktemp("served"))
    roles = keys(workspace)
    with running(workspace) as service:
        yield Running(service, workspace, roles)
