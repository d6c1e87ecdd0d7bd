"""The compiled part of reading big files: fields of plain lines, codes of ids, times and numbers that are plainly so.

A kernel never decides that a row is broken. It marks what it does not know as odd, and the careful way reads that line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import boolean, int32, int64, uint8, uint64, void

from segue.engines.compiled import array, compiled

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]

NOTHING = -1  # the code of an empty cell, where a cell may be empty
FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3  # Fowler-Noll-Vo 1a, 64 bits
LONGEST = 256  # bytes of an id that is plain
LENGTH = uint64((1 << 20) - 1)  # the bits of a slot that say how long a word is
AHEAD = 256  # rows whose words are brought near together
DIGITS = 15  # of a number that a double holds exactly, and so does its power of ten


@compiled(
    int64(
        array(uint8, 1),
        int64,
        array(int64, 1),
        int32[:, ::1],
        int32[:, ::1],
        int32[::1],
        boolean[::1],
        int32[:, ::1],
    )
)
def find_lines(
    text: Bytes,
    delimiter: int,
    wanted: npt.NDArray[np.int64],
    starts: Places,
    ends: Places,
    lines: Places,
    odd: npt.NDArray[np.bool_],
    spans: Places,
) -> int:
    """The fields of a text of whole lines, none with a quote; how many lines are not blank.

    wanted        int64[columns]: which row of `starts` and `ends` a column goes to, -1 where it is not needed
    starts, ends  int32[needed, lines] out: `text[starts[k, row]:ends[k, row]]`
    lines         int32[lines] out: the line of each row, from 0
    spans         int32[2, lines] out: where the line starts, and where its line end is
    odd           bool[lines] out: lines that have more or fewer columns
    """
    columns = len(wanted)
    row, line, begin, place, column = 0, 0, 0, 0, 0
    for position in range(len(text)):
        sign = text[position]
        if sign == delimiter:
            if column < columns and wanted[column] >= 0:
                starts[wanted[column], row] = begin
                ends[wanted[column], row] = position
            column += 1
            begin = position + 1
        elif sign == 10:
            end = position
            if end > begin and text[end - 1] == 13:
                end -= 1
            if column > 0 or end > begin:
                if column < columns and wanted[column] >= 0:
                    starts[wanted[column], row] = begin
                    ends[wanted[column], row] = end
                odd[row] = column + 1 != columns
                lines[row] = line
                spans[0, row] = place
                spans[1, row] = position
                row += 1
            line += 1
            column = 0
            begin = place = position + 1
    return row


@compiled(uint64(array(uint8, 1), int64, int64, uint64))
def _hash(text: Bytes, begin: int, end: int, start: int) -> Any:
    value = uint64(start)
    for position in range(begin, end):
        value = (value ^ uint64(text[position])) * uint64(FNV_PRIME)
    return value ^ (value >> uint64(32))


@compiled(void(array(uint8, 1), array(int32, 1), array(int32, 1), uint64, uint64[::1]))
def hashes(text: Bytes, starts: Places, ends: Places, start: int, found: npt.NDArray[np.uint64]) -> None:
    """A hash of each field, for which `start` stands in for what is the same in front of all of them."""
    for row in range(len(found)):
        found[row] = _hash(text, starts[row], ends[row], start)


@compiled(boolean(array(uint8, 1), int64, int64))
def _is_plain(text: Bytes, start: int, length: int) -> bool:
    if length > LONGEST:
        return False
    for position in range(start, start + length):  # noqa: SIM110 - numba knows no generators
        if text[position] > 127:
            return False
    return True


@compiled(boolean(array(uint8, 1), int64, int64))
def _says_nothing(text: Bytes, start: int, length: int) -> bool:
    """Whether a cell may be a word for nothing (`convert.cells.NOBODY`): NULL, null, None, \\N, nan, NaN, undefined."""
    first, last = text[start], text[start + length - 1]
    if length == 2:
        return bool(first == 92 and last == 78)
    if length == 3:
        return bool((first == 110 or first == 78) and (last == 110 or last == 78))
    if length == 4:
        return bool((first == 110 or first == 78) and (last == 108 or last == 76 or last == 101))
    return bool(length == 9 and first == 117 and last == 100)


@compiled(int64(array(uint8, 1), array(int32, 1), array(int32, 1), boolean[::1]))
def mark_words_for_nothing(text: Bytes, starts: Places, ends: Places, odd: npt.NDArray[np.bool_]) -> int:
    """Marks fields that may be a word for nothing as odd; how many others are long or no ASCII."""
    unusual = 0
    for row in range(len(starts)):
        start, length = starts[row], ends[row] - starts[row]
        if odd[row] or length == 0:
            continue
        if (length < 5 or length == 9) and _says_nothing(text, start, length):
            odd[row] = True
        elif not _is_plain(text, start, length):
            unusual += 1
    return unusual


@compiled(boolean(array(uint8, 1), int64, int64, uint64, array(uint8, 1), uint64[:, ::1], uint8[::1], int64[::1]))
def _is_word(
    text: Bytes,
    start: int,
    length: int,
    hashed: Any,
    prefix: Bytes,
    slots: npt.NDArray[np.uint64],
    arena: Bytes,
    offsets: npt.NDArray[np.int64],
) -> bool:
    """Whether a field has a code; `encode` looks in the same way, written out there for speed."""
    mask, width = uint64(len(slots) - 1), len(prefix)
    tag = hashed & uint64(0xFFFFFFFF)
    at = tag & mask
    while slots[at, 0] != 0:
        code = int64(slots[at, 0] & uint64(0xFFFFFFFF)) - 1
        if slots[at, 0] >> uint64(32) == tag and slots[at, 1] & LENGTH == uint64(width + length) & LENGTH:
            place = int64(slots[at, 1] >> uint64(20))
            same = length < LONGEST or offsets[code + 1] - offsets[code] == width + length
            for step in range(width):
                same = same and arena[place + step] == prefix[step]
            for step in range(length):
                same = same and arena[place + width + step] == text[start + step]
            if same:
                return True
        at = (at + uint64(1)) & mask
    return False


@compiled(
    void(
        array(uint8, 1),
        array(int32, 1),
        array(int32, 1),
        uint64,
        array(uint8, 1),
        uint64[:, ::1],
        uint8[::1],
        int64[::1],
        boolean[::1],
    )
)
def mark_odd(
    text: Bytes,
    starts: Places,
    ends: Places,
    begun: int,
    prefix: Bytes,
    slots: npt.NDArray[np.uint64],
    arena: Bytes,
    offsets: npt.NDArray[np.int64],
    odd: npt.NDArray[np.bool_],
) -> None:
    """Mark fields that are long, or no ASCII, and were never met.

    begun  the hash of the prefix; the other arguments as for `encode`
    """
    for row in range(len(starts)):
        start, length = starts[row], ends[row] - starts[row]
        if odd[row] or length == 0:
            continue
        if not _is_plain(text, start, length):
            hashed = _hash(text, start, start + length, begun)
            odd[row] = not _is_word(text, start, length, hashed, prefix, slots, arena, offsets)


@compiled(
    int64(
        array(uint8, 1),
        array(int32, 1),
        array(int32, 1),
        array(uint64, 1),
        array(uint8, 1),
        boolean,
        uint64[:, ::1],
        uint8[::1],
        int64[::1],
        int64,
        int32[::1],
        boolean[::1],
        uint64[::1],
    )
)
def encode(
    text: Bytes,
    starts: Places,
    ends: Places,
    hashed: npt.NDArray[np.uint64],
    prefix: Bytes,
    empty: bool,  # noqa: FBT001
    slots: npt.NDArray[np.uint64],
    arena: Bytes,
    offsets: npt.NDArray[np.int64],
    count: int,
    codes: Places,
    odd: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.uint64],
) -> int:
    """Codes of fields that are not odd; one that was never met gets the next. How many words there are then.

    slots    uint64[power of two, 2]: low half of the hash and code + 1 in one, where the word is and (in the lower 20
             bits, as far as they hold it) how long in the other; open addressing, at most half full
    arena    the words end to end, with their prefix; `offsets` where each begins
    empty    a field that is empty is a word too
    codes    int32[rows] out: `NOTHING` where there is no word
    touched  uint64[1] out: nothing of use. A look at the slots and words of the next rows, which do not wait for each
             other, brings them near: far memory is what this costs
    """
    mask, width = uint64(len(slots) - 1), len(prefix)
    for row in range(len(starts)):
        if row % AHEAD == 0:
            for near in range(row, min(row + AHEAD, len(starts))):
                seen = slots[hashed[near] & uint64(0xFFFFFFFF) & mask, 1] >> uint64(20)
                touched[0] += uint64(arena[int64(seen)])
        start, length = starts[row], ends[row] - starts[row]
        codes[row] = NOTHING
        if odd[row] or (length == 0 and not empty):
            continue
        tag = hashed[row] & uint64(0xFFFFFFFF)
        at = tag & mask
        while slots[at, 0] != 0:
            code = int64(slots[at, 0] & uint64(0xFFFFFFFF)) - 1
            if slots[at, 0] >> uint64(32) == tag and slots[at, 1] & LENGTH == uint64(width + length) & LENGTH:
                place = int64(slots[at, 1] >> uint64(20))
                same = length < LONGEST or offsets[code + 1] - offsets[code] == width + length
                for step in range(width):
                    same = same and arena[place + step] == prefix[step]
                place += width
                for step in range(length if same else 0):
                    if arena[place + step] != text[start + step]:
                        same = False
                        break
                if same:
                    codes[row] = code
                    break
            at = (at + uint64(1)) & mask
        if slots[at, 0] != 0:
            continue
        place = offsets[count]
        slots[at, 0] = (tag << uint64(32)) | uint64(count + 1)
        slots[at, 1] = (uint64(place) << uint64(20)) | (uint64(width + length) & LENGTH)
        for step in range(width):
            arena[place + step] = prefix[step]
        for step in range(length):
            arena[place + width + step] = text[start + step]
        offsets[count + 1] = place + width + length
        codes[row] = count
        count += 1
    return count


@compiled(void(array(uint64, 2), uint64[:, ::1]))
def move(old: npt.NDArray[np.uint64], slots: npt.NDArray[np.uint64]) -> None:
    """Put the words of a table into a larger, empty one."""
    mask = uint64(len(slots) - 1)
    for row in range(len(old)):
        if old[row, 0] != 0:
            at = (old[row, 0] >> uint64(32)) & mask
            while slots[at, 0] != 0:
                at = (at + uint64(1)) & mask
            slots[at, 0] = old[row, 0]
            slots[at, 1] = old[row, 1]


@compiled(int64(array(uint8, 1), int64, int64))
def _digits(text: Bytes, start: int, count: int) -> int:
    """The number that these digits write, -1 where one of them is none."""
    number = 0
    for position in range(start, start + count):
        digit = int64(text[position]) - 48
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@compiled(int64(int64, int64, int64))
def _day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (Howard Hinnant, days_from_civil); for years from 1 on."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    shifted = month - 3 if month > 2 else month + 9
    of_year = (153 * shifted + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@compiled(int64(array(uint8, 1), int64, int64, boolean))
def _moment(text: Bytes, start: int, end: int, plain_is_utc: bool) -> int:  # noqa: FBT001
    """Microseconds since 1970 of YYYY-MM-DD[T ]HH:MM:SS[.f][Z]; -1 where it is not written so, or before 1970."""
    if end - start < 19 or text[start + 4] != 45 or text[start + 7] != 45:
        return -1
    if (text[start + 10] != 84 and text[start + 10] != 32) or text[start + 13] != 58 or text[start + 16] != 58:
        return -1
    year, month, day = _digits(text, start, 4), _digits(text, start + 5, 2), _digits(text, start + 8, 2)
    hour, minute, second = _digits(text, start + 11, 2), _digits(text, start + 14, 2), _digits(text, start + 17, 2)
    if year < 1970 or month < 1 or month > 12 or day < 1 or hour < 0 or minute < 0 or second < 0:
        return -1
    leap = 1 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 0
    longest = 28 + leap if month == 2 else (30 if month == 4 or month == 6 or month == 9 or month == 11 else 31)
    if day > longest or hour > 23 or minute > 59 or second > 59:
        return -1
    position, fraction = start + 19, 0
    if position < end and text[position] == 46:
        first = position + 1
        position = first
        while position < end and text[position] != 90:
            position += 1
        written = position - first
        if written < 1 or written > 6:
            return -1
        fraction = _digits(text, first, written)
        if fraction < 0:
            return -1
        for _ in range(6 - written):
            fraction *= 10
    if position == end:
        if not plain_is_utc:
            return -1
    elif not (position + 1 == end and text[position] == 90):
        return -1
    seconds = ((_day_number(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return int(seconds * 1_000_000 + fraction)


@compiled(void(array(uint8, 1), array(int32, 1), array(int32, 1), boolean, int64, int64[::1], boolean[::1]))
def iso_times(
    text: Bytes,
    starts: Places,
    ends: Places,
    plain_is_utc: bool,  # noqa: FBT001
    latest: int,
    found: npt.NDArray[np.int64],
    odd: npt.NDArray[np.bool_],
) -> None:
    """Moments in microseconds; odd where a field is not written the usual way, or is after `latest`."""
    for row in range(len(starts)):
        if not odd[row]:
            found[row] = _moment(text, starts[row], ends[row], plain_is_utc)
            odd[row] = found[row] < 0 or found[row] > latest


@compiled(void(array(uint8, 1), array(int32, 1), array(int32, 1), int64, int64, int64, int64[::1], boolean[::1]))
def epoch_times(
    text: Bytes,
    starts: Places,
    ends: Places,
    times: int,
    divided: int,
    latest: int,
    found: npt.NDArray[np.int64],
    odd: npt.NDArray[np.bool_],
) -> None:
    """Moments in microseconds of whole numbers, which are multiplied by `times` and divided by `divided`."""
    for row in range(len(starts)):
        if odd[row]:
            continue
        length = ends[row] - starts[row]
        number = _digits(text, starts[row], length) if 0 < length < 19 else -1
        odd[row] = number < 0 or number // divided > latest // times
        found[row] = 0 if odd[row] else number // divided * times


@compiled(void(array(uint8, 1), array(int32, 1), array(int32, 1), int64[::1], int64[::1], boolean[::1]))
def numbers(
    text: Bytes,
    starts: Places,
    ends: Places,
    digits: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    odd: npt.NDArray[np.bool_],
) -> None:
    """Numbers such as 12.50 as their digits 1250 and 2 places; -1 digits where a field is empty.

    Up to 15 digits: these and the power of ten are whole in a double, so that their quotient is the nearest one
    (Clinger 1990, the fast path).
    """
    for row in range(len(starts)):
        start, end, number, behind, seen = starts[row], ends[row], 0, -1, 0
        digits[row], places[row] = -1, 0
        if odd[row] or start == end:
            continue
        for position in range(start, end):
            sign = int64(text[position])
            if sign == 46 and behind < 0 and position > start:
                behind = 0
            elif 48 <= sign <= 57:
                number = number * 10 + sign - 48
                seen += 1
                behind += 1 if behind >= 0 else 0
            else:
                seen = DIGITS + 1
                break
            if seen > DIGITS:
                break
        odd[row] = seen > DIGITS or behind == 0
        digits[row], places[row] = number, max(behind, 0)


@compiled(void(array(uint8, 1), array(int32, 1), array(int32, 1), int64, boolean[::1]))
def find_sign(text: Bytes, starts: Places, ends: Places, sign: int, odd: npt.NDArray[np.bool_]) -> None:
    """Marks the fields that hold this byte as odd."""
    for row in range(len(starts)):
        for position in range(starts[row], ends[row]):
            odd[row] = odd[row] or text[position] == sign


__all__: list[Any] = [
    "NOTHING",
    "encode",
    "epoch_times",
    "find_lines",
    "find_sign",
    "hashes",
    "iso_times",
    "move",
    "numbers",
]
