"""Links the Spotify songs as `data/source` and derives a catalog: a row for each track, its genres from its playlists.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset

A row of the data is a track in a playlist. Playlists are read as people who like what they hold.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOUND = ("danceability", "energy", "loudness", "acousticness", "valence", "tempo")


def main(workspace: Path = HERE) -> None:
    """Write `data/items.jsonl` and `data/users.jsonl` into the workspace."""
    source = link(workspace / "data", "spotify-songs")
    tracks: dict[str, dict[str, object]] = {}
    genres: dict[str, set[str]] = defaultdict(set)
    playlists: dict[str, dict[str, str]] = {}
    for row in rows(source / "spotify_songs.csv.gz"):
        genres[row["track_id"]].add(row["playlist_genre"])
        tracks.setdefault(row["track_id"], track(row))
        playlists.setdefault(row["playlist_id"], {"id": row["playlist_id"], "genre": row["playlist_genre"]})
    write(
        workspace / "data" / "items.jsonl", (item | {"categories": sorted(genres[key])} for key, item in tracks.items())
    )
    write(workspace / "data" / "users.jsonl", playlists.values())


def track(row: dict[str, str]) -> dict[str, object]:
    """What the catalog says of a track."""
    item: dict[str, object] = {"id": row["track_id"], "title": f"{row['track_name']} ({row['track_artist']})"}
    item |= {"kind": "song", "released": row["track_album_release_date"], "popularity": int(row["track_popularity"])}
    return item | {"minutes": int(row["duration_ms"]) / 60_000} | {name: float(row[name]) for name in SOUND}


def write(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    """JSON lines."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, as text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


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
