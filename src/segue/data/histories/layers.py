"""Layers of the index of histories: what a day's files brought comes upon what is there, and is not all built anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from segue.data.histories.index import HistoryIndex
from segue.data.histories.marks import Mark, files_since
from segue.data.lake.snapshot import DataFile, Snapshot

LAYERED: Final = 0.25  # of the events of the first layer may lie upon it in others, before all are built as one


@dataclass(frozen=True)
class Upon:
    """What a new layer lies upon: the layers that stay, how far each goes, and the files that come on top."""

    layers: tuple[HistoryIndex, ...]
    marks: tuple[Mark, ...]
    files: tuple[DataFile, ...]

    def manifest(self, rows: int) -> dict[str, Any]:
        """What the manifest of a layer of so many events says otherwise than that of a whole index.

        What was drained since the first layer is behind it, in the journal, as before.
        """
        return {
            "through": self.layers[0].manifest.through,
            "events": rows + sum(layer.manifest.own for layer in self.layers),
            "below": [layer.folder.name for layer in self.layers],
            "marks": list(self.marks),
        }


def upon(current: HistoryIndex, snapshot: Snapshot) -> Upon | None:
    """The layer that brings an index as far as the snapshot; None where it is better built whole.

    A layer that is not much longer than what came since is built again with it, so that there are few layers and each
    row is written few times.
    """
    layers, marks = [*current.below, current], [*current.manifest.marks, current.manifest.foreign]
    new = files_since(marks[-1], snapshot)
    while new and len(layers) > 1 and layers[-1].manifest.own <= 2 * sum(file.rows for file in new):
        layers.pop()
        marks.pop()
        new = files_since(marks[-1], snapshot)
    if not new:
        return None
    above = sum(layer.manifest.own for layer in layers[1:]) + sum(file.rows for file in new)
    if above > LAYERED * layers[0].manifest.own:
        return None
    return Upon(tuple(layers), tuple(marks), tuple(new))


__all__ = ["Upon", "upon"]
