"""Guesses which column plays which role: by its name first, by what it holds where names say nothing."""

from __future__ import annotations

from typing import Any

import polars as pl

from segue.data.convert_cells import NOBODY
from segue.data.guess_names import EVENT_NAMES, ITEM_NAMES, USER_NAMES, named, plain, type_weight
from segue.data.guess_times import TimeGuess, guess_time
from segue.data.settings import EventColumns, ItemColumns, UserColumns

SEPARATORS = ("|", ";", " > ", ",", "/")
WEIGHING = ("weight", "rating", "score", "stars", "plays", "playcount", "listens", "strength", "overall", "frequency")
WEIGHING_MORE = ("listencount", "bewertung", "calificacion", "avaliacao", "waardering", "ocena", "valutazione", "voto")
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
HEARING = ("artist", "track", "song", "album")


class EventRoles:
    """The roles of the columns of a table of events."""

    def __init__(self, sample: pl.DataFrame, reasons: list[str], doubts: list[str]) -> None:
        self.sample, self.reasons, self.doubts = sample, reasons, doubts
        self.found: dict[str, str] = {}
        self.values = {name: filled(sample[name]) for name in sample.columns}

    def settings(self) -> dict[str, Any]:
        """The fields of `EventSource` that depend on the columns."""
        self._by_name()
        self._by_content()
        said: dict[str, Any] = {}
        said |= self._time()
        said |= self._types()
        said |= self._weight()
        said |= self._negative(said.get("types", {}))
        said |= whole_ids(self.values, [self.found.get("user"), self.found.get("item")], self.reasons)
        said |= self._order(said.get("weight", "type"))
        return said | {"columns": EventColumns(**self.found)}

    def _free(self) -> list[str]:
        return [name for name in self.sample.columns if name not in self.found.values()]

    def _take(self, role: str, column: str, why: str) -> None:
        self.found[role] = column
        self.reasons.append(f"{role}: column '{column}', {why}")

    def _by_name(self) -> None:
        for role in EVENT_NAMES:
            candidates = [name for name in named(self._free(), role, EVENT_NAMES) if self._fits(role, name)]
            if not candidates:
                continue
            self._take(role, candidates[0], f"by its name{self._evidence(candidates[0])}")
            if len(candidates) > 1 and role in ("user", "item", "time", "type"):
                self.doubts.append(f"{role} could also be {_quoted(candidates[1:])}")

    def _fits(self, role: str, column: str) -> bool:
        """Whether what a column holds allows the role that its name promises."""
        cells = self.values[column]
        if cells.is_empty():
            return True
        if role == "time":
            return guess_time(cells) is not None or "time" in plain(column)
        if role in ("value", "quantity", "position"):
            return number_share(cells) > 0.5
        if role == "type":
            return cells.n_unique() <= 200
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
        if "time" not in self.found:
            self._time_by_content()
        if "user" not in self.found and "visitor" not in self.found:
            self._id_by_content("user")
        if "item" not in self.found:
            self._id_by_content("item")
        if "type" not in self.found:
            self._type_by_content()

    def _time_by_content(self) -> None:
        for column in self._free():
            if (guess := guess_time(self.values[column])) is not None:
                self._take("time", column, f"its cells are times, such as {guess.example!r}")
                return

    def _id_by_content(self, role: str) -> None:
        """The first free column that looks like ids, user before item, as nearly all such files have them."""
        for column in self._free():
            cells = self.values[column]
            if like_ids(cells):
                self._take(role, column, f"by its place and because its ids repeat{self._evidence(column)}")
                self.doubts.append(f"no column says by its name that it is the {role}: '{column}' is taken")
                return
        self.doubts.append(f"no column looks like the {role}: name it as columns.{role}")

    def _type_by_content(self) -> None:
        for column in self._free():
            cells = self.values[column].cast(pl.String)
            kinds = cells.unique().to_list() if cells.n_unique() <= 50 else []
            if kinds and sum(type_weight(kind) is not None for kind in kinds) >= 0.5 * len(kinds):
                self._take("type", column, f"it holds {_quoted(kinds[:6])}")
                return

    def _time(self) -> dict[str, Any]:
        column = self.found.get("time")
        if column is None:
            return {}
        guess = guess_time(self.values[column])
        if guess is None:
            if not self.values[column].is_empty():
                self.doubts.append(f"the times in '{column}' are of no format that is known: set time_format")
            return {}
        self._say_time(guess)
        return {"time_format": guess.time_format} if guess.time_format != "iso" else {}

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
        counts = self.values[column].cast(pl.String).value_counts(sort=True).rows()[:30]
        weights = {kind: type_weight(kind) for kind, _ in counts}
        known = {kind: weight for kind, weight in weights.items() if weight is not None}
        self.reasons.append(
            "types: " + ", ".join(f"{kind} {known.get(kind, 1.0):g} ({count:,} rows)" for kind, count in counts)
        )
        unknown = [kind for kind in weights if kind not in known]
        if unknown:
            self.doubts.append(f"what {_quoted(unknown)} should weigh for learning is not known: 1, as a view")
        return {"types": known} if known else {}

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
            cells = self.values[column].cast(pl.Float64, strict=False) if column else pl.Series([0.0])
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

    def _order(self, weight: str) -> dict[str, Any]:
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


