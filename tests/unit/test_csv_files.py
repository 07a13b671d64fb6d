"""Files of shots: what is read, where reading resumes, and what an unusable file says."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from csv_samples import CSV, LINES, RECORDS, SEASON_RECORDS, cut, joined, read, zipped
from parivision.errors import FilesError, SourceError
from parivision.sources.base import Batch
from parivision.sources.csv_files import FeedCsv, SeasonZips, open_files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV),
        ("a.csv.gz", gzip.compress(CSV)),
        ("a.zip", zipped({"a.csv": CSV})),
        ("bom.csv", b"\xef\xbb\xbf" + CSV),
        ("crlf.csv", CSV.replace(b"\n", b"\r\n")),
        ("more.csv", RECORDS.with_columns(pl.lit("?").alias("Extra")).write_csv().encode()),
        ("turned.csv", RECORDS.select(reversed(RECORDS.columns)).write_csv().encode()),
        ("quoted.csv", RECORDS.write_csv(quote_style="always").encode()),
        ("no_last_newline.csv", CSV.rstrip(b"\n")),
    ],
)
def test_every_usual_spelling_of_csv_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    """Compression, byte order marks, line ends, quotes, column order and extra columns."""
    (tmp_path / name).write_bytes(content)
    assert_frame_equal(joined(read(tmp_path / name)), RECORDS)


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    """Other files, hidden ones and what macOS puts into zips are left alone."""
    rest = RECORDS[50:].write_csv().encode()
    (tmp_path / "b.zip").write_bytes(
        zipped({"__MACOSX/._b.csv": b"?", "._b.csv": b"", "b.csv": rest})
    )
    (tmp_path / "a.csv").write_bytes(RECORDS[:50].write_csv().encode())
    (tmp_path / "README.md").write_text("not a table")
    (tmp_path / "._a.csv").write_bytes(b"\0")
    assert_frame_equal(joined(read(tmp_path)), RECORDS)


def test_season_zips_keep_na_as_text(tmp_path: Path) -> None:
    """NA is a position, and an empty cell is an empty text."""
    (tmp_path / "NBA_2023_Shots.csv.zip").write_bytes(
        zipped({"NBA_2023_Shots.csv": SEASON_RECORDS.write_csv().encode()})
    )
    source = SeasonZips(tmp_path)
    assert source.format == "season_csv"
    assert_frame_equal(joined(list(source.batches())), SEASON_RECORDS)


@pytest.mark.parametrize("batch_rows", [1, 7, 100, 10_000])
def test_batches_have_the_size_asked_for(tmp_path: Path, batch_rows: int) -> None:
    """All but a file's last batch are full, and none is empty."""
    (tmp_path / "a.csv").write_bytes(RECORDS[:21].write_csv().encode())
    heights = [batch.records.height for batch in read(tmp_path, batch_rows=batch_rows)]
    assert sum(heights) == 21
    assert set(heights[:-1]) <= {batch_rows}
    assert 0 < heights[-1] <= batch_rows


def test_reading_resumes_behind_every_cursor(tmp_path: Path) -> None:
    """From any batch's cursor on, with batches of any size, exactly the rest comes."""
    for name, part in {"a.csv": RECORDS[:40], "b.csv": RECORDS[40:90]}.items():
        (tmp_path / name).write_bytes(part.write_csv().encode())
    seen = 0
    for batch in read(tmp_path, batch_rows=15):
        seen += batch.records.height
        rest = read(tmp_path, batch.cursor, batch_rows=11)
        assert joined([Batch(RECORDS.clear(), None), *rest]).equals(RECORDS[seen:90])


def test_only_new_and_changed_files_are_read_again(tmp_path: Path) -> None:
    """A file read to its end is skipped until its content changes, whatever its name's place."""
    (tmp_path / "b.csv").write_bytes(RECORDS[:10].write_csv().encode())
    (tmp_path / "c.zip").write_bytes(zipped({"x.csv": RECORDS[10:20].write_csv().encode()}))
    cursor = read(tmp_path)[-1].cursor
    assert read(tmp_path, cursor) == []
    (tmp_path / "a.csv").write_bytes(RECORDS[20:30].write_csv().encode())
    assert_frame_equal(joined(read(tmp_path, cursor)), RECORDS[20:30])
    (tmp_path / "c.zip").write_bytes(zipped({"x.csv": RECORDS[10:25].write_csv().encode()}))
    cursor = read(tmp_path, cursor)[0].cursor
    assert_frame_equal(joined(read(tmp_path, cursor)), RECORDS[10:25])


def test_feed_and_season_files_are_told_apart(tmp_path: Path) -> None:
    """The header says which of the two layouts a folder's first table has."""
    (tmp_path / "a.zip").write_bytes(zipped({"a.csv": SEASON_RECORDS.write_csv().encode()}))
    assert isinstance(open_files(tmp_path), SeasonZips)
    (tmp_path / "a.csv").write_bytes(CSV)
    assert isinstance(open_files(tmp_path), FeedCsv)


