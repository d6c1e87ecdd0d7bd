"""Links the Online Retail data as `data/source` and derives the catalog: what each stock code is called and costs.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ARCHIVE = "online-retail-by-day.tar.gz"


def main(workspace: Path = HERE) -> None:
    """Write `data/items.jsonl` into the workspace: the commonest description and the median price of what was sold."""
    source = link(workspace / "data", "online-retail")
    names: dict[str, Counter[str]] = defaultdict(Counter)
    prices: dict[str, list[float]] = defaultdict(list)
    for row in sold(source / ARCHIVE):
        names[row["StockCode"]][" ".join(row["Description"].split())] += 1
        prices[row["StockCode"]].append(float(row["UnitPrice"]))
    with (workspace / "data" / "items.jsonl").open("w", encoding="utf-8") as out:
        for code in sorted(names):
            title = min(names[code].items(), key=lambda pair: (-pair[1], pair[0]))[0]
            item = {"id": code, "title": title.capitalize(), "price": median(prices[code]), "currency": "GBP"}
            out.write(json.dumps(item | {"range": code[:2]}, ensure_ascii=False) + "\n")


def sold(archive: Path) -> Iterator[dict[str, str]]:
    """The rows that sell a product: codes such as POST and BANK CHARGES, returns and corrections are left out."""
    with tarfile.open(archive) as days:
        for day in days:
            file = days.extractfile(day)
            if file is None:
                continue
            for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
                named = row["Description"] and re.match(r"\d{5}", row["StockCode"])
                if named and float(row["UnitPrice"]) > 0 and float(row["Quantity"]) > 0:
                    yield row


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
