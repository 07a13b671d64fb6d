"""Files of shots: what is read, where reading resumes, and what a damaged file says."""

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import FilesError, SourceError
from parivision.shots import schema
from parivision.sources import feed22, season_csv
from parivision.sources.base import Batch
from parivision.sources.csv_files import FeedCsv, SeasonZips, open_files
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2023,), games_a_season=2)).select(schema.NAMES)
RECORDS = feed22.records_from_shots(SHOTS)
SEASON_RECORDS = season_csv.records_from_shots(SHOTS)
CSV = RECORDS.write_csv().encode()
LINES = CSV.decode().splitlines()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of contents by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(path: Path, after: str | None = None, batch_rows: int = 100) -> list[Batch]:
    """All batches of feed files."""
    return list(FeedCsv(path, batch_rows).batches(after))


def joined(batches: list[Batch]) -> pl.DataFrame:
    """The records of batches."""
    return pl.concat([batch.records for batch in batches])


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


def cut(content: bytes) -> bytes:
    """The first two thirds."""
    return content[: len(content) * 2 // 3]


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


def faulty(batches: list[Batch]) -> list[tuple[int, str]]:
    """Number and reason of the faulty lines of batches."""
    return [row for batch in batches for row in batch.faulty.select("line", "reason").rows()]


def file_of(tmp_path: Path, lines: list[str], end: str = "\n") -> Path:
    """A file of these lines."""
    (tmp_path / "a.csv").write_bytes(end.join(lines).encode())
    return tmp_path / "a.csv"


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


NAMES = ("José Álvarez", "Dennis Schröder", "Žiga Šamar", "Moïse Ñuñez", "O\u2019Neal", "Bjørn Åge")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_read(tmp_path: Path, encoding: str, separator: str) -> None:
    """Every name comes out as it was written."""
    turn = pl.int_range(pl.len()) % len(NAMES)
    records = RECORDS.with_columns(
        turn.replace_strict(dict(enumerate(NAMES)), return_dtype=pl.String).alias("Player Name")
    )
    (tmp_path / "a.csv").write_bytes(records.write_csv(separator=separator).encode(encoding))
    assert_frame_equal(joined(read(tmp_path)), records)


def test_a_damaged_byte_in_utf_8_costs_its_line(tmp_path: Path) -> None:
    """A file that is UTF-8 elsewhere is not read in another encoding."""
    named = RECORDS.with_columns(pl.lit("Luka Dončić").alias("Player Name")).write_csv().encode()
    (tmp_path / "a.csv").write_bytes(named.replace("Dončić".encode(), b"Don\xe8i\xe6", 1))
    batches = read(tmp_path)
    assert faulty(batches) == [(2, "the line holds bytes that are not UTF-8")]
    assert joined(batches)["Player Name"].unique().to_list() == ["Luka Dončić"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_first_line_may_say_the_separator(tmp_path: Path, first: str) -> None:
    """Spreadsheets write it and do not show it."""
    path = file_of(tmp_path, [first, *RECORDS.write_csv(separator=";").splitlines()])
    batches = read(path)
    assert_frame_equal(joined(batches), RECORDS)
    assert faulty(batches) == []


def test_lines_before_the_header_are_told(tmp_path: Path) -> None:
    """A title is no record, and the header below it is found."""
    batches = read(file_of(tmp_path, ["Shots of 2023", "", *LINES]))
    assert_frame_equal(joined(batches), RECORDS)
    assert faulty(batches) == [(1, "the line comes before the header")]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas_are_decimal_points(tmp_path: Path, separator: str) -> None:
    """Where a comma separates no cells; names with a comma stay as they are."""
    commas = SEASON_RECORDS.with_columns(
        pl.col("LOC_X", "LOC_Y").str.replace(r"\.", ","), pl.lit("Team, 1,5").alias("TEAM_NAME")
    )
    (tmp_path / "a.csv").write_bytes(commas.write_csv(separator=separator).encode())
    expected = SEASON_RECORDS.with_columns(pl.lit("Team, 1,5").alias("TEAM_NAME"))
    assert_frame_equal(joined(read(tmp_path)), expected)


def respelled(header: str, way: str) -> str:
    """A header in another spelling."""
    if way == "lower":
        return header.lower()
    if way == "upper":
        return header.upper()
    return header.replace("_", " ").replace(" ", way).title()


@pytest.mark.parametrize("way", ["lower", "upper", "_", ".", "-", " ", ""])
@pytest.mark.parametrize("records", [RECORDS, SEASON_RECORDS], ids=["feed", "season"])
def test_headers_are_known_in_other_spellings(
    tmp_path: Path, way: str, records: pl.DataFrame
) -> None:
    """Case, blanks, dots, hyphens and underscores do not tell columns apart."""
    header, _, rest = records.write_csv().partition("\n")
    (tmp_path / "a.csv").write_text(f"{respelled(header, way)}\n{rest}")
    assert_frame_equal(joined(read(tmp_path)), records)


def test_a_column_in_two_spellings_is_the_one_that_is_exact(tmp_path: Path) -> None:
    """Without an exact one, two that could be meant are refused."""
    exact = RECORDS.with_columns(pl.lit("?").alias("game_id"))
    (tmp_path / "a.csv").write_bytes(exact.write_csv().encode())
    assert_frame_equal(joined(read(tmp_path)), RECORDS)
    neither = exact.rename({"Game ID": "GAME-ID"})
    (tmp_path / "a.csv").write_bytes(neither.write_csv().encode())
    with pytest.raises(SourceError, match=r"\['Game ID'\] more than once"):
        read(tmp_path)


@pytest.mark.parametrize(("records", "name"), [(RECORDS, "feed22"), (SEASON_RECORDS, "season_csv")])
def test_a_wrong_file_is_compared_with_the_nearest_format(
    tmp_path: Path, records: pl.DataFrame, name: str
) -> None:
    """The message names what lacks of that format, and nothing else."""
    lacking = records.drop(records.columns[2])
    (tmp_path / "a.csv").write_bytes(lacking.write_csv().encode())
    for source in (FeedCsv(tmp_path), SeasonZips(tmp_path), open_files(tmp_path)):
        with pytest.raises(SourceError) as caught:
            list(source.batches())
        assert f"lacks the columns ['{records.columns[2]}'] of {name}" in str(caught.value)


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
