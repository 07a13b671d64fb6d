"""What is logged with a model so that it can be loaded elsewhere."""

import json

import pytest

from parivision.errors import ModelError
from parivision.features.form import Form
from parivision.models import dependencies
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import KINDS, Constant
from parivision.registry import logged_model
from parivision.serving.requests import parse
from parivision.serving.shot import FIELDS, REQUIRED
from parivision.shots.facts import GIVEN


def test_the_signature_names_every_fact_of_a_shot():
    """The facts that features are made of, in the service's words; five are required."""
    columns = logged_model.signature().inputs.inputs
    assert [column.name for column in columns] == list(GIVEN)
    assert {column.name for column in columns if column.required} == set(REQUIRED)
    assert set(FIELDS) - {column.name for column in columns} == {"game_id", "event_id"}
    types = {column.name: column.type.name for column in columns}
    assert {name for name, kind in types.items() if kind == "long"} == {"player_id", "period"}
    texts = {"game_date", "home_team", "away_team", "action_type"}
    assert {name for name, kind in types.items() if kind == "string"} == texts


def test_the_example_shows_all_facts_and_only_the_required_ones():
    """Its first shot has every fact, its second those that must be; the service takes both."""
    full, small = logged_model.input_example().to_dict(orient="records")
    assert all(value is not None for value in full.values())
    assert {name for name, value in small.items() if value is not None} == set(REQUIRED)
    assert len(parse(json.dumps({"shots": [full, small]}, allow_nan=False).encode()).shots) == 2


def test_only_the_library_s_part_that_answers_is_logged():
    """No training, no tables, no service, no registry: some thirty files, 200 kB at most."""
    files = logged_model.code_files()
    names = {path.relative_to(dependencies.LIBRARY).as_posix() for path in files}
    assert {"__init__.py", "models/bundle.py", "features/kernel.py", "shots/court.py"} <= names
    assert {name.split("/")[0] for name in names if "/" in name} == {
        *("features", "models", "serving", "shots")
    }
    unneeded = {"models/training.py", "models/families.py", "features/tables.py", "serving/app.py"}
    assert not names & (unneeded | {"models/dependencies.py", "shots/schema.py"})
    assert sum(path.stat().st_size for path in files) < 200_000


def _asked(bundle):
    return {pin.split("==")[0] for pin in logged_model.requirements(bundle)}


def test_a_model_asks_for_the_packages_of_its_own_kind_only(tmp_path, small_bundle_dir):
    """What one family needs is not asked of all; this library is never asked for."""
    part = Part(("rate_zone",), Constant(0.4))
    Bundle("league_mean", "full", {"without_action": part}, Form()).save(tmp_path)
    mean, trees = _asked(tmp_path), _asked(small_bundle_dir)
    assert {"mlflow", "numpy", "msgspec", "pydantic"} <= mean
    assert not mean & {"parivision", "lightgbm", "xgboost-cpu", "polars", "bentoml"}
    assert trees - mean == {"lightgbm"}


def test_every_kind_says_what_it_needs():
    """A new kind of estimator comes with its packages, or its models could not be loaded."""
    assert dependencies.KIND_PACKAGES.keys() == KINDS.keys()


def test_packages_are_found_where_a_file_is_imported(tmp_path):
    """Those at its top; not the standard library's, nor this one's, nor what functions import."""
    file = tmp_path / "module.py"
    file.write_text(
        "import json, numpy as np\n"
        "from msgspec import json as fast\n"
        "from parivision.errors import ModelError\n"
        "def late():\n    import skops.io\n"
    )
    assert dependencies.packages_of([file]) == {"numpy", "msgspec"}
    assert dependencies.imported(file) == [
        *("parivision", "parivision.errors"),
        *("parivision", "parivision.errors", "parivision.errors.ModelError"),
    ]


def test_pins_reach_to_the_last_package():
    """All that a package needs is pinned too, by the version that is installed, each once."""
    pins = dependencies.pins(["pydantic"])
    names = [pin.split("==")[0] for pin in pins]
    assert {"pydantic", "pydantic-core", "typing-extensions"} <= set(names)
    assert names == sorted(set(names))
    with pytest.raises(ModelError, match="no-such-package is not installed here"):
        dependencies.pins(["no_such_package"])
