"""Candidates: the best items of a surface's source models that may be shown, first source first, later ones fill."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from segue.domain.decisions import CANDIDATES_KEPT
from segue.domain.requests import Requests, together
from segue.find.sources import Source, Sources, Trail

CATALOG = "catalog"  # the source of an item that no model has anything to say about

MARKS = 32_000_000  # of people x items that may be marked at a time, a byte each
PEOPLE = 256  # at a time, at most: more are no cheaper


@dataclass(frozen=True)
class Candidates:
    """What the sampler may draw from, best first.

    positions  int32[n]   among `Sources.items`
    scores     float32[n] as the candidate's source gave it; only comparable within one source
    origins    int8[n]    index into `names`
    names      the sources by index, in the order in which they were asked
    requests   what each source was asked, in its own positions
    """

    positions: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    origins: npt.NDArray[np.int8]
    names: tuple[str, ...]
    requests: Mapping[str, Requests]

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class Wanted:
    """What is looked for, for one person.

    names    the sources to ask, first to last
    trail    what the person did
    allowed  bool[items] of `Sources.items`: what may be shown
    k        how long the list is to be
    now      microseconds since 1970 UTC
    """

    names: Sequence[str]
    trail: Trail
    allowed: npt.NDArray[np.bool_]
    k: int
    now: int | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


def retrieve(sources: Sources, wanted: Sequence[Wanted]) -> list[Candidates]:
    """For each of `wanted`, at most `CANDIDATES_KEPT` (200) candidates, in groups enough for `k` where so many are
    allowed at all.

    An item to which a source gives a score of exactly 0 is one that it knows nothing of: it is left to the later
    sources. As far as a list of `k` needs it, the release's fallback comes next, and what no model knows anything of
    comes last.

    A source is asked once for all who turn to it at the same time. What anybody gets does not depend on who else is
    looked for, but for the rounding of scores where a model multiplies matrices.
    """
    searches = [_search(sources, each) for each in wanted]
    found: list[Candidates | None] = [None] * len(searches)
    answers: dict[int, _Best | None] = dict.fromkeys(range(len(searches)))
    while answers:
        asked: dict[tuple[str, int | None], dict[int, _Question]] = {}
        for number, answer in answers.items():
            try:
                question = searches[number].send(answer)
                asked.setdefault((question.source.name, question.request.now), {})[number] = question
            except StopIteration as ended:
                found[number] = ended.value
        answers = {number: best for questions in asked.values() for number, best in _answered(questions)}
    return [each for each in found if each is not None]


def people_at_once(sources: Sources) -> int:
    """For how many people to retrieve at a time, so that memory is bounded whatever the size of the catalog."""
    return max(1, min(PEOPLE, MARKS // max(1, len(sources.items))))


class _Question(NamedTuple):
    """The best of one source that one person may be shown, `left` in positions among all items."""

    source: Source
    request: Requests
    left: npt.NDArray[np.bool_]


_Best = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]  # positions among all items, scores; best first
_Asking = Generator[_Question, _Best | None, None]


def _answered(questions: Mapping[int, _Question]) -> Iterator[tuple[int, _Best]]:
    """The answers of one source to all who ask it, by their number; what it knows nothing of is left out."""
    source = next(iter(questions.values())).source
    requests = together([question.request for question in questions.values()])
    allow = [question.left[source.to_all] for question in questions.values()]
    tops, values = source.recommender.top(
        requests, CANDIDATES_KEPT, allow=allow[0] if len(allow) == 1 else np.stack(allow)
    )
    told = (tops >= 0) & (values != 0) & np.isfinite(values)
    for row, number in enumerate(questions):
        yield number, (source.to_all[tops[row][told[row]]], values[row][told[row]])


def _search(sources: Sources, wanted: Wanted) -> Generator[_Question, _Best | None, Candidates]:
    """One person's candidates: it yields what it wants to ask, and is sent the answer."""
    names = wanted.names
    found = _Found(sources, wanted.allowed.copy(), wanted.k)
    asked = [sources.source(name) for name in names]
    if sources.fallback is not None and sources.fallback not in names:
        asked.append(sources.source(sources.fallback))
    requests = {source.name: wanted.trail.request(source, wanted.now, wanted.context) for source in asked}
    for index, source in enumerate(asked):
        if index < len(names) and found.room:
            yield from found.ask(source, requests[source.name], index)
        elif found.groups < wanted.k:
            yield from found.complete(source, requests[source.name], index)
    if found.groups < wanted.k:
        found.fill(len(asked))
    return found.candidates((*(source.name for source in asked), CATALOG), requests)