class ItemRoles:
    """The roles of the columns of a catalog."""

    def __init__(self, sample: pl.DataFrame, reasons: list[str], doubts: list[str]) -> None:
        self.sample, self.reasons, self.doubts = sample, reasons, doubts
        self.found: dict[str, str] = {}
        self.values = {name: filled(sample[name]) for name in sample.columns}

    def settings(self) -> dict[str, Any]:
        """The fields of `ItemSource` that depend on the columns."""
        self.found["id"] = id_column(self.values, ITEM_NAMES, self.reasons, self.doubts)
        for role in ITEM_NAMES:
            candidates = [name for name in named(self._free(), role, ITEM_NAMES) if self._fits(role, name)]
            if role != "id" and candidates:
                self._take(role, candidates[0], f"by its name, such as {_example(self.values[candidates[0]])}")
        self._by_content()
        said = self._separator() | self._dates()
        said |= whole_ids(self.values, [self.found["id"]], self.reasons)
        rest = self._free()
        if rest:
            self.reasons.append(f"attributes: {_quoted(rest)}")
        return said | {"columns": ItemColumns(**self.found)}

    def _free(self) -> list[str]:
        return [name for name in self.sample.columns if name not in self.found.values()]

    def _take(self, role: str, column: str, why: str) -> None:
        self.found[role] = column
        self.reasons.append(f"{role}: column '{column}', {why}")

    def _fits(self, role: str, column: str) -> bool:
        cells = self.values[column]
        if cells.is_empty():
            return True
        if role == "price":
            return number_share(cells) > 0.9
        if role in ("released", "available_from", "available_to"):
            return _date_format(cells) is not None
        if role == "image":
            return cells.dtype == pl.String
        return not isinstance(cells.dtype, pl.Struct)

    def _by_content(self) -> None:
        if "title" not in self.found and (column := self._longest_text()):
            if "text" in self.found and self.found["text"] == column:
                del self.found["text"]
            self._take("title", column, f"it is text and nearly all different, such as {_example(self.values[column])}")
        if "categories" not in self.found:
            for column in self._free():
                separator = separator_of(self.values[column])
                if separator and categorical(self.values[column], separator):
                    self._take(
                        "categories", column, f"few words come again and again, such as {_example(self.values[column])}"
                    )
                    return

    def _longest_text(self) -> str | None:
        """Text of many different values: the best that could be a title."""
        free = [*self._free(), *([self.found["text"]] if "text" in self.found else [])]
        texts = [name for name in free if _is_text(self.values[name])]
        return max(texts, key=lambda name: self.values[name].n_unique(), default=None)

    def _separator(self) -> dict[str, Any]:
        column = self.found.get("categories")
        if column is None or self.values[column].dtype != pl.String or self.values[column].str.starts_with("[").all():
            return {}
        separator = separator_of(self.values[column])
        if separator is None:
            return {}
        parted = share(self.values[column].str.contains(separator, literal=True))
        self.reasons.append(f"category_separator: '{separator}', in {parted:.0%} of the cells")
        return {"category_separator": separator}

    def _dates(self) -> dict[str, Any]:
        for role in ("released", "available_from", "available_to"):
            column = self.found.get(role)
            guess = _date_format(self.values[column]) if column else None
            if guess is not None and guess != "iso":
                self.reasons.append(f"time_format: {guess}, such as {_example(self.values[str(column)])}")
                return {"time_format": guess}
        return {}


def user_id(sample: pl.DataFrame, reasons: list[str], doubts: list[str]) -> dict[str, Any]:
    """The fields of `UserSource` that depend on the columns."""
    values = {name: filled(sample[name]) for name in sample.columns}
    column = id_column(values, USER_NAMES, reasons, doubts)
    return {"columns": UserColumns(id=column)} | whole_ids(values, [column], reasons)


