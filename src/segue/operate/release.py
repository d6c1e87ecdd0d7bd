"""One release: what its manifest says, and the whole of it in memory, checked and ready to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from segue.data.settings import EventSource
from segue.decide.ask import Ask
from segue.decide.decide import decide
from segue.decide.surface import Surface
from segue.decide.variants import Variants
from segue.domain.catalog import Item
from segue.domain.decisions import Decision
from segue.domain.errors import ModelError
from segue.domain.events import person_key
from segue.domain.experiment import Experiment
from segue.domain.recommender import Recommender
from segue.find.sources import Sources
from segue.learn.saved import load_model
from segue.operate.train import TrainedModel

FORMAT = 1
MANIFEST, CATALOG, MODELS = "manifest.json", "catalog.jsonl", "models"
NO_FALLBACK = "items in the order of their ids: train and release a model such as popularity"
MEND = "switch to another release (`segue release list`, `segue release switch`), or release again"


class Release(msgspec.Struct, frozen=True):
    """What one release holds. `checksums` are blake2b of the files that themselves hold those of all others.

    fallback     the model for a person without a usable history, None where every model needs one
    fingerprint  of the lake whose catalog it holds
    events       what live events weigh for these models; None in a release that does not say
    """

    id: str
    created: datetime
    segue: str
    models: dict[str, TrainedModel]
    surfaces: dict[str, Surface]
    experiments: dict[str, Experiment]
    fallback: str | None
    items: int
    fingerprint: str
    checksums: dict[str, str]
    events: EventSource | None = None

    def row(self) -> dict[str, Any]:
        """What a table of releases shows."""
        return {
            "release": self.id,
            "created": self.created.isoformat(timespec="seconds"),
            "models": ", ".join(self.models),
            "surfaces": ", ".join(self.surfaces),
            "experiments": ", ".join(self.experiments),
            "items": self.items,
            "for strangers": self.fallback or NO_FALLBACK,
        }


@dataclass(frozen=True)
class LoadedRelease:
    """A release in memory, its arrays memory-mapped, so that workers share them."""

    release: Release
    sources: Sources
    variants: Variants

    @property
    def id(self) -> str:
        """The name of the release."""
        return self.release.id

    @property
    def created(self) -> datetime:
        """When it was made."""
        return self.release.created

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """The declared surfaces by name."""
        return self.release.surfaces

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """The experiments by name."""
        return self.release.experiments

    @property
    def events(self) -> EventSource | None:
        """What live events weigh for these models, None where the release does not say."""
        return self.release.events

    @property
    def catalog(self) -> Mapping[str, Item]:
        """The catalog by item id."""
        return self.sources.catalog

    @property
    def models(self) -> dict[str, Recommender]:
        """The models by name."""
        return {name: source.recommender for name, source in self.sources.models.items()}

    def decide(self, ask: Ask) -> Decision:
        """The list for one request, in the variants that fall to this person. `UnknownName` for an unknown surface."""
        surface, assignments = self.variants.of(ask.surface, person_key(ask.user, ask.visitor))
        return decide(surface, self.sources, replace(ask, release=self.id, assignments=assignments))

    def rehearse(self) -> None:
        """Decide once for every form of every surface: what would fail in service fails here, and caches fill."""
        now, known = datetime.now(UTC), self.sources.items.ids[:1]
        for place, surface in self.variants.forms().items():
            for history in ((), known):
                decide(surface, self.sources, Ask(place, "rehearsal", now, history=history, release=self.id))


def written(release: Release, folder: Path) -> None:
    """Write the manifest, with a checksum of itself."""
    body = msgspec.json.format(msgspec.json.encode(whole(release)), indent=1)
    manifest = {"format": FORMAT, "checksum": _digest(body), "release": msgspec.Raw(body)}
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest) + b"\n")


def described(folder: Path) -> Release:
    """What the release in this folder says of itself; `ModelError` where it is damaged or of a newer format."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(manifest["format"], type=int)
        if version > FORMAT:
            raise _newer(version, path)
        body = bytes(manifest["release"])
        if msgspec.json.decode(manifest["checksum"]) != _digest(body):
            raise ModelError("the content is not what was released: its checksum differs", where=str(path), mend=MEND)
        return msgspec.json.decode(body, type=Release)
    except OSError as error:
        raise ModelError(f"the release cannot be read ({error.strerror})", where=str(path), mend=MEND) from error
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
        raise ModelError(f"the release's manifest cannot be read ({error})", where=str(path), mend=MEND) from error


def loaded(folder: Path) -> LoadedRelease:
    """The release in this folder, everything held against its checksum; `ModelError` names the file that is wrong."""
    release = described(folder)
    for name, digest in release.checksums.items():
        if _digest(_bytes(folder / name)) != digest:
            where = str(folder / name)
            raise ModelError("the content is not what was released: its checksum differs", where=where, mend=MEND)
    models = {name: _model(folder / MODELS / name) for name in release.models}
    lines = msgspec.json.Decoder(Item).decode_lines((folder / CATALOG).read_bytes())
    sources = Sources(models, {item.id: item for item in lines}, release.fallback)
    variants = Variants(release.surfaces, release.experiments)
    return LoadedRelease(release, sources, variants)


def checksum(path: Path) -> str:
    """blake2b of a file."""
    return _digest(_bytes(path))


def whole(value: Any) -> Any:
    """Plain values with every default said, so that a later version with other defaults reads what was meant."""
    if isinstance(value, msgspec.Struct):
        return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    return value


def _model(folder: Path) -> Recommender:
    try:
        return load_model(folder)
    except ModelError as error:
        raise ModelError(error.problem, where=error.where, mend=MEND) from error


def _newer(version: int, path: Path) -> ModelError:
    return ModelError(
        f"the release is of format {version}, this Segue reads up to {FORMAT}",
        where=str(path),
        mend="install a newer Segue, or " + MEND,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"the file cannot be read ({error.strerror})", where=str(path), mend=MEND) from error


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
