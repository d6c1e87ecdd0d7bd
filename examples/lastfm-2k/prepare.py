"""Links the Last.fm data as `data/source` and derives the catalog: artists with the tags that people gave them.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
TAGS = 5  # the most frequent of each artist
PEOPLE = 2  # a tag that fewer people gave an artist is not kept, unless it has no other


def main(workspace: Path = HERE) -> None:
    """Write `data/items.jsonl` into the workspace."""
    source = link(workspace / "data", "lastfm-2k")
    tags = artist_tags(source)
    with (workspace / "data" / "items.jsonl").open("w", encoding="utf-8") as out:
        for row in rows(source / "artists.dat", "utf-8"):
            item = {"id": row["id"], "title": row["name"], "categories": tags.get(row["id"], []), "url": row["url"]}
            out.write(json.dumps(item, ensure_ascii=False) + "\n")


def artist_tags(source: Path) -> dict[str, list[str]]:
    """The tags of each artist, those of most people first."""
    names = {row["tagID"]: row["tagValue"] for row in rows(source / "tags.dat", "latin-1")}
    given: dict[str, Counter[str]] = defaultdict(Counter)
    for name in ("user_taggedartists.dat", "user_taggedartists_2.dat"):
        for row in rows(source / name, "utf-8"):
            given[row["artistID"]][names[row["tagID"]]] += 1
    return {artist: chosen(counts) for artist, counts in given.items()}


def chosen(counts: Counter[str]) -> list[str]:
    """The most frequent tags; ties by name, so that the file is always the same."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    often = [tag for tag, count in ranked if count >= PEOPLE]
    return (often or [tag for tag, _ in ranked[:1]])[:TAGS]


def rows(path: Path, encoding: str) -> Iterator[dict[str, str]]:
    """The rows of a tab-separated file, as text."""
    with path.open(encoding=encoding, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def link(folder: Path, name: str) -> Path:
    """Make `folder/source` point to the data set where it lies."""
    source = Path(os.environ.get("SEGUE_DATA") or HERE.parents[2] / "shared" / "data").resolve() / name
    if not source.is_dir():
        sys.exit(f"{source}: the data set is not here; SEGUE_DATA names the folder that holds {name}/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source").unlink(missing_ok=True)
    (folder / "source").symlink_to(source)
    return source


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
