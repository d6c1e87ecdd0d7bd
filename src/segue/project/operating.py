"""How a workspace is released, served and watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from segue.declaration import FILE
from segue.domain.errors import DataError, UnknownName, unknown

if TYPE_CHECKING:
    from segue.measure.readout import Readout

from segue.project.workspace import Workspace


class Operating(Workspace):
    """The part of a `Project` that puts models into service."""

    def release(self, models: Sequence[str] = ()) -> dict[str, Any]:
        """Put trained models, surfaces and catalog into service as one unit, and switch to it.

        The models named here, or all that the surfaces and experiments name.
        """
        said = self.declaration
        made = self.registry.release(models, said.surfaces, said.experiments, self.snapshot(), events=said.events)
        return made.row()

    def releases(self) -> list[dict[str, Any]]:
        """All releases, oldest first, the current one marked."""
        return self.registry.rows()

    def switch(self, release: str) -> str:
        """Make another release the current one; a running service follows."""
        return self.registry.switch(release)

    def rollback(self) -> str:
        """Go back to the release before the current one."""
        return self.registry.rollback()

    def serve(self, *, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
        """Serve the current release over HTTP until stopped."""
        from segue.serve.run import serve

        given = {"host": host, "port": port, "workers": workers}
        settings = msgspec.structs.replace(
            self.declaration.serve, **{name: value for name, value in given.items() if value is not None}
        )
        serve(self.folder, settings, self.declaration.events)

    def drain(self) -> dict[str, Any]:
        """Move what the service acknowledged from the journal into the lake."""
        from segue.data.journal.drain import drain

        drained = drain(self.lake, self.journal, self.state)
        return {"events": drained.events, "decisions": drained.decisions}

    def index(self) -> None:
        """Build the index of each person's history from the lake, whole."""
        self.state.rebuild(self.snapshot())

    def experiment(self, name: str | None = None) -> list[Readout]:
        """What the log, drained or not, says about one experiment, or about every declared one."""
        from segue.data.journal.log import Log
        from segue.measure.experiment import readout

        declared = self.declaration.experiments
        if name is not None and name not in declared:
            raise unknown("experiment", name, declared, where=FILE)
        if not declared:
            raise UnknownName(
                "no experiment is declared", where=str(self.folder / FILE), mend="see docs/experiments.md for one"
            )
        log = Log(self.lake, self.journal)
        return [readout(each, declared[each], log.decisions(), log.events()) for each in ([name] if name else declared)]

    def create_key(self, role: str = "service") -> str:
        """A new API key, shown once; only its hash is kept."""
        from segue.serve.auth import create_key

        return create_key(self.folder, role)

    def revoke_key(self, key: str) -> None:
        """Take an API key back; a running service refuses it within two seconds. `DataError` where it is not known."""
        from segue.serve.auth import revoke_key

        if not revoke_key(self.folder, key):
            raise DataError(
                "this workspace does not know that key",
                where="key revoke",
                mend="give it whole, as `segue key` printed it; which workspace it is of, -C says",
            )
