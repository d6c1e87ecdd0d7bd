"""Links MovieLens-1M as `data/source` and derives titles and people: the sequences use ids of their own.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
AGES = {
    "1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56 and over",
}  # fmt: skip


def main(workspace: Path = HERE) -> None:
    """Write `data/items.jsonl` and `data/users.csv` into the workspace."""
    source = link(workspace / "data", "ml-1m")
    movies = {fields[0]: fields[1:] for fields in lines(source / "movies.dat", "::")}
    with (workspace / "data" / "items.jsonl").open("w", encoding="utf-8") as out:
        for item, movie in lines(source / "sas_to_original_items.txt", " "):
            title, genres = movies[movie]
            record = {"id": item, "title": readable(title), "categories": genres.split("|"), "kind": "film"}
            year = re.search(r"\((\d{4})\)$", title)
            out.write(json.dumps(record | ({"year": int(year[1])} if year else {}), ensure_ascii=False) + "\n")
    people = {fields[0]: fields[1:] for fields in lines(source / "users.dat", "::")}
    with (workspace / "data" / "users.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["user_id", "gender", "age"])
        for user, person in lines(source / "sas_to_original_users.txt", " "):
            gender, age, *_ = people[person]
            writer.writerow([user, gender, AGES[age]])


def readable(title: str) -> str:
    """`Matrix, The (1999)` as people say it.

    >>> readable("Matrix, The (1999)"), readable("Heat (1995)")
    ('The Matrix (1999)', 'Heat (1995)')
    """
    return re.sub(r"^(.*), (The|A|An|Le|La|Les|L'|Il|Das|Der|Die|El) (\(.*)$", r"\2 \1 \3", title)


def lines(path: Path, separator: str) -> list[list[str]]:
    """The fields of each line."""
    return [line.split(separator) for line in path.read_text("latin-1").splitlines() if line]


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
