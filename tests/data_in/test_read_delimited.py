"""Delimited text: every cell exactly as written, or its row among the broken ones with line, reason and text."""

from __future__ import annotations

import pytest

from segue.data.read import delimited as module
from segue.data.read.delimited import unique_names
from segue.domain.errors import ReadError
from tests.data_in.reading import delimited, lines_of


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "::", "\x01", "||", ", "])
def test_any_delimiter_parts_cells(delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["a", "b", "c"], ["1", "", "x y"], ["2", "é", ""])) + "\n"
    assert delimited(text.encode(), delimiter)[0] == [("1", "", "x y"), ("2", "é", "")]


def test_a_longer_delimiter_is_taken_from_the_left() -> None:
    assert delimited(b"a::b\n1:::2\n1::::2\n", "::")[0] == [("1", ":2")]


def test_runs_of_blanks_part_cells_and_do_not_count_at_the_ends_of_lines() -> None:
    text = b"  user \t item\n\n 1   2  \n3\t4\r\n  \n5 6"
    cells, broken, chunks = delimited(text, r"\s+")
    assert cells == [("1", "2"), ("3", "4"), ("5", "6")]
    assert not broken
    assert chunks[0].frame.columns == ["user", "item"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_size_of_blocks_changes_nothing(size: int) -> None:
    text = b'a,b\r\n1,"x,\n""y"""\r\n\r\n2,z\n3,"open\n4,w\n5,"v"u\n'
    assert delimited(text, size=size)[:2] == delimited(text)[:2]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends() -> None:
    cells, broken, chunks = delimited(b'a,b\n1,"x,y"\n2,"say ""hi"""\n3,"two\nlines"\n4,""\n5,end\n')
    assert cells == [("1", "x,y"), ("2", 'say "hi"'), ("3", "two\nlines"), ("4", ""), ("5", "end")]
    assert lines_of(chunks) == [2, 3, 4, 6, 7]
    assert not broken


def test_a_quote_inside_a_cell_is_a_character_like_any_other() -> None:
    assert delimited(b'a,b\n1,7" single\n2,x\n')[0] == [("1", '7" single'), ("2", "x")]


def test_text_after_a_closing_quote_breaks_the_row_only() -> None:
    cells, broken, _ = delimited(b'a,b\n1,x\n2,"Weird Al" Yankovic\n3,y\n')
    assert cells == [("1", "x"), ("3", "y")]
    assert broken == [(3, "text follows a closing quote", None, '2,"Weird Al" Yankovic')]


def test_a_quote_that_is_never_closed_breaks_its_line_only() -> None:
    cells, broken, _ = delimited(b'a,b\n1,"x\n2,y\n3,z\n')
    assert cells == [("2", "y"), ("3", "z")]
    assert broken == [(2, "a quote opens here and is never closed", None, '1,"x')]


def test_rows_between_two_stray_quotes_are_not_swallowed_silently() -> None:
    cells, broken, _ = delimited(b'a,b,c\n1,"Heroes,x\n2,foo,y\n3,bar",z\n4,w,v\n')
    assert cells == [("4", "w", "v")]
    assert [row.line for row in broken] == [2, 3, 4]
    assert all("around what reads as rows" in row.reason for row in broken)


def test_without_quotes_a_quote_means_nothing() -> None:
    assert delimited(b'a\tb\n1\t"x\n2\t"Al" Y\n', "\t", quote="")[0] == [("1", '"x'), ("2", '"Al" Y')]


def test_a_wrong_number_of_columns_is_told_with_both_numbers() -> None:
    cells, broken, _ = delimited(b"a,b,c\n1,2\n1,2,3\n1,2,3,4\n")
    assert cells == [("1", "2", "3")]
    assert broken == [
        (2, "3 columns were expected, 2 found", None, "1,2"),
        (4, "3 columns were expected, 4 found", None, "1,2,3,4"),
    ]


def test_without_a_header_the_usual_number_of_columns_counts() -> None:
    cells, broken, chunks = delimited(b"1\n1,2\n3,4\n", header=False)
    assert chunks[0].frame.columns == ["column_1", "column_2"]
    assert (cells, [row.line for row in broken]) == ([("1", "2"), ("3", "4")], [1])


@pytest.mark.parametrize("text", [b"", b"\n\n", b"a,b\n", b"a,b", b"\r\na,b\r\n\r\n"])
def test_no_rows_give_no_rows(text: bytes) -> None:
    assert delimited(text)[:2] == ([], [])


def test_old_and_new_line_ends() -> None:
    for text in (b"a,b\r1,2\r3,4\r", b"a,b\r\n1,2\r\n3,4", b"a,b\n1,2\r\n3,4\n"):
        assert delimited(text)[0] == [("1", "2"), ("3", "4")]


def test_mixed_encodings_break_the_rows_that_are_not_utf8() -> None:
    cells, broken, _ = delimited("a,b\n1,é\n".encode() + "2,é\n".encode("latin-1") + "3,ü\n".encode())
    assert cells == [("1", "é"), ("3", "ü")]
    assert broken == [(3, "not utf-8", "b", "2,\\xe9")]


def test_names_of_columns_that_are_empty_or_doubled() -> None:
    assert unique_names(["a", "b", "a", " ", "a"]) == ["a", "b", "a (2)", "column_4", "a (3)"]


@pytest.mark.slow
def test_a_field_of_ten_megabytes_is_kept_whole() -> None:
    field = "x" * (10 << 20)
    cells, broken, _ = delimited(f'a,b\n1,{field}\n2,"{field}\n{field}"\n3,z\n'.encode(), size=1 << 20)
    assert cells == [("1", field), ("2", f"{field}\n{field}"), ("3", "z")]
    assert not broken


def test_a_broken_row_of_ten_megabytes_is_cut_with_its_length_said() -> None:
    _, (broken,), _ = delimited(b"a,b\n" + b"x" * (10 << 20) + b"\n")
    assert len(broken.raw) < 66_000
    assert broken.raw.endswith("… (10,485,760 bytes in all)")


def test_a_quote_that_stays_open_too_long_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    text = b'a,b\n1,"x\n' + b"2,y\n" * 1000
    cells, broken, _ = delimited(text, size=100)
    assert len(cells) == 1000
    assert broken == [(2, "a quote opens here and is never closed", None, '1,"x')]


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    with pytest.raises(ReadError, match="a line is longer"):
        delimited(b"x" * 5000, size=100)


def test_raw_text_is_that_of_the_rows_asked_for() -> None:
    import numpy as np

    chunk = delimited(b'a,b\n1,"x\ny"\n2,z\n')[2][0]
    assert chunk.raw(np.array([1, 0])) == ["2,z", '1,"x\ny"']
