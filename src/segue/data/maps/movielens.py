"""MovieLens, of every size and age: ratings.csv, ratings.dat or u.data, and movies.csv, movies.dat or u.item.

Written after the README files that come with the data sets 100K, 1M, 10M, 20M, 25M and ml-latest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import polars as pl

from segue.data.maps.map import Glimpse, ImportMap, Mapped
from segue.data.read.files import Part
from segue.data.read.read import read_part
from segue.data.read.rows import Rows
from segue.data.settings import EventColumns, EventSource, FileSource, ItemColumns, ItemSource

RATINGS: Final = ("userId", "movieId", "rating", "timestamp")
MOVIES: Final = ("movieId", "title", "genres")
GENRES: Final = (  # of u.item, in which each has a column of 0 or 1
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
U_ITEM: Final = ("movieId", "title", "release_date", "video_release_date", "imdb_url", *GENRES)
NO_GENRE: Final = "(no genres listed)"
YEAR: Final = r"\((\d{4})[^()]*\)\s*$"  # at the end of a title; of a series, the year in which it began

_FIVE = r"(?:[0-5](?:\.\d)?)"
_LINES: Final = {  # delimiter: what a line of ratings looks like
    "::": re.compile(rf"^\d+::\d+::{_FIVE}::\d+$"),
    "\t": re.compile(rf"^\d+\t\d+\t{_FIVE}\t\d{{9,10}}$"),
}
_MOVIE_LINES: Final = {
    "::": re.compile(r"^\d+::.+ \(\d{4}[^()]*\)::[^:]+$"),
    "|": re.compile(r"^\d+\|[^|]*\|[^|]*\|[^|]*\|[^|]*(\|[01]){19}$"),
}

RATED: Final = EventSource(
    columns=EventColumns(user="userId", item="movieId", value="rating", time="timestamp"),
    time_format="epoch_s",
    type="rating",
    types={"rating": 1.0},
    weight="value",
)
FILMS: Final = ItemSource(
    columns=ItemColumns(id="movieId", title="title", categories="genres", released="year"),
    category_separator="|",
)


@dataclass(frozen=True)
class Ratings:
    """Who rated what, how, and when."""

    source: Mapped = RATED

    def recognise(self, glimpse: Glimpse) -> str | None:
        """Why a file surely holds ratings."""
        if _header(glimpse) == RATINGS:
            return f"the first line names {', '.join(RATINGS)}, as MovieLens' ratings.csv does"
        delimiter = _delimiter(glimpse, _LINES)
        if delimiter is None or not _called(
            glimpse.name, "ratings", "u.data", "ua.", "ub.", *(f"u{n}." for n in "12345")
        ):
            return None
        name = "u.data" if delimiter == "\t" else "ratings.dat"
        return f"the lines hold two numbers, a rating up to 5 and a time, parted as in MovieLens' {name}"

    def wants(self, name: str) -> bool:
        """Whether a file holds ratings; the archives hold movies and tags too."""
        return not _called(
            name, "movies", "tags", "links", "genome", "users", "readme", "u.", "allbut", "mku"
        ) or _called(name, "u.data")

    def read(self, part: Part, source: Mapped) -> Iterator[Rows]:
        """The rows of one part, with the columns of ratings.csv whatever its age."""
        yield from _named(part, source, _LINES, RATINGS)


@dataclass(frozen=True)
class Movies:
    """What there is to rate: titles, years, genres."""

    source: Mapped = FILMS

    def recognise(self, glimpse: Glimpse) -> str | None:
        """Why a file is surely a list of films."""
        if _header(glimpse) == MOVIES:
            return f"the first line names {', '.join(MOVIES)}, as MovieLens' movies.csv does"
        delimiter = _delimiter(glimpse, _MOVIE_LINES)
        if delimiter is None:
            return None
        name = "u.item" if delimiter == "|" else "movies.dat"
        return f"the lines hold a number, a title with its year, and genres, parted as in MovieLens' {name}"

    def wants(self, name: str) -> bool:
        """Whether a file holds films; the archives hold ratings and tags too."""
        return not _called(
            name, "ratings", "tags", "links", "genome", "users", "readme", "u.", "ua.", "ub."
        ) or _called(name, "u.item")

    def read(self, part: Part, source: Mapped) -> Iterator[Rows]:
        """The rows of one part: the year of each title beside it, and its genres as one cell."""
        for rows in _named(part, source, _MOVIE_LINES, MOVIES):
            frame = rows.frame
            if "Film-Noir" in frame.columns:
                marked = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES]
                frame = frame.with_columns(genres=pl.concat_list(marked).list.drop_nulls().list.join("|")).drop(GENRES)
            if "genres" in frame.columns:
                frame = frame.with_columns(pl.col("genres").str.replace(NO_GENRE, "", literal=True))
            if "title" in frame.columns:
                frame = frame.with_columns(year=pl.col("title").str.extract(YEAR))
            yield Rows(frame, rows.lines, rows.raw, rows.broken)


def _named(part: Part, source: Mapped, lines: dict[str, re.Pattern[str]], names: tuple[str, ...]) -> Iterator[Rows]:
    """The rows of a part with the names of the columns, whether or not a header says them."""
    glimpse = Glimpse(part.name, part.head(1 << 16).decode("utf-8", "replace"))
    first = glimpse.lines[0] if glimpse.lines else ""
    delimiter = _delimiter(glimpse, lines) or next((sign for sign in lines if sign in first), None)
    if delimiter is None:
        yield from read_part(part, FileSource(encoding=source.encoding, format="csv"))
        return
    plain = FileSource(encoding=_encoding(part, source), format="csv", delimiter=delimiter, header=False, quote="")
    for rows in read_part(part, plain):
        called = U_ITEM if len(rows.frame.columns) == len(U_ITEM) else names
        frame = rows.frame.rename(dict(zip(rows.frame.columns, called, strict=False)))
        yield Rows(frame, rows.lines, rows.raw, rows.broken)


def _encoding(part: Part, source: Mapped) -> str:
    """Films were written in Latin-1 until 1M; UTF-8 goes before it where a file is that."""
    if source.encoding != "utf-8":
        return source.encoding
    try:
        for block in part.blocks(1 << 26):
            block.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _header(glimpse: Glimpse) -> tuple[str, ...]:
    return tuple(glimpse.lines[0].strip().lstrip("\ufeff").split(",")) if glimpse.lines else ()


def _delimiter(glimpse: Glimpse, known: dict[str, re.Pattern[str]]) -> str | None:
    """The delimiter of lines of which nearly all look as they should."""
    lines = [line.strip("\r") for line in glimpse.lines[:1000]]
    for delimiter, shape in known.items():
        if lines and sum(shape.match(line) is not None for line in lines) >= 0.9 * len(lines):
            return delimiter
    return None


def _called(name: str, *beginnings: str) -> bool:
    return PurePath(name.lower()).name.startswith(beginnings)


MOVIELENS = ImportMap("movielens", "https://grouplens.org/datasets/movielens/", events=Ratings(), items=Movies())
