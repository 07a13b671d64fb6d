"""Commands of the project against a stand-in of Kubeflow Pipelines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfp_standin import Standin
from parivision.kubeflow import runs

Run = Callable[..., tuple[int, str, str]]
"""Runs a command line; gives the exit code, output and errors."""
KFP_VARIABLES = (
    "KFP_EXISTING_TOKEN",
    "KFP_COOKIES",
    "KFP_NAMESPACE",
    "KF_PIPELINES_SA_TOKEN_PATH",
)


def name_server(standin: Standin, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Commands ask this server from now on, often, and without a login."""
    for name in KFP_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # KFP's client keeps a namespace in the user's home.
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(folder / "context.json"))
    monkeypatch.setenv("PARIVISION_KFP", standin.url)
    monkeypatch.setattr(runs, "POLL_S", 0.02)


def only(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The one object that is there."""
    (single,) = objects.values()
    return single
