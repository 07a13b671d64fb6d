"""Encodings, separators and headers of CSV: which spellings are known."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from csv_samples import LINES, RECORDS, SEASON_RECORDS, faulty, file_of, joined, read
from parivision.errors import SourceError
from parivision.sources.csv_files import FeedCsv, SeasonZips, open_files

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
