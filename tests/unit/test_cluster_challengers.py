"""The faults of the cluster's challengers can still be put into the service as it is today."""

import ast
from pathlib import Path

import pytest

from cluster import challengers

ROOT = Path(__file__).parents[2]
PREDICTOR = "parivision/serving/predictor.py"


@pytest.mark.parametrize("fault", ["ERRORS", "LATENCY", "WRONG_UNITS"])
def test_a_fault_finds_its_place(fault: str, tmp_path: Path) -> None:
    """Twice, where many are predicted and where one is; and what comes of it is Python."""
    code = (ROOT / "src" / PREDICTOR).read_text()
    spoilt = tmp_path / PREDICTOR
    spoilt.parent.mkdir(parents=True)
    spoilt.write_text(code)
    getattr(challengers, fault)(tmp_path)
    added = len(spoilt.read_text().splitlines()) - len(code.splitlines())
    assert added >= 2
    ast.parse(spoilt.read_text())
