"""What the rules and the quarantine say of real dirt: online-retail, 541,909 lines of a wholesaler."""

from __future__ import annotations

import random
import tarfile
from pathlib import Path

import pytest

from segue.project import Project

SAID = """
[events]
files = ["{archive}"]
format = "csv"
type = "buy"
negative_type = "return"
[events.columns]
user = "CustomerID"
item = "StockCode"
time = "InvoiceDate"
value = "UnitPrice"
quantity = "Quantity"
session = "InvoiceNo"
"""


@pytest.fixture(scope="module")
def shop(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("retail")
    archive = data_dir / "online-retail" / "online-retail-by-day.tar.gz"
    (folder / "segue.toml").write_text(SAID.format(archive=archive))
    project = Project.open(folder)
    project.ingest()
    return project


@pytest.mark.data
@pytest.mark.slow
def test_what_proposals_find(shop: Project) -> None:
    found = {(each.rule.rule, each.rule.column): each for each in shop.propose_rules()}
    assert found["duplicates", ""].evidence.endswith("10,226 of 406,829 break it")
    assert found["range", "quantity"].evidence.startswith("406,829 numbers from -80995 to 80995")
    assert ("freshness", "") not in found, "the log ended in 2011"
    assert found["allowed", "type"].rule.values == ("buy", "return")
    shop.propose_rules(write=True)
    again = Project.open(shop.folder).check()
    assert again.passed, "what is proposed passes on what it was proposed from"
    assert {trend.rule.rule for trend in Project.open(shop.folder).check_trends()} >= {"drift", "volume"}


@pytest.mark.data
@pytest.mark.slow
def test_the_bytes_of_refused_lines(shop: Project, data_dir: Path) -> None:
    held = shop.snapshot().quarantine().collect()
    assert dict(held["reason"].value_counts().iter_rows()) == {"no user": 135_080}
    assert held["offset"].null_count() == 0
    file = random.Random(1).choice(sorted(held["file"].unique()))
    with tarfile.open(data_dir / "online-retail" / "online-retail-by-day.tar.gz") as archive:
        member = archive.extractfile(file.partition(".tar.gz/")[2])
        assert member is not None
        content = member.read()
    for row in held.filter(held["file"] == file).iter_rows(named=True):
        assert content[row["offset"] :][: row["length"]] == row["bytes"]
        assert content[: row["offset"]].count(b"\n") == row["line"] - 1
