"""Links the Open Bandit data as `data/source` and derives events: an impression for each row, a click where one was.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset

The data name no people, but four features of each. Who has the same four counts as one visitor: a group of look-alikes.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAMPAIGNS = ("men", "women")
POLICIES = ("random", "bts")  # by lot, and by Bernoulli Thompson sampling


def main(workspace: Path = HERE) -> None:
    """Write `data/events.jsonl` and `data/items.jsonl` into the workspace."""
    source = link(workspace / "data", "open-bandit")
    with (workspace / "data" / "events.jsonl").open("w", encoding="utf-8") as out:
        for event in events(source):
            out.write(json.dumps(event) + "\n")
    with (workspace / "data" / "items.jsonl").open("w", encoding="utf-8") as out:
        for campaign in CAMPAIGNS:
            for row in rows(source / "random" / campaign / "item_context.csv"):
                item = {"id": f"{campaign}-{row['item_id']}", "title": f"{campaign}, item {row['item_id']}"}
                item |= {"categories": [campaign], "feature": float(row["item_feature_0"])}
                out.write(json.dumps(item) + "\n")


def events(source: Path) -> Iterator[dict[str, object]]:
    """An impression for each row, and a click behind it where there was one."""
    for policy in POLICIES:
        for campaign in CAMPAIGNS:
            for row in rows(source / policy / campaign / f"{campaign}.csv"):
                place = f"{policy}-{campaign}-{row['']}"
                event: dict[str, object] = {
                    "id": place,
                    "visitor": group(row),
                    "item": f"{campaign}-{row['item_id']}",
                    "type": "impression",
                    "time": row["timestamp"],
                    "position": int(row["position"]) - 1,
                    "context": {"policy": policy, "propensity": float(row["propensity_score"])},
                }
                yield event
                if row["click"] == "1":
                    yield event | {"id": f"{place}-click", "type": "click"}


def group(row: dict[str, str]) -> str:
    """A short name for people with the same four features."""
    features = ",".join(row[f"user_feature_{number}"] for number in range(4))
    return blake2b(features.encode(), digest_size=6).hexdigest()


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, as text."""
    with path.open(encoding="utf-8", newline="") as file:
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
