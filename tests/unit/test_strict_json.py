"""What the project writes as JSON, every parser of JSON reads; and there is one writer."""

import ast
import dataclasses
import enum
import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parivision
from parivision import durable, strict_json
from parivision.drift import DriftSummary, build_reference, detect
from parivision.lake.base import as_json
from parivision.prediction_log import lines
from parivision.serving import answers

pytestmark = pytest.mark.unit

LIBRARY = Path(parivision.__file__).parent
ROOT = LIBRARY.parents[1]


def strictly(text):
    """Parse JSON as a strict parser does: no NaN, no Infinity, no key twice."""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    def unique(pairs):
        assert len({key for key, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def expected(value):
    """A value as a strict parser gives it back: null for a number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: expected(each) for key, each in value.items()}
    return [expected(each) for each in value] if isinstance(value, list) else value


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values=VALUES, indent=st.sampled_from([None, 1, 2]), sort_keys=st.booleans())
def test_what_is_written_is_read_by_a_strict_parser_and_equals(values, indent, sort_keys):
    """Any nesting of plain values, with NaN and Infinity anywhere."""
    text = strict_json.text(values, indent=indent, sort_keys=sort_keys)
    assert strictly(text) == expected(values)


@given(st.lists(st.floats(width=32)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numpy_and_polars_values_are_numbers_and_lists(floats, whole):
    """Scalars, arrays and columns, of any width, NaN among them."""
    narrow = np.array(floats, np.float32)
    values = {
        "array": narrow,
        "scalars": list(narrow),
        "whole": np.array(whole, np.int64),
        "column": pl.Series(floats, dtype=pl.Float64),
        "yes": np.bool_(True),
        "none": np.array(None, dtype=object),
    }
    said = strictly(strict_json.text(values))
    assert said["array"] == said["scalars"] == expected(floats)
    assert said["whole"] == whole
    assert said["column"] == expected(floats)
    assert (said["yes"], said["none"]) == (True, None)


class Colour(enum.Enum):
    """An enumeration that is no text."""

    RED = 1.5


@dataclasses.dataclass
class Point:
    """Something with fields."""

    x: float
    day: date


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (date(2025, 11, 5), "2025-11-05"),
        (datetime(2025, 11, 5, 1, 2, tzinfo=UTC), "2025-11-05T01:02:00+00:00"),
        (np.datetime64("2025-11-05"), "2025-11-05"),
        (Path("a") / "b", "a/b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, 1.5),
        (Decimal("0.5"), 0.5),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (np.float64("inf"), None),
        (np.float32("nan"), None),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, float("-inf")), [1, None]),
        (Point(float("nan"), date(2025, 1, 2)), {"x": None, "day": "2025-01-02"}),
        ({1: "a", None: "b", 2.5: "c"}, {"1": "a", "null": "b", "2.5": "c"}),
        ({np.int64(7): np.int64(8), True: False}, {"7": 8, "true": False}),
        ({date(2025, 1, 2): 1, Colour.RED: 2}, {"2025-01-02": 1, "1.5": 2}),
        ({float("nan"): 1}, {"null": 1}),
        (-0.0, -0.0),
        (5e-324, 5e-324),
        (2**70, 2**70),
    ],
)
def test_other_kinds_have_their_words(value, said):
    """Days, paths, enumerations, data classes, and keys that are no texts."""
    assert strictly(strict_json.text(value)) == said


def test_what_has_no_word_is_refused():
    """Objects, bytes and tuples as keys: an error that names them, and no text of its own."""
    with pytest.raises(TypeError, match="no word for a object"):
        strict_json.text({"x": object()})
    with pytest.raises(TypeError, match="no word for a bytes"):
        strict_json.text(b"raw")
    with pytest.raises(TypeError, match="is a tuple"):
        strict_json.text({(1, 2): 3})
    with pytest.raises(ValueError, match="the same text"):
        strict_json.text({1: "a", "1": "b"})


def test_a_state_that_must_be_exact_is_refused_with_a_number_lost():
    """What is read back to go on from never silently has null for a number."""
    assert strictly(strict_json.text({"e": [1.5]}, exact=True)) == {"e": [1.5]}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            strict_json.text({"e": value}, exact=True)


def test_a_file_is_whole_or_not_there(tmp_path):
    """A value that cannot be written leaves the old file, and nothing beside it."""
    path = tmp_path / "new" / "x.json"
    assert durable.put_json(path, {"a": float("nan")}) == path
    assert strictly(path.read_text()) == {"a": None}
    with pytest.raises(TypeError):
        durable.put_json(path, {"a": object()})
    assert strictly(path.read_text()) == {"a": None}
    assert [found.name for found in path.parent.iterdir()] == ["x.json"]


def test_a_line_is_one_line():
    """NDJSON: a text with line ends in it stays on its line."""
    assert strict_json.line({"a": "x\ny\u2028z"}).count("\n") == 1


def test_metrics_leave_out_what_is_no_number():
    """MLflow and Kubeflow have no null for a metric."""
    given_ = {"a": 1, "b": None, "c": float("nan"), "d": float("inf"), "e": np.float64(2.5)}
    assert strict_json.finite(given_) == {"a": 1.0, "e": 2.5}


NOT_FINITE = (float("nan"), float("inf"), float("-inf"))


def test_the_fast_writers_write_null_too():
    """Answers (msgspec), lines of the log (pydantic-core, msgspec) and tables (Polars)."""
    assert strictly(answers.as_json({"p": NOT_FINITE, 3: 1})) == {"p": [None] * 3, "3": 1}
    assert strictly(lines.line({"p": list(NOT_FINITE)})) == {"p": [None] * 3}
    columns: dict[str, Any] = {"x_ft": np.array(NOT_FINITE)}
    [block] = lines.blocks("id", "now", columns, list(NOT_FINITE))
    said = strictly(block.text)
    assert (said["p_made"], said["facts"]) == ([None] * 3, {"x_ft": [None] * 3})
    assert [strictly(row) for row in as_json(pl.DataFrame({"x": NOT_FINITE}))] == [{"x": None}] * 3
    assert strictly(pl.DataFrame({"x": NOT_FINITE}).write_json()) == [{"x": None}] * 3


def test_older_lines_of_the_log_are_still_read():
    """A log that was written with a bare NaN is read as it was."""
    [record] = lines.records([b'{"id": "a", "p_made": NaN, "facts": {}}'])
    assert math.isnan(record["p_made"])


def test_an_older_drift_summary_is_still_read(synthetic_shots):
    """Also where it was written with a bare NaN; written again, it has null there."""
    summary = detect(build_reference(synthetic_shots), synthetic_shots)
    older = re.sub(r'"p_value": [^,\n]+', '"p_value": NaN', summary.to_json(), count=1)
    assert "NaN" in older
    again = DriftSummary.from_json(older)
    text = again.to_json()
    assert strictly(text)["columns"][0]["tests"]["chi_square"]["p_value"] is None
    assert DriftSummary.from_json(text).to_json() == text
    assert again.verdict == summary.verdict


WRITERS = {
    ("json", "dumps"), ("json", "dump"), ("json", "JSONEncoder"), ("json", "encode"),
    ("json", "Encoder"), ("orjson", "dumps"), ("pydantic_core", "to_json"), ("ujson", "dumps"),
}  # fmt: skip
METHODS = {
    "to_json", "write_json", "write_ndjson", "sink_ndjson", "model_dump_json", "dump_json",
    "json_encode", "log_dict", "to_pydantic_json",
}  # fmt: skip
CLASSES = {"JSONResponse", "ORJSONResponse", "UJSONResponse", "JSONEncoder"}
ALLOWED = {
    # The one writer itself.
    ("src/parivision/strict_json.py", "json.dumps"),
    # Measured paths: msgspec writes null; see test_the_fast_writers_write_null_too.
    ("src/parivision/serving/answers.py", "json.encode"),
    ("src/parivision/serving/columns.py", "json.encode"),
    ("src/parivision/serving/lines.py", "json.encode"),
    ("src/parivision/serving/lines.py", "json.Encoder"),
    ("src/parivision/prediction_log/lines.py", "json.encode"),
    ("src/parivision/prediction_log/lines.py", "pydantic_core.to_json"),
    # Polars' tables: null too.
    ("src/parivision/lake/base.py", "json_encode"),
    ("src/parivision/stats_api/app.py", "write_json"),
    # Grafana's typed builders encode themselves; no number that was computed is in a dashboard.
    ("helm/dashboards/panels.py", "to_json"),
    ("helm/dashboards/write.py", "JSONEncoder"),
    # Shows in a sentence what came, which may be a bare NaN.
    ("src/parivision/serving/requests.py", "pydantic_core.to_json"),
    # Our own methods, which end in the one writer.
    ("src/parivision/drift/reference.py", "to_json"),
    ("src/parivision/drift/summary.py", "to_json"),
    ("src/parivision/reports/drift.py", "to_json"),
    # Scripts that stand alone, without the library: facts of a shot to the service, and Secrets.
    ("helm/parivision/charts/shots/files/predict.py", "json.dumps"),
    ("manifests/secrets.py", "json.dumps"),
}  # fmt: skip


def _written(path):
    """The writers of JSON that a file names: as `module.function` or by a method's name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            yield from names & CLASSES
            for module, name in WRITERS:
                if node.module and node.module.split(".")[-1] == module and name in names:
                    yield f"{module}.{name}"
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        base = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if (base, node.attr) in WRITERS:
            yield f"{base}.{node.attr}"
        elif node.attr in METHODS | CLASSES:
            yield node.attr
        if node.attr == "print_json" and base in {"out", "err", "console"}:
            yield "rich.print_json"


def test_nothing_else_writes_json():
    """A new writer beside the one fails here: route it through `strict_json`, or say why not."""
    folders = ("src", "components", "pipelines", "bentos", "helm", "manifests")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = {(str(path.relative_to(ROOT)), name) for path in files for name in _written(path)}
    assert found - ALLOWED == {("src/parivision/cli/console.py", "rich.print_json")}
    assert found >= ALLOWED


def test_the_scan_sees_every_way_to_write(tmp_path):
    """The check that nothing else writes is itself tried."""
    ways = [
        "import json\njson.dumps(1)",
        "import json\njson.dump(1, f)",
        "from json import dumps\ndumps(1)",
        "import msgspec\nmsgspec.json.encode(1)",
        "import orjson\norjson.dumps(1)",
        "from fastapi.responses import JSONResponse",
        "frame.write_json()",
        "model.model_dump_json()",
        "TypeAdapter(int).dump_json(1)",
        "client.log_dict({})",
        "out.print_json(data=1)",
    ]
    for way in ways:
        path = tmp_path / "way.py"
        path.write_text(way)
        assert list(_written(path)), way
