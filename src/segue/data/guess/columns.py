"""Guesses which column of events plays which role: by its name first, by what it holds where names say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from segue.data.guess.cells import (
    comma_share,
    decimal_comma,
    filled,
    grouped,
    holds_json,
    json_cells,
    like_ids,
    number_share,
    quoted,
    sorted_within,
    warn_of_currencies,
    whole_ids,
)
from segue.data.guess.names import EVENT_NAMES, ITEM_NAMES, is_known, named, plain, rank
from segue.data.guess.times import (
    ENOUGH,
    WRITTEN,
    TimeGuess,
    far_off,
    guess_old_epoch,
    guess_time,
    main_format,
    time_shares,
    unread,
)
from segue.data.guess.told import NAMING, Told
from segue.data.guess.types import TOLD, said_types, type_weight
from segue.data.settings import EventColumns
from segue.domain.errors import DataError, ReadError

WEIGHING = ("weight", "rating", "score", "stars", "plays", "playcount", "listens", "strength", "overall", "frequency")
WEIGHING_MORE = (
    "listencount",
    "bewertung",
    "calificacion",
    "avaliacao",
    "waardering",
    "ocena",
    "valutazione",
    "voto",
    "count",
    "cnt",
)
PAYING = (
    "price",
    "unitprice",
    "amount",
    "revenue",
    "total",
    "totalprice",
    "preis",
    "betrag",
    "prix",
    "montant",
    "precio",
)
TYPES = 200  # different ones that a column of types may have
HEARING = ("artist", "track", "song", "album")


class EventRoles:
    """The roles of the columns of a table of events."""

    def __init__(
        self, sample: pl.DataFrame, reasons: list[str], doubts: list[str], told: Told | None = None, where: str = ""
    ) -> None:
        self.sample, self.reasons, self.doubts = sample, reasons, doubts
        self.told, self.where = told or Told(), where
        self.found: dict[str, str] = {}
        self.values = {name: filled(sample[name]) for name in sample.columns}

    def settings(self) -> dict[str, Any]:
        """The fields of `EventSource` that depend on the columns. Raises `ReadError` where no event can be told."""
        self._as_told()
        self._by_name()
        self._by_content()
        self._refuse_no_events()
        said: dict[str, Any] = {}
        said |= self._time()
        said |= self._types()
        said |= self._weight()
        said |= self._negative(said.get("types", {}))
        said |= self._decimal()
        warn_of_currencies(self.values.values(), self.doubts)
        said |= whole_ids(self.values, [self.found.get("user"), self.found.get("item")], self.reasons)
        said |= self._order(said.get("weight", "type"))
        return said | {"columns": EventColumns(**self.found)}

    def _free(self) -> list[str]:
        return [name for name in self.sample.columns if name not in self.found.values()]

    def _take(self, role: str, column: str, why: str) -> None:
        self.found[role] = column
        self.reasons.append(f"{role}: column '{column}', {why}")

    def _as_told(self) -> None:
        self.told.held_against(self.sample.columns, self.where)
        for role, column in self.told.columns.items():
            if column:
                self._take(role, column, "as you said")
            else:
                self.reasons.append(f"{role}: no column, as you said")

    def _open(self, role: str) -> bool:
        """Whether nothing is said or found of a role."""
        return role not in self.found and role not in self.told.columns

    def _by_name(self) -> None:
        for role in filter(self._open, EVENT_NAMES):
            candidates = [name for name in named(self._free(), role, EVENT_NAMES) if self._fits(role, name)]
            if not candidates:
                continue
            self._take(role, candidates[0], f"by its name{self._evidence(candidates[0])}")
            if len(candidates) > 1 and role in ("user", "item", "time", "type"):
                self.doubts.append(f"{role} could also be {quoted(candidates[1:])}")

    def _fits(self, role: str, column: str) -> bool:
        """Whether what a column holds allows the role that its name promises."""
        cells = self.values[column]
        if cells.is_empty():
            return True
        if role in ("user", "visitor", "item", "id", "session", "decision") and holds_json(cells):
            return False
        if role == "time":
            timed = guess_time(cells) is not None or "time" in plain(column)
            return timed or main_format(time_shares(cells)) is not None
        if role in ("value", "quantity", "position"):
            return max(number_share(cells), comma_share(cells)) > 0.5
        if role == "type":
            return cells.n_unique() <= TYPES
        if role == "id":
            return cells.n_unique() >= 0.95 * len(cells)
        return True

    def _evidence(self, column: str) -> str:
        cells = self.values[column]
        if cells.is_empty():
            return ""
        missing = 1 - len(cells) / max(self.sample.height, 1)
        gaps = f", {missing:.1%} empty" if missing else ""
        return f" ({cells.n_unique():,} different in {self.sample.height:,} rows, such as {str(cells[0])[:30]!r}{gaps})"

    def _by_content(self) -> None:
        if self._open("time"):
            self._time_by_content()
        if self._open("user") and "visitor" not in self.found and not self._like_catalog():
            self._id_by_content("user")
        if self._open("item") and ("user" in self.found or "visitor" in self.found):
            self._id_by_content("item")
        if self._open("type"):
            self._type_by_content()

    def _time_by_content(self) -> None:
        for column in self._free():
            if self.told.time_format and self._time_as_told(column):
                self._take("time", column, "its cells are times of the format that you said")
                return
            if not self.told.time_format and (guess := guess_time(self.values[column])) is not None:
                self._take("time", column, f"its cells are times, such as {guess.example!r}")
                return
        if not self.told.time_format:
            self._mixed_time_by_content()

    def _mixed_time_by_content(self) -> None:
        """A column most of whose cells are times of one format, or a word on one that looks like times."""
        for column in self._free():
            shares = time_shares(self.values[column], WRITTEN)
            if main_format(shares):
                self._take("time", column, "most of its cells are times")
                return
            if sum(share for _, share in shares) > 0.5:
                self.doubts.append(
                    f"'{column}' looks like times: {_said_shares(shares)}; none is the clear one: "
                    f"say --column 'time={column}' --time-format '{shares[0][0]}'"
                )

    def _time_as_told(self, column: str) -> bool:
        try:
            return not self.values[column].is_empty() and self.told.times_read(self.values[column], "") >= ENOUGH
        except DataError:
            return False

    def _like_catalog(self) -> bool:
        """Whether every row has another item, as in a catalog."""
        cells = self.values[self.found["item"]] if "item" in self.found else pl.Series([])
        return len(cells) > 1 and cells.n_unique() == len(cells)

    def _id_by_content(self, role: str) -> None:
        """The first free column that looks like ids, user before item, as nearly all such files have them."""
        free = [column for column in self._free() if not is_known(column)]
        for column in free:
            if like_ids(self.values[column]):
                self._take(role, column, f"by its place and because its ids repeat{self._evidence(column)}")
                self.doubts.append(f"no column says by its name that it is the {role}: '{column}' is taken")
                return

    def _refuse_no_events(self) -> None:
        """An event needs an item and a person."""
        person = "user" in self.found or "visitor" in self.found
        if person and "item" in self.found:
            return
        lacking = "person" if "item" in self.found else "item" if person else "person and no item"
        seen, mend = quoted(self.sample.columns[:20]), f"name them: {NAMING}"
        if self._like_catalog():
            seen += f"; '{self.found['item']}' is another one in each row, as in a catalog"
            mend += ", or give the file as --items"
        seen += "".join(f"; {why}" for role in ("item", "user") if role not in self.found for why in self._unfit(role))
        problem = f"no column looks like the {lacking} of an event; there are {seen}"
        raise ReadError(problem, where=self.where, mend=mend)

    def _unfit(self, role: str) -> Iterator[str]:
        """Why columns that are called as a role do not have it."""
        for column in named(self._free(), role, EVENT_NAMES):
            cells = self.values[column]
            odd = cells.filter(json_cells(cells)) if holds_json(cells) else cells.clear()
            if len(odd):
                share = f"{len(odd):,} of {len(cells):,} cells of '{column}'"
                yield f"{share} are lists or objects, which are no ids, such as {str(odd[0])[:40]}"

    def _type_by_content(self) -> None:
        for column in self._free():
            if rank(column, "price", ITEM_NAMES) is not None:  # "free" and "paid" are what a thing costs
                continue
            cells = self.values[column].cast(pl.String)
            kinds = cells.unique().to_list() if cells.n_unique() <= 50 else []
            if kinds and sum(type_weight(kind) is not None for kind in kinds) >= 0.5 * len(kinds):
                self._take("type", column, f"it holds {quoted(kinds[:6])}")
                return

    def _time(self) -> dict[str, Any]:
        column = self.found.get("time")
        if self.told.time_format:
            return self._time_format_as_told(column)
        if column is None:
            return {}
        guess = guess_time(self.values[column]) or guess_old_epoch(self.values[column])
        if guess is None:
            return {} if self.values[column].is_empty() else self._mixed_time(column)
        self._say_time(guess)
        self._say_unread(column, guess.time_format)
        return {"time_format": guess.time_format} if guess.time_format != "iso" else {}

    def _mixed_time(self, column: str) -> dict[str, Any]:
        """The format of most cells of a column that has several, and what becomes of the others."""
        shares = time_shares(self.values[column])
        if not shares:
            self.doubts.append(f"the times in '{column}' are of no format that is known: set time_format")
            return {}
        said, others = _said_shares(shares), [name for name, _ in shares[1:]]
        if main_format(shares) is None:
            self.doubts.append(f"'{column}' mixes times: {said}; say --time-format '{shares[0][0]}' if that is right")
            return {}
        self.reasons.append(f"time_format: {shares[0][0]}; in '{column}' {said}")
        self._say_unread(column, shares[0][0], others)
        return {"time_format": shares[0][0]} if shares[0][0] != "iso" else {}

    def _say_unread(self, column: str, time_format: str, others: Sequence[str] = ()) -> None:
        """What becomes of the cells that are no times of this format; `others` are formats that read some of them."""
        cells = self.values[column]
        left, odd = unread(cells, time_format), far_off(cells, time_format)
        if len(left):
            fix = (
                f"; `segue quarantine fix --time-format {_in_shell(others[0])} --reason …` takes them" if others else ""
            )
            self.doubts.append(
                f"time: {len(left):,} of {len(cells):,} cells of '{column}' are no times of the format {time_format}, "
                f"such as {str(left[0])[:30]!r}: they will wait in quarantine{fix}"
            )
        if len(odd):
            self.doubts.append(
                f"time: {len(odd):,} of {len(cells):,} cells of '{column}' are times of before 1990 or after 2099, "
                f"such as {str(odd[0])[:30]!r}: they are read as they stand"
            )

    def _time_format_as_told(self, column: str | None) -> dict[str, Any]:
        said = f"time_format: {self.told.time_format}, as you said"
        if column is None:
            self.doubts.append(f"no column holds times of the format {self.told.time_format}")
        else:
            read = self.told.times_read(self.values[column], self.where)
            said += f"; it reads {read:.0%} of the times in the sample"
            if read < 1:
                self.doubts.append(f"{1 - read:.1%} of the times are of another format: they will be quarantined")
        self.reasons.append(said)
        return {"time_format": self.told.time_format}

    def _say_time(self, guess: TimeGuess) -> None:
        self.reasons.append(f"time_format: {guess.time_format}, such as {guess.example!r}")
        if guess.rival:
            self.doubts.append(f"day and month could be the other way round: {guess.rival} reads these times too")
        if not guess.zoned:
            self.doubts.append("the times carry no zone: UTC is assumed; set timezone where the clock was another")

    def _types(self) -> dict[str, Any]:
        column = self.found.get("type")
        if column is None:
            kind, why = self._only_type()
            self.reasons.append(f"type: no column, all events are '{kind}' ({why})")
            return {"type": kind} if kind != "event" else {}
        counts: dict[str, int] = dict(self.values[column].cast(pl.String).value_counts(sort=True).head(TYPES).rows())
        known = {kind: weight for kind in counts if (weight := type_weight(kind)) is not None}
        types = {kind: known.get(kind, 1.0) for kind in counts}
        if counts:
            self.reasons.append(f"types: {said_types(counts, types)}")
        unknown = [kind for kind in counts if kind not in known]
        if unknown:
            self.doubts.append(f"what {quoted(unknown[:TOLD])} should weigh for learning is not known: 1, as a view")
        return {"types": types} if types else {}

    def _only_type(self) -> tuple[str, str]:
        names = " ".join(plain(name) for name in self.sample.columns)
        if "quantity" in self.found or any(word in names for word in ("invoice", "price", "order", "purchase")):
            return "purchase", "there are quantities, prices or orders"
        if plain(self.found.get("value", "")) in ("rating", "stars", "overall"):
            return "rating", "there are ratings"
        if any(word in plain(self.found.get("item", "")) for word in HEARING):
            return "play", "the items are music"
        return "event", "nothing says what they are"

    def _weight(self) -> dict[str, Any]:
        column = self.found.get("value")
        if column is None:
            return {}
        if plain(column) in (*WEIGHING, *WEIGHING_MORE):
            self.reasons.append(f"weight: the value, '{column}' says how strong each row is")
            return {"weight": "value"}
        self.reasons.append(f"weight: the type alone, '{column}' is money or another measure")
        return {}

    def _negative(self, types: dict[str, float]) -> dict[str, Any]:
        for role in ("quantity", "value"):
            column = self.found.get(role)
            cells = self.values[column].cast(pl.String) if column else pl.Series(["0"])
            cells = cells.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            below = int((cells < 0).sum())
            if column and below and (role == "quantity" or plain(column) in PAYING):
                self.reasons.append(f"negative_type: return, {below:,} rows of '{column}' are below zero")
                return {"negative_type": "return", "types": types | {"return": 0.0}}
            if column and role == "quantity":
                self.reasons.append("negative_type: return, where a quantity is below zero (none is in the sample)")
                return {"negative_type": "return", "types": types | {"return": 0.0}}
            if column and below:
                self.doubts.append(f"{below:,} rows of '{column}' are below zero: they will be quarantined")
        return {}

    def _decimal(self) -> dict[str, Any]:
        said = [self.found[role] for role in ("value", "quantity") if role in self.found]
        return decimal_comma([self.values[column] for column in said], self.reasons)

    def _order(self, weight: str) -> dict[str, Any]:
        if self.told.order is not None:
            self.reasons.append(f'order: "{self.told.order}", as you said')
            return {"order": self.told.order}
        if "time" in self.found:
            return {}
        user, item = self.found.get("user"), self.found.get("item")
        if weight != "type":
            self.doubts.append('no times, and a weight for each pair: order "none", so only random splits are possible')
            return {}
        if user and item and grouped(self.sample[user]) and not sorted_within(self.sample, user, item):
            self.reasons.append('order: "file", no times; the rows of a user lie together and are not sorted by item')
            self.doubts.append('is the order of the rows really that of the events? If not, set order = "none"')
            return {"order": "file"}
        self.doubts.append('no times: set order = "file" if the rows are in the order in which things happened')
        return {}


def _said_shares(shares: list[tuple[str, float]]) -> str:
    """What share of the cells each format reads: "79 % are %d.%m.%Y, 20 % iso"."""
    first, *others = [f"{share * 100:.0f} %{' are' if n == 0 else ''} {name}" for n, (name, share) in enumerate(shares)]
    return ", ".join([first, *others])


def _in_shell(name: str) -> str:
    return f"'{name}'" if " " in name else name
