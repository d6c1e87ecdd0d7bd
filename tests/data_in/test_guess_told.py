"""What is said of files overrules what is guessed, and is held against them; what is no table of events is refused."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from segue.data.guess.guess import guess_events, guess_items
from segue.data.read.read import read_rows
from segue.data.settings import EventColumns, EventSource, ItemColumns
from segue.domain.errors import DataError, ReadError, UnknownName
from tests.data_in.reading import read_all

ROWS = "".join(f"K{n % 9};A{n % 7};{n % 28 + 1:02d}.01.20;{n}\n" for n in range(60))
TOLD = {"user": "Kunden", "item": "Dinge"}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.csv"
    path.write_text("Kunden;Dinge;Wann;id\n" + ROWS)
    return path


def test_what_is_said_is_taken_and_shown_as_said(odd: Path) -> None:
    guess = guess_events([odd], told=TOLD | {"time": "Wann"}, delimiter=";", time_format="%d.%m.%y", order="file")
    source = guess.source
    assert source.columns == EventColumns(user="Kunden", item="Dinge", time="Wann", id="id")
    assert (source.delimiter, source.time_format, source.order) == (";", "%d.%m.%y", "file")
    said = [reason for reason in guess.reasons if "as you said" in reason]
    assert "user: column 'Kunden', as you said" in said
    assert [reason.split(":")[0] for reason in said] == [
        *("delimiter", "header", "user", "item", "time", "time_format", "order"),
    ]
    assert not any("'Kunden'" in doubt or "no times" in doubt for doubt in guess.doubts)


def test_a_role_may_be_said_to_be_nobodys(odd: Path) -> None:
    guess = guess_events([odd], told=TOLD | {"id": ""})
    assert guess.source.columns.id is None
    assert "id: no column, as you said" in guess.reasons


def test_a_delimiter_that_is_said_is_read_by(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user|item,more\n" + "".join(f"u{n % 5}|i{n % 3},1\n" for n in range(40)))
    assert guess_events([tmp_path / "a.csv"], delimiter="|").source.columns.item is not None
    with pytest.raises(ReadError, match=r"'user\|item', 'more'(.|\n)*--column user=COLUMN"):
        guess_events([tmp_path / "a.csv"], delimiter=",")
    (tmp_path / "a.tsv").write_text("user\titem\nu\ti\n")
    assert guess_events([tmp_path / "a.tsv"], delimiter="\\t").source.delimiter == "\t"


def test_a_time_format_that_is_said_finds_the_times(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 5},i{n % 3},2024w{n % 40 + 10}d1\n" for n in range(40))
    (tmp_path / "a.csv").write_text("user,item,period\n" + rows)
    guess = guess_events([tmp_path / "a.csv"], time_format="%Gw%Vd%u")
    assert (guess.source.columns.time, guess.source.time_format) == ("period", "%Gw%Vd%u")
    assert guess_events([tmp_path / "a.csv"]).source.columns.time is None


def test_what_is_said_is_held_against_the_file(odd: Path) -> None:
    with pytest.raises(DataError, match=r"no column is called 'Kunde', .* the user\n.*did you mean 'Kunden'"):
        guess_events([odd], told={"user": "Kunde"})
    with pytest.raises(UnknownName, match="did you mean 'user'"):
        guess_events([odd], told={"usr": "Kunden"})
    with pytest.raises(DataError, match=r"%Y-%m-%d reads no time of the column 'Wann', such as '01.01.20'"):
        guess_events([odd], told=TOLD | {"time": "Wann"}, time_format="%Y-%m-%d")
    with pytest.raises(DataError, match="no order is called 'rows'"):
        guess_events([odd], told=TOLD, order="rows")


def png() -> bytes:
    chunk = b"IHDR" + bytes([0, 0, 1, 0, 0, 0, 1, 0, 8, 2, 0, 0, 0])
    pixels = zlib.compress(bytes(range(256)) * 64)
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\r" + chunk + b"\x00\x00\x40\x00IDAT" + pixels + b"\x00\x00\x00\x00IEND"


def test_a_picture_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    with pytest.raises(ReadError, match="this is no table"):
        guess_events([tmp_path / "a.png"])


def test_a_catalog_is_not_taken_for_events(tmp_path: Path) -> None:
    rows = "".join(f"p{n},Title {n},{'abc'[n % 3]},{n}.5\n" for n in range(50))
    (tmp_path / "a.csv").write_text("item_id,title,shelf,price\n" + rows)
    with pytest.raises(ReadError, match=r"there are 'item_id', 'title', 'shelf', 'price'") as error:
        guess_events([tmp_path / "a.csv"])
    assert "--column user=COLUMN --column item=COLUMN" in str(error.value)
    assert "as in a catalog" in str(error.value)
    guess = guess_events([tmp_path / "a.csv"], told={"user": "shelf"})
    assert guess.source.columns.user == "shelf"


def test_ids_that_do_not_repeat_are_not_said_to(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("alpha,beta\n" + "".join(f"a{n},b{n}\n" for n in range(20)))
    with pytest.raises(ReadError, match="person and no item of an event; there are 'alpha', 'beta'"):
        guess_events([tmp_path / "a.csv"])


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    for call in (lambda: guess_events([tmp_path]), lambda: list(read_rows(tmp_path, EventSource()))):
        with pytest.raises(ReadError, match=r"this is a folder\n.*name its files, such as"):
            call()


def nested(count: int = 60) -> str:
    return "".join(
        f'{{"event":"{"buy" if n % 3 else "view"}","actor":{{"id":"K{n % 9}","born":"1990-01-0{n % 9 + 1}"}},'
        f'"properties":{{"product":{{"sku":"A{n % 7}","name":"Thing {n % 7}"}},"amount":{n}.50}},'
        f'"sent_at":"2024-01-01T10:00:{n % 60:02d}Z","context":{{"x{n}":1,"y{n}":2}},"list":[{{"a":1}}]}}\n'
        for n in range(count)
    )


def test_fields_inside_objects_are_guessed_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(nested())
    guess = guess_events([tmp_path / "a.jsonl"], told={"time": "sent_at"})
    assert guess.source.columns == EventColumns(
        user="actor.id", item="properties.product.sku", type="event", value="properties.amount", time="sent_at"
    )
    (doubt,) = [doubt for doubt in guess.doubts if "hold objects" in doubt]
    assert doubt.startswith("'actor', 'properties' hold objects, which were looked into")
    assert any("'context'" in doubt and "not looked into" in doubt for doubt in guess.doubts)
    rows, broken = read_all(tmp_path / "a.jsonl", guess.source)
    assert (rows[1]["properties.amount"], rows[1]["actor.id"], broken) == ("1.50", "K1", [])


def test_an_object_is_never_a_person_or_a_thing(tmp_path: Path) -> None:
    lines = "".join(
        f'{{"user":{{"x{n % 70}":{n},"y{n % 60}":1}},"item":[{n % 3}],"colour":"c{n % 7}"}}\n' for n in range(90)
    )
    (tmp_path / "a.jsonl").write_text(lines)
    with pytest.raises(ReadError, match="there are 'user', 'item', 'colour'"):
        guess_events([tmp_path / "a.jsonl"])


def test_a_catalog_of_lists_has_no_ids(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"list":[1]}\n{"list":[2]}\n')
    with pytest.raises(ReadError, match="no column could be an id, for all hold objects or lists: 'list'"):
        guess_items([tmp_path / "a.jsonl"])


def test_an_item_inside_an_object(tmp_path: Path) -> None:
    lines = "".join(
        f'{{"product":{{"sku":"A{n}","name":"Thing {n}","price":{{"amount":{n}.5,"currency":"EUR"}}}},'
        f'"category":{{"id":{n % 3},"name":"cat {n % 3}"}},"tags":["x","y{n % 2}"],"extra":{{"colour":"red"}}}}\n'
        for n in range(40)
    )
    (tmp_path / "a.jsonl").write_text(lines)
    guess = guess_items([tmp_path / "a.jsonl"])
    assert guess.source.columns == ItemColumns(
        id="product.sku", title="product.name", price="product.price.amount", currency="product.price.currency",
        categories="tags",
    )  # fmt: skip
    assert "attributes: 'product', 'category', 'extra'" in guess.reasons


def test_structs_of_parquet_are_looked_into(tmp_path: Path) -> None:
    import polars as pl

    rows = [{"actor": {"id": f"K{n % 9}"}, "data": {"product": {"sku": f"A{n % 7}"}}} for n in range(60)]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    source = guess_events([tmp_path / "a.parquet"]).source
    assert source.columns == EventColumns(user="actor.id", item="data.product.sku")
    assert read_all(tmp_path / "a.parquet", source)[0][1] == {"actor.id": "K1", "data.product.sku": "A1"}


def _mixed(path: Path, iso: int) -> Path:
    """100 rows: `iso` of them as ISO, one that is no time, the others as the Germans write times."""
    times = [f"2024-05-{n % 28 + 1:02d}T10:00:00" for n in range(iso)] + ["gestern"]
    times += [f"{n % 28 + 1:02d}.05.2024 10:{n % 60:02d}" for n in range(99 - iso)]
    path.write_text("Kunde;Artikel;Zeitpunkt\n" + "".join(f"K{n % 9};A{n % 7};{at}\n" for n, at in enumerate(times)))
    return path


def test_the_format_of_most_times_is_taken_and_the_shares_of_all_are_said(tmp_path: Path) -> None:
    guess = guess_events([_mixed(tmp_path / "a.csv", 20)])
    assert (guess.source.columns.time, guess.source.time_format) == ("Zeitpunkt", "%d.%m.%Y %H:%M")
    assert any("79 % are %d.%m.%Y %H:%M, 20 % iso" in reason for reason in guess.reasons)
    said = next(doubt for doubt in guess.doubts if "Zeitpunkt" in doubt)
    assert "21 of 100 cells" in said
    assert "segue quarantine fix --time-format iso" in said


def test_times_of_no_clear_format_are_named_with_their_shares(tmp_path: Path) -> None:
    path = _mixed(tmp_path / "a.csv", 50)
    guess = guess_events([path])
    assert guess.source.columns.time is None
    assert any("'Zeitpunkt' looks like times: 50 % are iso, 49 % %d.%m.%Y %H:%M" in doubt for doubt in guess.doubts)
    told = guess_events([path], told={"time": "Zeitpunkt"})
    assert any("say --time-format 'iso'" in doubt and "50 %" in doubt for doubt in told.doubts)