def flipped(content: bytes) -> bytes:
    """One byte in the middle changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "lacks the columns"),
        ("a.csv", CSV.splitlines(keepends=True)[0], "holds no record"),
        ("a.csv", CSV.splitlines()[0], "holds no record"),
        ("a.csv", b"x,y\n1,2\n", "lacks the columns"),
        ("a.csv", CSV.splitlines()[0] + b"\n\n\n", "holds no record"),
        ("a.csv", CSV.replace(b"Team Name", b"Team ID", 1), "lacks the columns"),
        ("a.csv", CSV.replace(b"Season Type", b"Season Type,Team ID", 1), "more than once"),
        ("a.csv", b"\n\n", "is empty"),
        ("a.csv", CSV.replace(b",", b":"), "have no separator that is known"),
        ("a.csv", CSV.partition(b"\n")[2], "seems to be a record"),
        ("a.csv", b"<html><body>403</body></html>", "lacks the columns"),
        ("a.csv", zipped({"a.csv": CSV}), "is a zip or an Excel workbook"),
        ("a.csv", gzip.compress(CSV), "is a gzip file"),
        (
            "a.csv",
            "\n".join(LINES[:1] + [line[:-40] for line in LINES[1:]]).encode(),
            "none is one",
        ),
        ("a.csv", CSV.replace(b"Wizards", "Dončić".encode("cp1250")), "not Windows-1252 either"),
        ("a.csv", CSV.replace(b"Wizards", "ドンチッチ".encode("shift-jis")), "not Windows-1252"),
        ("a.csv", "x".join(RECORDS.columns).encode("utf-16"), "lacks the columns"),
        ("a.csv.gz", cut(gzip.compress(CSV)), "cannot be read"),
        ("a.csv.gz", flipped(gzip.compress(CSV)), "cannot be read"),
        ("a.csv.gz", CSV, "cannot be read"),
        ("a.zip", b"", "cannot be read"),
        ("a.zip", cut(zipped({"a.csv": CSV})), "cannot be read"),
        ("a.zip", flipped(zipped({"a.csv": CSV})), "cannot be read"),
        ("a.zip", zipped({"a.txt": CSV}), "holds no .csv"),
        ("a.zip", zipped({}), "holds no .csv"),
        ("a.txt", CSV, "is none of .csv, .csv.gz, .zip"),
    ],
)
def test_an_unusable_file_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    """Nothing of it is handed out, and the message names the file and the trouble."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)


def test_a_zip_with_a_password_says_so(tmp_path: Path) -> None:
    """An encrypted member cannot be read, and that is said."""
    content = bytearray(zipped({"a.csv": CSV}))
    directory = content.rindex(b"PK\x01\x02")
    content[6] |= 1
    content[directory + 8] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(content))
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("place", "says"), [("nowhere", "does not exist"), (".", "holds none of .csv")]
)
def test_a_wrong_path_says_so(tmp_path: Path, place: str, says: str) -> None:
    """A missing folder and one without tables are told apart."""
    with pytest.raises(SourceError, match=says):
        read(tmp_path / place)


@pytest.mark.parametrize("cursor", ["x", "7", "{}", '{"done": 3, "begun": null}', "[1]"])
def test_a_foreign_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    """A cursor of another source is an error, never a silent start from anywhere."""
    (tmp_path / "a.csv").write_bytes(CSV)
    with pytest.raises(SourceError, match="is no cursor of files"):
        read(tmp_path, cursor)


def test_each_file_of_a_folder_has_its_own_format(tmp_path: Path) -> None:
    """Season files beside feed files: each batch says what its records are."""
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "b.csv").write_bytes(SEASON_RECORDS.write_csv().encode())
    batches = list(open_files(tmp_path).batches())
    assert_frame_equal(joined([b for b in batches if b.format == "feed22"]), RECORDS)
    assert_frame_equal(joined([b for b in batches if b.format == "season_csv"]), SEASON_RECORDS)


def test_files_that_cannot_be_used_are_listed_at_the_end(tmp_path: Path) -> None:
    """All others are read, whatever comes first; the next run reads what was mended."""
    (tmp_path / "a.zip").write_bytes(b"no zip")
    (tmp_path / "b.csv").write_bytes(CSV)
    (tmp_path / "c.csv").write_bytes(b"x,y\n1,2\n")
    (tmp_path / "d.csv.gz").write_bytes(cut(gzip.compress(CSV)))
    (tmp_path / "e.csv").write_bytes(SEASON_RECORDS.write_csv().encode())
    batches: list[Batch] = []
    with pytest.raises(FilesError, match=r"3 of 5 files cannot be used, the others") as caught:
        batches.extend(open_files(tmp_path).batches())
    assert sorted(caught.value.files) == ["a.zip", "c.csv", "d.csv.gz"]
    assert [batch.records.height for batch in batches] == [RECORDS.height, SEASON_RECORDS.height]
    for name in ("a.zip", "c.csv", "d.csv.gz"):
        (tmp_path / name).unlink()
    (tmp_path / "c.csv").write_bytes(RECORDS[:9].write_csv().encode())
    mended = list(open_files(tmp_path).batches(batches[-1].cursor))
    assert_frame_equal(joined(mended), RECORDS[:9])


@settings(deadline=None, max_examples=40)
@example(content=b"\r\x00", suffix=".csv", has_header=False)
@given(st.binary(max_size=300), st.sampled_from([".csv", ".csv.gz", ".zip"]), st.booleans())
def test_any_bytes_give_records_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str, has_header: bool
) -> None:
    """Whatever a file holds, the reader ends with text records or a SourceError."""
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(CSV.splitlines(keepends=True)[0] + content if has_header else content)
    try:
        batches = read(path)
    except SourceError:
        return
    assert all(dtype == pl.String for batch in batches for dtype in batch.records.dtypes)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255), st.sampled_from([".csv.gz", ".zip"]))
def test_a_changed_byte_gives_the_records_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, suffix: str
) -> None:
    """A checksum tells damage before a record is handed out."""
    content = bytearray(gzip.compress(CSV) if suffix == ".csv.gz" else zipped({"a.csv": CSV}))
    content[place % len(content)] ^= change
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(bytes(content))
    try:
        batches = read(path)
    except SourceError:
        return
    assert_frame_equal(joined(batches), RECORDS)