class _Found:
    """Candidates as they are gathered; `left` are the items that may still come in."""

    def __init__(self, sources: Sources, left: npt.NDArray[np.bool_], k: int) -> None:
        self._sources = sources
        self._left = left
        self._k = min(k, CANDIDATES_KEPT)
        self._parts: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], int]] = []
        self._have = 0
        self._held: set[int] = set()  # groups, where there are any to care about

    @property
    def room(self) -> int:
        return CANDIDATES_KEPT - self._have

    @property
    def groups(self) -> int:
        return len(self._held) if self._sources.grouped else self._have

    def ask(self, source: Source, request: Requests, index: int) -> _Asking:
        """The best of one source that are left; one of each group where all of them would be too few groups."""
        cut = True
        while cut and self.room:
            positions, scores = yield from self._best(source, request)
            if self._makes_a_list(positions):
                self._add(positions, scores, index)
                return
            first = self._first_of_groups(positions)
            self._add(positions[first], scores[first], index)
            self._leave_out_held()
            cut = len(positions) == CANDIDATES_KEPT

    def complete(self, source: Source, request: Requests, index: int) -> _Asking:
        """No more of one source than the list still needs, one item of each group."""
        self._leave_out_held()
        positions, scores = yield from self._best(source, request)
        first = self._first_of_groups(positions)[: self._k - self.groups]
        self._add(positions[first], scores[first], index)

    def fill(self, index: int) -> None:
        """Items that are allowed and that no source knows anything of, in the order of their ids."""
        self._leave_out_held()
        positions = np.flatnonzero(self._left).astype(np.int32)
        positions = positions[self._first_of_groups(positions)[: self._k - self.groups]]
        self._add(positions, np.zeros(len(positions), np.float32), index)

    def candidates(self, names: tuple[str, ...], requests: Mapping[str, Requests]) -> Candidates:
        """All that came in."""
        if not self._parts:
            return Candidates(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int8), names, requests)
        positions, scores, indices = zip(*self._parts, strict=True)
        origins = np.repeat(np.array(indices, np.int8), [len(part) for part in positions])
        return Candidates(np.concatenate(positions), np.concatenate(scores), origins, names, requests)

    def _best(self, source: Source, request: Requests) -> Generator[_Question, _Best | None, _Best]:
        answer = yield _Question(source, request, self._left)
        assert answer is not None  # only to begin is nothing sent
        return answer

    def _makes_a_list(self, positions: npt.NDArray[np.int32]) -> bool:
        if not self._sources.grouped:
            return True
        return len(self._held.union(self._sources.groups[positions[: self.room]].tolist())) >= self._k

    def _add(self, positions: npt.NDArray[np.int32], scores: npt.NDArray[np.float32], index: int) -> None:
        positions, scores = positions[: self.room], scores[: self.room]
        self._parts.append((positions, scores, index))
        self._have += len(positions)
        self._left[positions] = False
        if self._sources.grouped:
            self._held.update(self._sources.groups[positions].tolist())

    def _leave_out_held(self) -> None:
        if self._sources.grouped:
            self._left &= ~np.isin(self._sources.groups, list(self._held))

    def _first_of_groups(self, positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Indices of the first item of each group, in order."""
        if not self._sources.grouped:
            return np.arange(len(positions))
        return np.sort(np.unique(self._sources.groups[positions], return_index=True)[1])
