"""A study: the trials of one model in a file, one line each, that is only added to, so that a kill costs a trial."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segue.data.lake.files import refused_write, sync
from segue.domain.errors import DataError


class Trial(msgspec.Struct, frozen=True):
    """One setting, fitted on a share of the cuts or people and judged.

    number      of the setting: 0 what is declared, 1 the learner's defaults, from 2 on draws
    share       of all cuts, or of the people of the first that it learned from (`cuts.covers`)
    parameters  those that are varied
    judged      float32[people] the metric of each person judged on this share, compressed, as text; "" where it failed
    value       their mean
    seconds     of the fit and the lists
    bytes       of the model
    failed      why there is no value
    """

    number: int
    share: float
    parameters: dict[str, Any]
    judged: str = ""
    value: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    failed: str = ""

    def people(self) -> npt.NDArray[np.float64]:
        """float64[people]: the metric of each person."""
        return unpacked(self.judged)


class Study:
    """The trials so far, in the order in which they were made.

    A study belongs to what `about` says (data, split, metric, ranges, seed); anything else is another study, in a file
    of another name.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> Study.opened(folder, {"seed": 0}).add(Trial(0, 1.0, {"k": 5}, value=0.25))
    >>> [trial.value for trial in Study.opened(folder, {"seed": 0}).trials], Study.opened(folder, {"seed": 1}).trials
    ([0.25], [])
    """

    def __init__(self, path: Path, trials: list[Trial]) -> None:
        self.path = path
        self.trials = trials

    @classmethod
    def opened(cls, folder: Path, about: Mapping[str, Any], *, fresh: bool = False) -> Study:
        """The study of this name, made where it is not there; with `fresh`, made anew."""
        said = msgspec.json.encode(about, order="sorted")
        path = folder / f"{hashlib.blake2b(said, digest_size=8).hexdigest()}.jsonl"
        try:
            if fresh or not path.is_file():
                _made(path, said)
            return cls(path, _read(path))
        except OSError as error:
            raise refused_write(error, path, "nothing of the study was changed") from error

    def add(self, trial: Trial) -> None:
        """Write a trial; it is on the disk when this returns."""
        try:
            _append(self.path, msgspec.json.encode(trial))
        except OSError as error:
            raise refused_write(error, self.path, "this trial was not kept") from error
        self.trials.append(trial)

    @property
    def seconds(self) -> float:
        """What all trials took together."""
        return sum(trial.seconds for trial in self.trials)


def packed(values: npt.NDArray[np.floating]) -> str:
    """The numbers of all people as text, as float32.

    >>> unpacked(packed(np.array([0.5, 0.0]))).tolist()
    [0.5, 0.0]
    """
    return base64.b64encode(zlib.compress(np.asarray(values, "<f4").tobytes(), 6)).decode()


def unpacked(text: str) -> npt.NDArray[np.float64]:
    """What `packed` made into text."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f4").astype(np.float64)


def _made(path: Path, about: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_bytes(about + b"\n")
    sync([draft])
    draft.replace(path)
    sync([path.parent])


def _read(path: Path) -> list[Trial]:
    """The trials; a last line that a kill cut short is cut off."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    trials = []
    for number, line in enumerate(whole.splitlines()[1:], start=2):
        try:
            trials.append(msgspec.json.decode(line, type=Trial))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(
                f"a trial cannot be read: {error}", where=f"{path}:{number}", mend="take out that line, or use --fresh"
            ) from error
    return trials


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        end = file.tell()
        try:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, end)  # half a line would be taken for a kill's, but a later one would follow it
            raise


__all__ = ["Study", "Trial", "packed", "unpacked"]