def id_column(values: dict[str, pl.Series], names: Any, reasons: list[str], doubts: list[str]) -> str:
    """The column of ids of a table that has a row for each."""
    by_name = named(list(values), "id", names)
    if by_name:
        reasons.append(f"id: column '{by_name[0]}', by its name")
        if len(by_name) > 1:
            doubts.append(f"id could also be {_quoted(by_name[1:])}")
        return by_name[0]
    unique = [name for name, cells in values.items() if len(cells) and cells.n_unique() == len(cells)]
    if unique:
        reasons.append(f"id: column '{unique[0]}', every row has another one")
        return unique[0]
    first = next(iter(values), "id")
    doubts.append(f"no column is surely the id: '{first}' is taken, as the first; name it as columns.id")
    return first


def whole_ids(values: dict[str, pl.Series], columns: list[str | None], reasons: list[str]) -> dict[str, Any]:
    """Whether ids are whole numbers that were written as 17850.0: a sign of a table with gaps, made by a program."""
    for column in columns:
        cells = values[column].cast(pl.String) if column and column in values else pl.Series([], dtype=pl.String)
        if len(cells) and cells.str.contains(r"^-?\d+\.0+$").all():
            reasons.append(f"ids: integer, '{column}' writes whole numbers as {cells[0]!r}; they are read without .0")
            return {"ids": "integer"}
    return {}


def filled(cells: pl.Series) -> pl.Series:
    """The cells that hold something."""
    if cells.dtype == pl.String:
        return cells.filter(cells.is_not_null() & ~cells.is_in(list(NOBODY)))
    return cells.drop_nulls()


def share(cells: pl.Series) -> float:
    """The share of cells that are true, 0 where there are none."""
    return float(cells.sum()) / len(cells) if len(cells) else 0.0


def number_share(cells: pl.Series) -> float:
    """The share of cells that are numbers."""
    return share(cells.cast(pl.Float64, strict=False).is_not_null()) if not cells.dtype.is_nested() else 0.0


def like_ids(cells: pl.Series) -> bool:
    """Whether these could be people or things: many different ones, which come again, and no fractions."""
    if cells.is_empty() or cells.dtype.is_nested() or _fractions(cells):
        return False
    return len(cells) < 100 or 10 < cells.n_unique() < 0.9 * len(cells)


def grouped(cells: pl.Series) -> bool:
    """Whether equal values lie together."""
    runs = int((cells != cells.shift(1)).fill_null(value=True).sum())
    return len(cells) > 1 and runs <= 1.02 * cells.n_unique() + 1 and runs < len(cells)


def sorted_within(sample: pl.DataFrame, user: str, item: str) -> bool:
    """Whether nearly every user's items stand in ascending order: then the order says nothing of time."""
    number = sample[item].cast(pl.Float64, strict=False)
    keys = number if number.null_count() == 0 else sample[item]
    rows = pl.DataFrame({"user": sample[user], "item": keys})
    steps = rows.with_columns((pl.col("item") >= pl.col("item").shift(1)).over("user").alias("up")).drop_nulls()
    return bool(steps.is_empty() or share(steps["up"]) > 0.95)


def separator_of(cells: pl.Series) -> str | None:
    """What parts several categories in one cell."""
    if cells.dtype != pl.String or cells.is_empty():
        return None
    shares = {sign: share(cells.str.contains(sign, literal=True)) for sign in SEPARATORS}
    return next((sign for sign, share in shares.items() if share > 0.05), None)


def categorical(cells: pl.Series, separator: str) -> bool:
    """Whether the words between separators come again and again."""
    words = cells.str.split(separator).explode().str.strip_chars()
    return words.n_unique() <= max(0.2 * len(cells), 3) and not (words.str.len_chars() > 60).any()


def _is_text(cells: pl.Series) -> bool:
    if cells.dtype != pl.String or cells.is_empty():
        return False
    links = share(cells.str.starts_with("http"))
    return number_share(cells) < 0.5 and links < 0.5 and cells.n_unique() > 0.3 * min(len(cells), 1000)


def _fractions(cells: pl.Series) -> bool:
    numbers = cells.cast(pl.Float64, strict=False).drop_nulls()
    return bool(len(numbers) > 0.5 * len(cells) and (numbers != numbers.floor()).any())


def _date_format(cells: pl.Series) -> str | None:
    if cells.dtype == pl.Date or isinstance(cells.dtype, pl.Datetime):
        return "iso"
    text = cells.cast(pl.String)
    if len(text) and text.str.contains(r"^\d{4}(-\d{2}(-\d{2}.*)?)?$").all():
        return "iso"
    guess = guess_time(cells)
    return guess.time_format if guess else None


def _example(cells: pl.Series) -> str:
    return repr(str(cells[0])[:40]) if len(cells) else "nothing yet"


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
