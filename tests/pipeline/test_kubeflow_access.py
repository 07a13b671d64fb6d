"""The way to Kubeflow Pipelines: its address, tokens and cookies, and what else may answer."""

import json
import sys
from pathlib import Path

import pytest

import kfp_standin
from kfp_standin import Fault, Standin
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow.access import KfpAccess
from parivision.kubeflow.client import connect
from pipeline.kfp_commands import KFP_VARIABLES, Run, only

TOKEN = "hush-hush-hello"  # noqa: S105 - opens the stand-in


def test_no_endpoint_says_where_to_name_it(kfp_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --endpoint and PARIVISION_KFP nothing is guessed."""
    monkeypatch.delenv("PARIVISION_KFP")
    code, _, err = kfp_run("runs")
    assert code == 1
    assert "in --endpoint or PARIVISION_KFP" in err


def test_an_endpoint_that_does_not_answer_is_told_at_once(kfp_run: Run) -> None:
    """A forwarded port that is gone is an error of one line, not a traceback."""
    with kfp_standin.serving() as gone:
        url = gone.url
    code, _, err = kfp_run("submit", "etl", "--endpoint", url)
    assert code == 1
    assert err.startswith(f"error: no answer from Kubeflow Pipelines at {url} ")
    assert "Traceback" not in err


def test_an_endpoint_that_is_not_encrypted_as_expected_is_told(kfp: Standin) -> None:
    """`https` in front of a forwarded port of plain HTTP is a frequent slip."""
    with pytest.raises(PipelineError, match=r"no answer from Kubeflow Pipelines at https://.*SSL"):
        connect(kfp.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(404, "<html>no</html>", "text/html"),
        Fault(200, "<html>log in</html>", "text/html"),
        Fault(200, "[]"),
        Fault(502, "bad gateway", "text/plain"),
    ],
    ids=["another server", "a login page", "no object", "a broken proxy"],
)
def test_what_is_not_kfp_is_told(kfp: Standin, fault: Fault) -> None:
    """Whatever else listens there is named with what it answered."""
    kfp.faults.append(fault)
    with pytest.raises(PipelineError, match=rf"is not Kubeflow Pipelines, .*: {fault.status}, "):
        connect(kfp.url)


def test_who_is_refused_is_told_what_to_bring(kfp: Standin) -> None:
    """A token, cookies: what KFP asks for, by the name of the variable it comes from."""
    kfp.token = TOKEN
    with pytest.raises(PipelineError, match=r"refuses \(401: .*valid token\).* KFP_EXISTING_TOKEN"):
        connect(kfp.url)
    kfp.token, kfp.cookies = "", "session=1"
    with pytest.raises(PipelineError, match=r"refuses \(403: RBAC: access denied\)"):
        connect(kfp.url)


def test_a_token_opens_the_door_and_is_never_shown(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KFP's own variable for a token is used for looking and for changing."""
    kfp.token = TOKEN
    monkeypatch.setenv("KFP_EXISTING_TOKEN", TOKEN)
    code, out, err = kfp_run("submit", "etl")
    assert code == 0, err
    assert TOKEN not in out + err
    kept = KfpAccess.read({"KFP_EXISTING_TOKEN": TOKEN, "KFP_COOKIES": TOKEN})
    assert (kept.token, kept.cookies) == (TOKEN, TOKEN)
    assert TOKEN not in repr(kept)


def test_a_token_in_a_file_is_read_again_for_every_request(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A service account's token is renewed by the kubelet while a run is followed."""
    file = tmp_path / "token"
    renewed = TOKEN[::-1]
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    kfp.token = TOKEN
    kubeflow = connect(kfp.url, KfpAccess(token_file=str(file)))
    kfp.token = renewed
    file.write_text(f"{renewed}\n")
    assert kubeflow.runs.summaries() == []
    assert kfp_run("submit", "etl")[0] == 0


def test_cookies_open_the_door_of_a_kfp_behind_a_login(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KFP of many users gets the session's cookie and the user's namespace."""
    kfp.cookies, kfp.multi_user = "session=1", True
    monkeypatch.setenv("KFP_COOKIES", "session=1")
    monkeypatch.setenv("KFP_NAMESPACE", "analysts")
    code, _, err = kfp_run("submit", "etl")
    assert code == 0, err
    assert only(kfp.experiments)["namespace"] == "analysts"
    assert json.loads(kfp_run("runs", "--json")[1])["runs"]


@pytest.mark.parametrize("name", KFP_VARIABLES)
def test_the_docs_say_how_to_log_in(name: str) -> None:
    """docs/kubeflow.md has a row with each variable, and each opens something."""
    docs = Path(__file__).parents[2] / "docs" / "kubeflow.md"
    assert f"| `{name}` |" in docs.read_text()
    assert KfpAccess.read({name: "x"}) != KfpAccess()


def test_without_kfps_client_the_error_says_what_to_install(
    kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that lacks the client says so."""
    monkeypatch.setitem(sys.modules, "kfp_server_api", None)
    with pytest.raises(SettingsError, match=r"pip install 'parivision\[kubeflow\]'"):
        connect(kfp.url)
