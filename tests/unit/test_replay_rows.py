"""A file of labelled shots: what is read, and what is refused by line and field."""

import gzip
import json

import pytest

from parivision.errors import DataError
from parivision.simulation.replay import read_file

pytestmark = pytest.mark.unit

GOOD = '{"p_champion": 0.4, "p_challenger": 0.52, "made": 1, "zone": "corner 3", "period": 6}'
OTHER = '{"p_champion": 0.6, "p_challenger": 0.7, "made": 0, "zone": 1, "player_volume": 120}'
LINES = f"{GOOD}\n{OTHER}\n"
HEADER = "p_champion,p_challenger,made,zone,period,player_volume\n"
CSV = f"{HEADER}0.4,0.52,1,corner 3,6,\n0.6,.7,0,1,,120\n"


@pytest.fixture
def read(tmp_path):
    """Read content, text or bytes, as a file."""

    def of(content):
        path = tmp_path / "shots"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_file(path)

    return of


def _facts(shots):
    segments = shots.segments
    return [
        each.tolist()
        for each in (
            shots.p_champion, shots.p_challenger, shots.made, segments.zone, segments.period,
            segments.volume,
        )
    ]  # fmt: skip


WANTED = [[0.4, 0.6], [0.52, 0.7], [1, 0], [5, 0], [4, -1], [-1, 2]]


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        f"\ufeff{LINES}",
        LINES.replace("\n", "\r\n"),
        f"\ufeff{LINES}".replace("\n", "\r\n"),
        LINES.replace("\n", "\r"),
        f"\n\n  \n{GOOD}\n\n{OTHER}",
        f"{GOOD}\n\ufeff{OTHER}\n",
        LINES.encode("utf-16"),
        b"\xfe\xff" + LINES.encode("utf-16-be"),
        gzip.compress(LINES.encode()),
        gzip.compress(b"\xef\xbb\xbf" + LINES.encode()),
        LINES.replace('"made": 1', '"made": true').replace('"made": 0', '"made": false'),
        LINES.replace('"made": 1', '"made": 1.0').replace('"zone": 1', '"zone": 1.0'),
        LINES.replace('"made"', '"game": "x", "nested": {"a": [1]}, "made"'),
        LINES.replace('"player_volume"', '"period": null, "player_volume"'),
        LINES.replace('"player_volume"', '"period": NaN, "player_volume"'),
        f"[{GOOD},\n {OTHER}]",
        f"\ufeff [{GOOD}, {OTHER}]\n",
        CSV,
        f"\ufeff{CSV}",
        CSV.replace("\n", "\r\n"),
        CSV.encode("utf-16"),
        gzip.compress(CSV.encode()),
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace("0.4", " 0.4 ").replace("0.6", '"0.6"').replace(".7", "7e-1"),
        CSV.replace(",1,corner", ",True,corner").replace(",0,1", ",false,1"),
        CSV.replace("p_champion", " P_Champion ").replace("6,\n", "6,NaN\n"),
        CSV.replace(",,120", ",NULL,120.0") + "\n,,,,,\n",
        CSV.replace("volume\n", "volume,note\n").replace("6,\n", "6,,x\n").replace("120", "120,"),
    ],
)  # fmt: skip
def test_the_same_shots_are_read(read, content):
    """However the file was written: marks, line ends, encodings, gzip, columns that say more."""
    assert _facts(read(content)) == WANTED


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("0.52", '"0.52"', r"p_challenger: .* the text '0\.52'; .* write 0\.52 without quotes"),
        ("0.52", '" 0.52 "', r"p_challenger: .* the text ' 0\.52 '; .* write 0\.52 without quotes"),
        ("0.52", '"52%"', r"p_challenger: .* the text '52%'; write 0\.52 for 52%"),
        ("0.52", '"nan"', r"p_challenger: .* the text 'nan'"),
        ("0.52", '""', r"p_challenger: .* the text ''"),
        ("0.52", "NaN", r"p_challenger: .* got nan"),
        ("0.52", "Infinity", r"p_challenger: .* got inf"),
        ("0.52", "-Infinity", r"p_challenger: .* got -inf"),
        ("0.52", "1.0000001", r"p_challenger: .* got 1\.0000001"),
        ("0.52", "-0.0000001", r"p_challenger: .* got -1e-07"),
        ("0.52", "1e999", r"p_challenger: .* got inf"),
        ("0.52", f"1{'0' * 400}", r"p_challenger: .* got 1000"),
        ("0.52", "true", r"p_challenger: .* got true"),
        ("0.52", "[0.52]", r"p_challenger: .* the list \[0\.52\]"),
        ("0.52", '{"p": 0.52}', r"p_challenger: .* the object"),
        ("0.52", "null", r"p_challenger is missing, got null"),
        ("0.4", '"0.4"', r"p_champion: .* the text '0\.4'"),
        ('"made": 1', '"made": "1"', r"made: expected 0 or 1.* the text '1'"),
        ('"made": 1', '"made": 2', r"made: expected 0 or 1.* got 2"),
        ('"made": 1', '"made": 0.5', r"made: expected 0 or 1.* got 0\.5"),
        ('"made": 1', '"made": null', r"made is missing, got null"),
        ('"made": 1, ', "", r"made is missing, got only p_champion, p_challenger"),
        ('"corner 3"', '"3"', r"zone: expected a number from 1 to 7 .* the text '3'"),
        ('"corner 3"', "8", r"zone: .* got 8"),
        ('"corner 3"', "true", r"zone: .* got true"),
        ('"period": 6', '"period": "6"', r"period: .* the text '6'"),
        ('"period": 6', '"period": 0', r"period: .* got 0"),
        ('"period": 6', '"period": 1.5', r"period: .* got 1\.5"),
        ('"period": 6', '"player_volume": -1', r"player_volume: .* got -1"),
        ('"period": 6', '"player_volume": Infinity', r"player_volume: .* got inf"),
        (GOOD, GOOD[:30], r"it is no JSON"),
        (GOOD, f"{GOOD},", r"it is no JSON"),
        (GOOD, "[1, 2]", r"expected JSON lines.* the list"),
        (GOOD, "0.5", r"expected JSON lines.* got 0\.5"),
        (GOOD, "null", r"expected JSON lines.* got null"),
        (GOOD, "[" * 100_000, r"it is no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_shot_is_refused_by_line_and_field(read, was, now, said):
    """A text is no number in JSON, whatever it says; nor is anything else that is none."""
    assert was in GOOD
    with pytest.raises(DataError, match=f"line 3.*{said}"):
        read(f"{OTHER}\n\n{GOOD.replace(was, now)}\n")


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("0.52", "52%", r"line 2, p_challenger: .*the text '52%'; write 0\.52 for 52%"),
        ("0.52", "0.52.1", r"line 2, p_challenger: .*the text '0\.52\.1'"),
        ("0.52", "nan", r"line 2: p_challenger is missing"),
        ("0.52", "inf", r"line 2, p_challenger: .*the text 'inf'"),
        ("0.52", "1_0", r"line 2, p_challenger: .*the text '1_0'"),
        ("0.52", "true", r"line 2, p_challenger: .*the text 'true'"),
        ("0.52", "1.0000001", r"line 2, p_challenger: .*1\.0000001"),
        ("0.52", "", r"line 2: p_challenger is missing"),
        (",1,corner 3", ",2,corner 3", r"line 2, made: .*got 2"),
        ("0.4,0.52,1,corner 3,6,", "0.4,0.52", r"line 2: expected 6 cells, got 2"),
        ("6,\n", "6,,more\n", r"line 2: expected 6 cells, got 7"),
        (".7", '".7', r"line [34]: it is no CSV"),
        ("p_challenger", "challenger", r"line 1: expected JSON lines"),
        ("zone", "made", r"line 1: expected JSON lines"),
    ],
)
def test_a_faulty_line_of_csv_is_named(read, was, now, said):
    """Every cell is text there: a number in text is one, and what is none is refused by line."""
    assert was in CSV
    with pytest.raises(DataError, match=said):
        read(CSV.replace(was, now, 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "got none"),
        ("\ufeff", "got none"),
        ("\n \r\n", "got none"),
        ("[]", "got none"),
        (CSV.split("\n", maxsplit=1)[0], "got none"),
        (gzip.compress(LINES.encode())[:-12], "gzip file is damaged or cut off"),
        (b"\x1f\x8bnothing", "gzip file is damaged or cut off"),
        (LINES.encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (LINES.replace("corner", "cörner").encode("cp1252"), "no UTF-8 text"),
        (b"\xff\xfe\x00", "no UTF-16 text"),
        (b"PK\x03\x04\xff\xff", "no UTF-8 text"),
        ("[{}]", "shot 1 of the list: p_champion is missing, got only nothing"),
        (f"[{GOOD}", "the list: expected JSON lines"),
        (json.dumps({"shots": []}, indent=1), "line 1: .* it is no JSON"),
    ],
)
def test_a_file_without_shots_is_told(read, content, said):
    """Empty files, other encodings and other kinds of files are sentences, not tracebacks."""
    with pytest.raises(DataError, match=said):
        read(content)


def test_a_decimal_comma_is_refused(read):
    """Spreadsheets of half of Europe write it: it is told, and not taken for another column."""
    with pytest.raises(DataError, match=r"line 2, p_challenger: .* the text '0,52'"):
        read(CSV.replace(",", ";").replace("0.52", "0,52"))


def test_ends_are_probabilities(read):
    """0, 1, whole or not, and minus zero."""
    line = '{"p_champion": %s, "p_challenger": %s, "made": 0}'
    shots = read("\n".join([line % ("0", "1"), line % ("-0.0", "1.0"), line % ("1e-400", "0.0")]))
    assert shots.p_champion.tolist() == [0, 0, 0]
    assert shots.p_challenger.tolist() == [1, 1, 0]


def test_the_command_says_line_and_field(tmp_path, run):
    """`rollout simulate --predictions` ends with the sentence and nothing else."""
    path = tmp_path / "shots.jsonl"
    path.write_text(GOOD.replace("0.52", '"0.52"'))
    code, out, err = run("rollout", "simulate", "--predictions", str(path))
    assert (code, out) == (1, "")
    assert err.startswith("error: shots.jsonl: line 1, p_challenger: expected a number from 0 to 1")
    assert len(err.splitlines()) == 1
