"""A query of PostgreSQL as a source, asked of a real server that the test starts for itself."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from segue.data.sources.query import Query
from segue.domain.errors import DeclarationError, ReadError
from segue.project import Project

SECRET = "s3cret-of-nobody"
ROWS = 200_000
MADE = f"""
CREATE ROLE reader LOGIN PASSWORD '{SECRET}';
CREATE TABLE clicks (id bigint, person text, product uuid, at timestamptz, amount numeric(10, 2), device jsonb);
INSERT INTO clicks VALUES
  (1, 'ana', '00000000-0000-0000-0000-000000000001', '2026-01-02 03:04:05.678901+00', 12.50, '{{"os": "x"}}'),
  (2, 'bo', '00000000-0000-0000-0000-000000000002', '2026-01-02 04:04:05+01', NULL, NULL),
  (3, NULL, '00000000-0000-0000-0000-000000000003', '2026-01-02 04:04:05+01', 1, NULL);
GRANT SELECT ON clicks TO reader;
"""
TOML = """[events]
database = "{database}"
query = "{query}"
[events.columns]
user = "person"
item = "product"
time = "at"
value = "amount"
context = "device"
"""

pytestmark = pytest.mark.service


def program(name: str) -> str:
    """A program of the server, which Debian keeps out of the path."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    assert found, "run `make setup-test`: PostgreSQL is missing"
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server on a socket in a folder of its own; it does not run as root."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        user: str | None = None
        if os.getuid() == 0:
            user = "postgres" if "postgres" in {each.pw_name for each in pwd.getpwall()} else "nobody"
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

        def run(*command: str, given: str | None = None) -> None:
            subprocess.run(
                command, user=user, cwd=folder, check=True, capture_output=True, text=True, input=given, timeout=120
            )

        secret = Path(folder) / "secret"
        secret.write_text("owner-of-all")
        secret.chmod(0o644)
        run(program("initdb"), "-D", f"{folder}/data", "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run(program("pg_ctl"), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            owner = f"postgresql://owner:owner-of-all@/postgres?host={folder}"
            run(program("psql"), "-q", "-v", "ON_ERROR_STOP=1", owner, given=MADE)
            yield f"postgresql://reader@/postgres?host={folder}"
        finally:
            run(program("pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")


def project(folder: Path, database: str, query: str = "SELECT * FROM clicks ORDER BY id") -> Project:
    (folder / "segue.toml").write_text(TOML.format(database=database, query=query))
    return Project.open(folder)


def test_a_query_is_ingested_once_with_its_types(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    opened = project(tmp_path, address)
    assert opened.ingest().sentence() == "kept 2 rows of 1 file, quarantined 1"
    found = opened.events.collect().select("user", "item", "time", "value", "context").sort("user").rows()
    assert found == [
        (
            "ana",
            "00000000-0000-0000-0000-000000000001",
            datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
            12.5,
            '{"os": "x"}',
        ),
        ("bo", "00000000-0000-0000-0000-000000000002", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, None),
    ]
    assert opened.ingest().sentence().endswith("1 file was in already")
    (row,) = opened.quarantine.collect().to_dicts()
    assert (row["file"], row["line"], row["reason"]) == ("postgresql:///postgres", 3, "no user")
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_big_answer_comes_in_batches(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBODY", SECRET)
    query = f"SELECT i AS person, i % 7 AS product FROM generate_series(1, {ROWS}) AS i"
    asked = Query(address.replace("reader@", "reader:${NOBODY}@"), query, tmp_path)
    (part,) = asked.parts()
    assert part.path.stat().st_size > ROWS * 8


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nothing FROM clicks", 'column "nothing" does not exist'),
        ("DELETE FROM clicks", "read-only|permission denied"),
        ("SELECT 1 / (3 - id) FROM clicks", "division by zero"),
    ],
)
def test_what_the_server_refuses_is_said(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, query: str, words: str
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with pytest.raises(ReadError, match=words) as error:
        list(Query(address, query, tmp_path).parts())
    assert SECRET not in str(error.value)


def test_who_may_not_ask_is_told_so_and_no_secret_shows(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "wrong-word")
    secret = address.replace("reader@", "reader:${WRONG}@")
    with pytest.raises(ReadError, match="password authentication failed") as error:
        list(Query(secret, "SELECT 1", tmp_path).parts())
    assert "wrong-word" not in str(error.value)
    monkeypatch.delenv("WRONG")
    with pytest.raises(DeclarationError, match="WRONG is not set"):
        list(Query(secret, "SELECT 1", tmp_path).parts())


def test_a_server_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="database does not answer"):
        list(Query(f"postgresql://reader@/postgres?host={tmp_path}", "SELECT 1", tmp_path).parts())
