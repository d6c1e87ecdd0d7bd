"""Keys, sessions and counters: what is kept, what is refused, and what many workers sum to."""

from __future__ import annotations

import pickle
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segue.cli import main
from segue.domain.errors import UnknownName
from segue.serve import auth, session
from segue.serve.auth import Keys, create_key, revoke_key, secret
from segue.serve.messages import Ask
from segue.serve.metrics import COUNTS, ROUTES, STATUSES, Board, exposition
from segue.serve.openapi import document
from segue.serve.problems import KINDS, Refusal
from segue.serve.session import Sessions
from segue.serve.settings import ServeSettings

PAGE = {b"host": b"127.0.0.1:8000", b"x-segue-page": b"1"}


def bearer(key: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {key}".encode()}


def test_a_key_opens_its_role_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    key = create_key(tmp_path, "admin")
    assert Keys(tmp_path).role(bearer(key)) == "admin"
    assert Keys(tmp_path).role({b"x-api-key": key.encode()}) == "admin"
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.encode() not in kept
    assert len(key) > 40
    with sqlite3.connect(tmp_path / auth.FILE) as database:
        assert database.execute("SELECT length(hash), name FROM keys").fetchall() == [(32, key[:10])]


def test_a_key_made_while_the_service_runs_works_at_once(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    with pytest.raises(Refusal):
        keys.role(bearer("nothing"))
    assert keys.role(bearer(create_key(tmp_path))) == "service"


def test_a_revoked_key_is_refused_when_the_keys_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, keys = create_key(tmp_path), Keys(tmp_path)
    assert keys.role(bearer(key)) == "service"
    assert revoke_key(tmp_path, key)
    assert not revoke_key(tmp_path, key)
    monkeypatch.setattr(auth, "RELOAD_SECONDS", -1.0)
    with pytest.raises(Refusal, match="does not know"):
        keys.role(bearer(key))


def test_the_command_takes_a_key_back_once(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text("")

    def said(*words: str, typed: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(main, ["-C", str(tmp_path), "key", *words], input=typed, catch_exceptions=False)
        return done.exit_code, done.output

    first, second = said("--role", "admin")[1].strip(), said()[1].strip()
    assert [Keys(tmp_path).role(bearer(key)) for key in (first, second)] == ["admin", "service"]
    assert said("revoke", first) == (0, "the key is taken back\n")
    assert said("revoke", "-", typed=f"{second}\n") == (0, "the key is taken back\n")
    for key in (first, second):
        with pytest.raises(Refusal, match="does not know"):
            Keys(tmp_path).role(bearer(key))
    code, told = said("revoke", first)
    assert code == 2
    assert "this workspace does not know that key" in told
    assert first not in told


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows by one with each opening of the database."""
    opened, connect = [], sqlite3.connect

    def connected(*arguments: Any, **more: Any) -> sqlite3.Connection:
        opened.append(time.monotonic())
        return connect(*arguments, **more)

    monkeypatch.setattr(auth.sqlite3, "connect", connected)
    return opened


def test_wrong_keys_open_no_database_and_a_new_key_works_at_once_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "RELOAD_SECONDS", 60.0)
    first = create_key(tmp_path)
    keys, opened = Keys(tmp_path), counted_reads(monkeypatch)
    assert keys.role(bearer(first)) == "service"
    for number in range(50):
        with pytest.raises(Refusal, match="does not know"):
            keys.role(bearer(f"wrong-{number}"))
    assert len(opened) <= 3
    for role in ("service", "admin"):
        assert keys.role(bearer(create_key(tmp_path, role))) == role


@pytest.mark.parametrize("broken", [b"this is no database" * 300, b""], ids=["garbage", "empty"])
def test_keys_that_were_known_still_count_where_the_file_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bytes
) -> None:
    """An empty file is a database without keys: everybody is refused, which is what it says."""
    key, keys = create_key(tmp_path), Keys(tmp_path)
    assert keys.role(bearer(key)) == "service"
    monkeypatch.setattr(auth, "RELOAD_SECONDS", -1.0)
    (tmp_path / auth.FILE).write_bytes(broken)
    if broken:
        assert keys.role(bearer(key)) == "service"
    for asked in (keys, Keys(tmp_path)):
        with pytest.raises(Refusal) as caught:
            asked.role(bearer("wrong"))
        assert caught.value.code == ("keys_unavailable" if broken and asked is not keys else "wrong_key")


def test_a_role_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no role is called 'admn'"):
        create_key(tmp_path, "admn")


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    assert secret(tmp_path, "session") == secret(tmp_path, "session")
    assert len(secret(tmp_path, "session")) == 32
    assert secret(tmp_path, "session") != secret(tmp_path, "other")


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(b"s" * 32, ServeSettings())


def cookie(sessions: Sessions) -> dict[bytes, bytes]:
    """What a browser sends back of what it was given."""
    name, value = sessions.cookie()
    assert name == b"set-cookie"
    assert b"HttpOnly" in value
    assert b"SameSite=Strict" in value
    return {b"cookie": b"other=1; " + value.partition(b";")[0]}


def test_the_pages_own_request_holds_a_session(sessions: Sessions) -> None:
    own = {**PAGE, **cookie(sessions), b"origin": b"http://127.0.0.1:8000", b"sec-fetch-site": b"same-origin"}
    assert sessions.holds(own)
    assert not sessions.holds(PAGE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({b"origin": b"http://evil.example"}, "cross_origin"),
        ({b"origin": b"http://127.0.0.1:3000"}, "cross_origin"),
        ({b"origin": b"null"}, "cross_origin"),
        ({b"sec-fetch-site": b"cross-site"}, "cross_origin"),
        ({b"sec-fetch-site": b"same-site"}, "cross_origin"),
        ({b"x-segue-page": None}, "cross_origin"),
        ({b"host": b"evil.example:8000"}, "wrong_host"),
        ({b"host": b"127.0.0.1.evil.example"}, "wrong_host"),
        ({b"host": None}, "wrong_host"),
    ],
)
def test_another_sites_request_does_not(sessions: Sessions, change: dict[bytes, bytes | None], code: str) -> None:
    sent = {name: value for name, value in ({**PAGE, **cookie(sessions), **change}).items() if value is not None}
    with pytest.raises(Refusal) as caught:
        sessions.holds(sent)
    assert caught.value.code == code


@pytest.mark.parametrize("value", [b"9999999999.00", b"", b".", b"x.y", b"9999999999", b'"9999999999.\\351"'])
def test_a_cookie_that_we_did_not_sign_is_refused(sessions: Sessions, value: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        sessions.holds({**PAGE, b"cookie": b"segue_8000=" + value})
    assert caught.value.code == "wrong_key"


def test_a_session_ends(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {**PAGE, **cookie(sessions)}
    monkeypatch.setattr(session.time, "time", lambda: 1e11)
    with pytest.raises(Refusal, match="over"):
        sessions.holds(sent)


@pytest.mark.parametrize("settings", [ServeSettings(host="0.0.0.0"), ServeSettings(page="off")])
def test_the_page_is_closed_where_the_service_listens_to_others_or_is_told_so(settings: ServeSettings) -> None:
    with pytest.raises(Refusal) as caught:
        Sessions(b"s" * 32, settings).check_host(PAGE)
    assert caught.value.code == "page_closed"


@pytest.mark.parametrize("header", [b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"])
def test_what_a_proxy_passed_on_gets_no_page_and_its_session_is_not_good(sessions: Sessions, header: bytes) -> None:
    for ask in (sessions.check_host, sessions.holds):
        with pytest.raises(Refusal, match="proxy") as caught:
            ask({**PAGE, **cookie(sessions), header: b"127.0.0.1"})
        assert caught.value.code == "page_closed"


def test_workers_count_into_slots_of_their_own_and_are_summed() -> None:
    board = Board(2)
    other = pickle.loads(pickle.dumps(board))  # as it goes to a process that is spawned
    board.claim().answered("events", 200, 0.004)
    counters = other.claim()
    counters.answered("events", 200, 0.3)
    counters.count("events_new", 5)
    text = exposition(board, {"segue_workers": (2, "Workers alive.")}).decode()
    assert 'segue_requests_total{route="events",status="200"} 2' in text
    assert 'segue_request_seconds_bucket{route="events",le="0.005"} 1' in text
    assert 'segue_request_seconds_bucket{route="events",le="+Inf"} 2' in text
    assert 'segue_events_total{known="no"} 5' in text
    assert "segue_workers 2" in text
    board.path.unlink()


def test_the_exposition_is_well_formed() -> None:
    board = Board()
    lines = exposition(board, {'segue_release_info{release="a"}': (1, "The release.")}).decode().splitlines()
    board.path.unlink()
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        if not line.startswith("#"):
            name = re.match(r"[a-z_]+", line)[0]  # type: ignore[index]
            assert re.sub(r"_(bucket|sum|count)$", "", name) in named
            assert re.fullmatch(r"[a-z_]+(\{[a-z]+=\"[^\"]*\"(,le=\"[^\"]*\")?\})? [-+.e0-9]+", line), line
    helped = [line for line in lines if line.startswith("# HELP")]
    assert len(helped) == len(set(helped)) == len(named)
    assert len(COUNTS) >= len({name for name, _, _ in COUNTS.values()})


def test_every_refusal_is_documented_counted_and_in_the_description() -> None:
    told = str(document(ServeSettings()))
    pages_own = {"unknown_path"}
    for code, kind in KINDS.items():
        assert kind.title
        assert kind.meaning
        assert kind.status in STATUSES
        assert code in pages_own or f"`{code}`" in told
    assert "other" in ROUTES
    assert Ask(user="a").k is None
