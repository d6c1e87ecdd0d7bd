"""Guesses: right on the files that people have, with a reason for each, and what is ambiguous is said."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from segue.data.guess.guess import guess_events, guess_items, guess_users
from segue.data.guess.names import EVENT_NAMES, ITEM_NAMES, named, plain
from segue.data.guess.times import guess_old_epoch, guess_time
from segue.data.settings import EventColumns, ItemColumns
from segue.domain.errors import ReadError
from segue.simulate.world import World
from tests.data_in.test_read_files import archive


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.data
def test_lastfm_plays(data_dir: Path) -> None:
    guess = guess_events([data_dir / "lastfm-2k" / "user_artists.dat"])
    source = guess.source
    assert (source.delimiter, source.header, source.encoding, source.order) == ("\t", True, "utf-8", "none")
    assert source.columns == EventColumns(user="userID", item="artistID", value="weight")
    assert (source.weight, source.type) == ("value", "play")
    assert any("no times" in doubt and "order" in doubt for doubt in guess.doubts)


@pytest.mark.data
def test_lastfm_artists(data_dir: Path) -> None:
    source = guess_items([data_dir / "lastfm-2k" / "artists.dat"]).source
    assert (source.delimiter, source.quote, source.header) == ("\t", "", True)
    assert source.columns == ItemColumns(id="id", title="name", image="pictureURL")


@pytest.mark.data
def test_movielens_sequences(data_dir: Path) -> None:
    guess = guess_events([data_dir / "ml-1m" / "sasrec_ml-1m.txt.gz"])
    assert (guess.source.delimiter, guess.source.header, guess.source.order) == (" ", False, "file")
    assert guess.source.columns == EventColumns(user="column_1", item="column_2")
    assert any("is the order of the rows really that of the events" in doubt for doubt in guess.doubts)


@pytest.mark.data
def test_movielens_movies_and_users(data_dir: Path) -> None:
    source = guess_items([data_dir / "ml-1m" / "movies.dat"]).source
    assert (source.map, source.category_separator) == ("movielens", "|")
    assert source.columns == ItemColumns(id="movieId", title="title", categories="genres", released="year")
    users = guess_users([data_dir / "ml-1m" / "users.dat"]).source
    assert (users.delimiter, users.header, users.columns.id) == ("::", False, "column_1")


@pytest.mark.data
def test_online_retail(data_dir: Path) -> None:
    path = data_dir / "online-retail" / "online-retail-by-day.tar.gz"
    source = guess_events([path]).source
    assert source.columns == EventColumns(
        user="CustomerID", item="StockCode", time="InvoiceDate", value="UnitPrice", quantity="Quantity"
    )
    assert (source.ids, source.negative_type, source.type, source.time_format) == (
        "integer",
        "return",
        "purchase",
        "iso",
    )
    assert source.types == {"return": 0.0}
    assert guess_items([path]).source.columns == ItemColumns(id="StockCode", title="Description", price="UnitPrice")


def test_a_world_as_files(tmp_path: Path) -> None:
    World(seed=3, flavour="shop", people=80, items=40, days=10).write(tmp_path)
    files = sorted(tmp_path.glob("events*.csv"))
    guess = guess_events(files)
    assert guess.source.columns == EventColumns(
        user="user_id", item="item_id", type="event", time="timestamp", value="price", quantity="quantity",
        id="event_id", session="session_id",
    )  # fmt: skip
    assert (guess.source.encoding, guess.source.types["buy"], guess.source.types["click"]) == ("utf-8", 5.0, 1.0)
    items = guess_items([tmp_path / "items.jsonl"]).source
    assert (items.columns.title, items.columns.categories, items.columns.price) == ("title", "categories", "price")
    assert guess_users([tmp_path / "users.csv"]).source.columns.id == "user_id"


def test_json_lines_of_events(tmp_path: Path) -> None:
    rows = [
        {"userId": number % 7, "productId": f"p{number % 11}", "action": "view", "ts": 1_700_000_000_000 + number}
        for number in range(200)
    ]
    source = guess_events([write(tmp_path / "a.log", "\n".join(map(json.dumps, rows)))]).source
    assert (source.format, source.time_format) == ("auto", "epoch_ms")
    assert source.columns == EventColumns(user="userId", item="productId", type="action", time="ts")


def test_parquet_of_events(tmp_path: Path) -> None:
    frame = pl.DataFrame({"customer": [1.0, 2.0] * 60, "sku": ["a", "b", "c"] * 40, "date": [date(2024, 1, 1)] * 120})
    frame.write_parquet(tmp_path / "a.parquet")
    source = guess_events([tmp_path / "a.parquet"]).source
    assert (source.format, source.time_format, source.ids) == ("parquet", "iso", "integer")
    assert source.columns == EventColumns(user="customer", item="sku", time="date")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (
            "Kunden-Nr;Artikelnummer;Bestelldatum;Menge;Preis",
            ("Kunden-Nr", "Artikelnummer", "Bestelldatum", "Menge", "Preis"),
        ),
        (
            "id_client;id_produit;date_commande;quantité;prix",
            ("id_client", "id_produit", "date_commande", "quantité", "prix"),
        ),
        ("ID Cliente;Producto;Fecha;Cantidad;Precio", ("ID Cliente", "Producto", "Fecha", "Cantidad", "Precio")),
        ("id_utente;prodotto;data;quantità;prezzo", ("id_utente", "prodotto", "data", "quantità", "prezzo")),
        ("klantnummer;artikel;besteldatum;aantal;prijs", ("klantnummer", "artikel", "besteldatum", "aantal", "prijs")),
    ],
)
def test_names_in_other_languages(tmp_path: Path, header: str, columns: tuple[str, ...]) -> None:
    rows = "".join(f"{n % 13};A{n % 17};{n % 28 + 1:02d}.03.2024;{n % 3 + 1};9,{n % 9}0\n" for n in range(150))
    guess = guess_events([write(tmp_path / "a.csv", f"{header}\n{rows}")])
    source = guess.source
    said = source.columns
    assert [said.user, said.item, said.time, said.quantity, said.value] == header.split(";")
    assert (source.delimiter, source.time_format, source.type) == (";", "%d.%m.%Y", "purchase")
    assert source.decimal == ","


def test_columns_without_names_are_told_by_what_they_hold(tmp_path: Path) -> None:
    rows = "".join(
        f"{1_700_000_000 + n * 60},u{n % 13},i{n * 7 % 29},{'click' if n % 2 else 'buy'}\n" for n in range(300)
    )
    guess = guess_events([write(tmp_path / "a.csv", rows)])
    assert not guess.source.header
    assert guess.source.columns == EventColumns(user="column_2", item="column_3", type="column_4", time="column_1")
    assert guess.source.types == {"click": 1.0, "buy": 5.0}
    assert any("'column_2' is taken" in doubt for doubt in guess.doubts)


def test_every_guess_has_a_reason_and_its_evidence(tmp_path: Path) -> None:
    text = "user,item,event,time\n" + "a,x,click,2024-01-01 10:00:00\nb,y,frobnicate,2024-01-02 10:00:00\n" * 30
    guess = guess_events([write(tmp_path / "a.csv", text)])
    told = {reason.split(":")[0] for reason in guess.reasons}
    assert told >= {"encoding", "delimiter", "header", "user", "item", "type", "time", "time_format", "types"}
    assert any("2 different in 60 rows, such as 'a'" in reason for reason in guess.reasons)
    assert any("frobnicate" in doubt for doubt in guess.doubts)
    assert any("carry no zone" in doubt for doubt in guess.doubts)


def test_day_and_month_that_could_be_the_other_way_round_are_told(tmp_path: Path) -> None:
    text = "user,item,time\n" + "".join(f"u{n % 9},i{n % 7},0{n % 9 + 1}/0{n % 8 + 1}/2024\n" for n in range(100))
    assert any("other way round" in doubt for doubt in guess_events([write(tmp_path / "a.csv", text)]).doubts)
    text = text.replace("09/", "19/")
    clear = guess_events([write(tmp_path / "b.csv", text)])
    assert clear.source.time_format == "%d/%m/%Y"
    assert not any("other way round" in doubt for doubt in clear.doubts)


@pytest.mark.parametrize(
    ("cells", "time_format"),
    [
        (["2024-01-01", "2024-02-03T10:00:00Z"], "iso"),
        (["1700000000", "1700000001"], "epoch_s"),
        (["978300760", "1046454590"], "epoch_s"),
        (["1700000000.5"], "epoch_s"),
        (["1700000000123456"], "epoch_us"),
        (["1700000000123456789"], "epoch_ns"),
        (["12/31/2023 11:59 PM"], "%m/%d/%Y %I:%M %p"),
        (["Tue Nov 14 22:13:20 +0000 2023"], "%a %b %d %H:%M:%S %z %Y"),
        (["17850", "13047"], None),
        (["9.99"], None),
        (["red", "blue"], None),
        ([""], None),
    ],
)
def test_time_formats(cells: list[str], time_format: str | None) -> None:
    guess = guess_time(pl.Series(cells))
    assert (guess.time_format if guess else None) == time_format


def test_seconds_before_september_2001_are_times_where_the_name_says_so(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 9},i{n % 7},{881250949 + n * 977},{300000000 + n}\n" for n in range(100))
    named = guess_events([write(tmp_path / "a.csv", "user,item,time,code\n" + rows)])
    assert (named.source.columns.time, named.source.time_format) == ("time", "epoch_s")
    nameless = guess_events([write(tmp_path / "b.csv", "user,item,x,code\n" + rows)])
    assert nameless.source.columns.time is None


@pytest.mark.parametrize("cells", [[881250949.0, None], ["881250949", ""], ["881250949.5", "891717742"]])
def test_old_seconds_may_have_a_fraction_or_be_missing_as_new_ones_may(cells: list[object]) -> None:
    guess = guess_old_epoch(pl.Series(cells))
    assert guess is not None
    assert guess.time_format == "epoch_s"


def test_rows_sorted_by_item_are_no_order(tmp_path: Path) -> None:
    rows = "".join(f"{user}\t{item}\n" for user in range(30) for item in range(user, user + 20))
    guess = guess_events([write(tmp_path / "a.tsv", rows)])
    assert guess.source.order == "none"
    assert any('order = "file"' in doubt for doubt in guess.doubts)


def test_encodings_are_told_by_the_whole_file(tmp_path: Path) -> None:
    head, tail = "id;name\n" + "1;plain\n" * 3000, "2;Amélie Müller\n3;Œuvre\n"
    cases = {"utf-8": tail.encode(), "cp1252": tail.encode("cp1252"), "latin-1": "2;Amélie\n".encode("latin-1")}
    for encoding, end in cases.items():
        source = guess_items([write(tmp_path / "a.csv", head.encode() + end)]).source
        assert source.encoding == encoding or (encoding == "latin-1" and source.encoding == "cp1252")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        source = guess_items([write(tmp_path / "b.csv", (head + tail).encode(encoding))]).source
        assert source.encoding == ("utf-16-le" if encoding == "utf-16" else encoding)
        assert source.columns == ItemColumns(id="id", title="name")


def test_damaged_bytes_do_not_make_another_encoding(tmp_path: Path) -> None:
    text = b"user,item\n" + b"u1,p1\n" * 500 + b"u1,p\xe4\xff17\n"
    guess = guess_events([write(tmp_path / "a.csv", text)])
    assert guess.source.encoding == "utf-8"
    assert any("they will be quarantined" in doubt for doubt in guess.doubts)


def test_files_that_differ_from_the_first_are_told(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "user,item\na,x\n")
    other = write(tmp_path / "b.csv", "customer,item\na,x\n")
    same = write(tmp_path / "c.csv", "user,item\nb,x\n")
    doubts = guess_events([first, same, other]).doubts
    assert [doubt for doubt in doubts if "other columns" in doubt] == [
        f"{other} has other columns than {first}: customer, item; read it by a declaration of its own"
    ]


def test_a_header_alone_is_a_header(tmp_path: Path) -> None:
    guess = guess_events([write(tmp_path / "a.csv", "user_id,item_id,timestamp\n")])
    assert guess.source.columns == EventColumns(user="user_id", item="item_id", time="timestamp")


def test_a_table_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"no column looks like the person of an event; there are 'item_id', 'price'"):
        guess_events([write(tmp_path / "a.csv", "item_id,price\n" + "x,1.5\n" * 200)])


@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xff\xfe", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ReadError, match="the file is empty"):
        guess_events([write(tmp_path / "a.csv", text)])


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="holds no files"):
        guess_items([archive(tmp_path / "a.tar.gz", {})])
    with pytest.raises(ReadError, match="no file was named"):
        guess_items([])


def test_names_know_no_case_accents_or_signs() -> None:
    assert plain("Größe_ID") == "grosseid"
    assert named(["CUSTOMER id", "User-ID", "x"], "user", EVENT_NAMES) == ["User-ID", "CUSTOMER id"]
    assert not [
        name
        for names in (EVENT_NAMES, ITEM_NAMES)
        for role in names.values()
        for name in role.split()
        if plain(name) != name
    ]


def test_members_of_an_archive_that_differ_from_the_first_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "days.zip", "w") as archive:
        archive.writestr("1.csv", "user,item\nann,x\nbob,y\n")
        archive.writestr("2.csv", "user,item\ncid,x\n")
        archive.writestr("3.csv", "user,product\ndee,x\n")
        archive.writestr("4.csv", "user,item,kind\ned,x,view\n")
    guess = guess_events([tmp_path / "days.zip"])
    assert guess.source.files == tuple(f"{tmp_path}/days.zip/{number}.csv" for number in (1, 2, 4))
    assert f"files: without {tmp_path}/days.zip/3.csv, which lacks 'item'; it has 'user', 'product'" in guess.reasons
    (doubt,) = [doubt for doubt in guess.doubts if "other columns" in doubt]
    assert doubt.startswith(
        f"{tmp_path}/days.zip/4.csv has other columns than {tmp_path}/days.zip/1.csv: user, item, kind"
    )


def test_of_many_files_the_last_is_looked_at_too(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n:02}.csv", "user,item\nann,x\nbob,y\n") for n in range(60)]
    write(paths[-1], "user,product\nann,x\n")
    assert any(doubt.startswith(f"{paths[-1]} has other columns") for doubt in guess_events(paths).doubts)


@pytest.mark.parametrize("amounts", [("1.003,53 €", "12,00 €", "7,5€"), ("$ 12.50", "$3", "$1,200.00"), ("EUR 3",) * 3])
def test_amounts_with_a_currency_are_told_with_examples(tmp_path: Path, amounts: tuple[str, ...]) -> None:
    rows = "".join(f'u{n % 3};i{n % 2};"{amount}"\n' for n, amount in enumerate(amounts * 4))
    (doubt,) = [
        d for d in guess_events([write(tmp_path / "a.csv", "user;item;price\n" + rows)]).doubts if "currency" in d
    ]
    assert doubt.startswith(f"'price' holds amounts with a currency, such as {amounts[0]!r}")
    assert "not read as numbers" in doubt


def test_words_and_plain_numbers_are_no_amounts_with_a_currency(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 3},i{n % 2},{n}.50,{n} km,A{n}-EUR\n" for n in range(9))
    path = write(tmp_path / "a.csv", "user,item,price,length,code\n" + rows)
    assert not [doubt for doubt in guess_events([path]).doubts if "currency" in doubt]
