"""Models on disk: a manifest with checksums beside NumPy arrays, written whole or not at all, read memory-mapped."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segue.domain.errors import ModelError, UnknownName
from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.engines.drafts import drafted
from segue.learn.registry import learner_of, learner_type

if TYPE_CHECKING:
    from segue.learn.learner import Loadable

FORMAT = 1
MANIFEST = "manifest.json"
IDS, ID_ENDS = "item_ids.npy", "item_id_ends.npy"  # UTF-8 bytes of all ids in a row, and where each ends


def save_model(recommender: Recommender, folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write a model into a new folder, and return its manifest.

    `manifest` is what the caller wants to remember (parameters, snapshot, seconds, ...); it is kept under `extra`.
    Everything is written and synced in a temporary folder beside, then renamed: an interrupted save leaves nothing
    under `folder`.
    """
    if folder.exists():
        raise ModelError("there is a model here already", where=str(folder), mend="save each run in a new folder")
    learner = learner_of(recommender)
    with drafted(folder) as draft:
        recommender.save(draft)
        save_ids(draft, recommender.items)
        written = {
            "format": FORMAT,
            "segue": importlib.metadata.version("segue"),
            "learner": learner,
            "files": {path.relative_to(draft).as_posix(): _described(path) for path in _files(draft)},
            "extra": dict(manifest),
        }
        (draft / MANIFEST).write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        for path in [*draft.rglob("*"), draft]:
            _sync(path)
    _sync(folder.parent)
    return written


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a saved model; a `ModelError` where it is missing, damaged or of a newer format."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = int(manifest["format"])
        if not isinstance(manifest["files"], dict) or not isinstance(manifest["learner"], str):
            raise TypeError("files and learner")
    except FileNotFoundError:
        raise ModelError("this is no saved model: there is no manifest.json", where=str(folder), mend=TRAIN) from None
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(f"the manifest cannot be read ({error})", where=str(path), mend=TRAIN) from error
    if version > FORMAT:
        raise ModelError(
            f"the model is of format {version}, this Segue reads up to {FORMAT}",
            where=str(path),
            mend=f"it was written by Segue {manifest.get('segue', 'newer than this')}: install that or train again",
        )
    return dict(manifest)


def load_model(folder: Path) -> Recommender:
    """The model in this folder, its arrays memory-mapped, once `verified`."""
    manifest = verified(folder)
    try:
        kind: type[Loadable] = learner_type(manifest["learner"]).recommender
    except UnknownName as error:
        raise ModelError(
            f"the model needs the learner '{manifest['learner']}', which is not installed",
            where=str(folder),
            mend="install the package that offers it",
        ) from error
    return kind.load(folder, load_ids(folder))


def verified(folder: Path) -> dict[str, Any]:
    """The manifest of a saved model, every file held against its checksum (about 1 s per GB).

    What is missing, cut short or changed is a `ModelError` that names the file.
    """
    manifest = read_manifest(folder)
    for name, described in manifest["files"].items():
        if Path(name).is_absolute() or ".." in Path(name).parts or not isinstance(described, dict):
            raise ModelError(f"the manifest names a file outside of its folder: {name}", where=str(folder), mend=TRAIN)
        _verify(folder / name, described)
    return manifest


def _files(folder: Path) -> list[Path]:
    """The files of a model, those of the models that it is made of in folders of their own."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


TRAIN = "train the model again, or switch to an older release"


def _verify(path: Path, described: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise ModelError("the file is missing", where=str(path), mend=TRAIN)
    size = path.stat().st_size
    if size != described.get("bytes"):
        raise ModelError(f"expected {described.get('bytes')} bytes, found {size}", where=str(path), mend=TRAIN)
    if _checksum(path) != described.get("blake2b"):
        raise ModelError("the content is not what was saved: its checksum differs", where=str(path), mend=TRAIN)


def _described(path: Path) -> dict[str, Any]:
    described: dict[str, Any] = {"bytes": path.stat().st_size, "blake2b": _checksum(path)}
    if path.suffix == ".npy":
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
        described |= {"dtype": str(dtype), "shape": list(shape)}
    return described


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def save_ids(folder: Path, items: Items) -> None:
    """Write a vocabulary into a folder."""
    encoded = [item.encode() for item in items.ids]
    np.save(folder / IDS, np.frombuffer(b"".join(encoded), np.uint8))
    np.save(folder / ID_ENDS, np.cumsum([len(item) for item in encoded], dtype=np.int64))


def load_ids(folder: Path) -> Items:
    """The vocabulary that `save_ids` wrote."""
    text = np.load(folder / IDS).tobytes()
    ends = np.load(folder / ID_ENDS).tolist()
    return Items(text[start:end].decode() for start, end in zip([0, *ends], ends, strict=False))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
