"""Lines of CSV: which are faulty, and that a faulty line costs itself only."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from csv_samples import CSV, LINES, RECORDS, faulty, file_of, joined, read
from parivision.errors import SourceError
from parivision.sources import feed22
from parivision.sources.base import Batch


@pytest.mark.parametrize("text", ['"', 'x"y', '"open'])
def test_a_stray_quote_hides_no_record(tmp_path: Path, text: str) -> None:
    """A quote that is not closed costs its own line; all the others are read."""
    lines = LINES.copy()
    lines[5] = lines[5].replace("Regular Season", text)
    batches = read(file_of(tmp_path, lines))
    records, told = joined(batches), faulty(batches)
    bad = feed22.FORMAT.to_shots(records).bad
    assert records.height + len(told) == RECORDS.height
    assert bad.height + len(told) == 1
    assert [line for line, _ in told] in ([], [6])


COUNT = "the line has {} cells, the header has 22"
UNCLOSED = "the line has a quotation mark that is not closed"


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (["Total,,354"], COUNT.format(3)),
        ([LINES[5][:60]], COUNT.format(6)),
        ([LINES[5] + ",x"], COUNT.format(23)),
        ([LINES[5] + ",,x"], COUNT.format(24)),
        (["# a comment"], COUNT.format(1)),
        ([LINES[0]], "the header comes again"),
        ([LINES[0].upper()], "the header comes again"),
        (['"' + LINES[0].replace(",", '","') + '"'], "the header comes again"),
        (['"' + LINES[5]], UNCLOSED),
        ([LINES[5].replace(",", ',"', 1)], UNCLOSED),
        ([LINES[5].replace(",", ',"', 3)], UNCLOSED),
        ([LINES[5].replace("2", "\0", 1)], "the line holds a NUL character"),
        (["\0" * 300], "the line holds a NUL character"),
    ],
)
@pytest.mark.parametrize("place", [1, 7, 200, len(LINES)])
def test_a_faulty_line_costs_itself_only(
    tmp_path: Path, put: list[str], reason: str, place: int
) -> None:
    """Wherever it is, all other records come, and it comes with its number, text and reason."""
    path = file_of(tmp_path, LINES[:place] + put + LINES[place:])
    batches = read(path)
    assert_frame_equal(joined(batches), RECORDS)
    assert faulty(batches) == [(place + 1, reason)]
    (text,) = [text for batch in batches for text in batch.faulty["text"]]
    assert text == put[0]
    assert read(path, batches[-1].cursor) == []


def test_two_stray_quotes_do_not_swallow_what_is_between(tmp_path: Path) -> None:
    """Two marks in one column look like a cell of many lines; its lines are whole records."""
    lines = LINES.copy()
    for place in (10, 300):
        lines[place] = '"' + lines[place]
    batches = read(file_of(tmp_path, lines))
    assert faulty(batches) == [(11, UNCLOSED), (301, UNCLOSED)]
    assert joined(batches).height == RECORDS.height - 2


def test_a_line_break_within_quotes_is_not_faulty(tmp_path: Path) -> None:
    """A column that nothing reads may hold anything that is quoted."""
    noted = RECORDS.with_columns(pl.lit('he said "no",\nand\n\nleft').alias("Note"))
    (tmp_path / "a.csv").write_bytes(noted.write_csv().encode())
    batches = read(tmp_path)
    assert_frame_equal(joined(batches), RECORDS)
    assert faulty(batches) == []


@pytest.mark.parametrize(
    "lines",
    [
        [LINES[0], *(line + "," for line in LINES[1:])],
        [LINES[0], *(line + ",,," for line in LINES[1:])],
        [LINES[0] + ",", *LINES[1:]],
        [line + ",," for line in LINES],
        [LINES[0], *(line + "," * (number % 3) for number, line in enumerate(LINES[1:]))],
        [part for line in LINES for part in (line, "", "  ")],
        ["," + LINES[0], *(f"{number},{line}" for number, line in enumerate(LINES[1:]))],
        [LINES[0], *(f"{number},{line}" for number, line in enumerate(LINES[1:], 1))],
        [LINES[0], *(f'"{number}",{line}' for number, line in enumerate(LINES[1:], 1))],
    ],
    ids=["comma", "commas", "in header", "all", "some", "blank", "pandas", "R", "R quoted"],
)
def test_empty_cells_blank_lines_and_row_numbers_are_no_fault(
    tmp_path: Path, lines: list[str]
) -> None:
    """Commas at the end, blank lines and a column of row numbers change nothing."""
    batches = read(file_of(tmp_path, lines))
    assert_frame_equal(joined(batches), RECORDS)
    assert faulty(batches) == []


@pytest.mark.parametrize("ends", [["\r"], ["\r\n"], ["\n", "\r\n", "\r"], ["\r\r\n"]])
def test_lines_may_end_in_any_way(tmp_path: Path, ends: list[str]) -> None:
    """Also in several ways in one file."""
    text = "".join(line + ends[number % len(ends)] for number, line in enumerate(LINES))
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert_frame_equal(joined(read(tmp_path)), RECORDS)


def test_a_last_line_that_was_cut_off_is_faulty(tmp_path: Path) -> None:
    """The rest of the file is read."""
    (tmp_path / "a.csv").write_bytes(CSV[:-90])
    batches = read(tmp_path)
    assert_frame_equal(joined(batches), RECORDS[:-1])
    assert [line for line, _ in faulty(batches)] == [len(LINES)]


def test_a_second_header_with_other_columns_is_refused(tmp_path: Path) -> None:
    """Records below it would be read into wrong columns."""
    turned = RECORDS.select(reversed(RECORDS.columns)).write_csv().splitlines()
    with pytest.raises(SourceError, match=r"a second header with other columns in line 356"):
        read(file_of(tmp_path, LINES + turned))


@pytest.mark.parametrize("batch_rows", [7, 100, 10_000])
def test_faulty_lines_do_not_move_records(tmp_path: Path, batch_rows: int) -> None:
    """Reading resumes behind every cursor, and no faulty line is left out on the way."""
    path = file_of(tmp_path, [*LINES[:150], "Total,1", *LINES[150:300], "Total,1", *LINES[300:]])
    batches = read(path, batch_rows=batch_rows)
    assert_frame_equal(joined(batches), RECORDS)
    assert [batch.faulty["occurrence"].to_list() for batch in batches if len(batch.faulty)] in (
        [[1], [2]],
        [[1, 2]],
    )
    seen = 0
    for batch in batches:
        seen += batch.records.height
        rest = read(path, batch.cursor, batch_rows=11)
        assert joined([Batch(RECORDS.clear(), None), *rest]).equals(RECORDS[seen:])
