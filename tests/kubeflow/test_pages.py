"""The pages of Kubeflow Pipelines where the release's gateway leads to them."""

import httpx

from kubeflow.live_kubeflow import LiveKubeflow

METADATA = "/ml_metadata.MetadataStoreService/GetArtifactTypes"
"""What a run's page asks for its artifacts: at the root of the host, wherever the page is."""
EMPTY = bytes(5)
"""An empty message of gRPC-web: a flag, and a length of four bytes."""


def test_the_pages_and_their_api_ask_for_the_operators_login(
    kubeflow: LiveKubeflow, gateway_url: str, http: httpx.Client, operators: tuple[str, str]
) -> None:
    """Who has it sees the runs that the API itself tells of."""
    page, runs = f"{gateway_url}/pipeline/", f"{gateway_url}/pipeline/apis/v2beta1/runs"
    assert http.get(page).status_code == httpx.codes.UNAUTHORIZED
    assert http.get(runs).status_code == httpx.codes.UNAUTHORIZED
    assert "<html" in http.get(page, auth=operators).text.lower()
    asked = {"page_size": "100", "sort_by": "created_at"}
    with kubeflow.http as direct:
        expected = direct.get("/apis/v2beta1/runs", params=asked).json()["runs"]
    found = http.get(runs, params=asked, auth=operators).json()["runs"]
    assert [run["run_id"] for run in found] == [run["run_id"] for run in expected]


def test_a_runs_page_finds_its_artifacts(
    gateway_url: str, http: httpx.Client, operators: tuple[str, str]
) -> None:
    """The metadata store answers at the path that the page asks, with the same login."""
    url, kind = f"{gateway_url}{METADATA}", {"Content-Type": "application/grpc-web+proto"}
    refused = http.post(url, content=EMPTY, headers=kind)
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    answer = http.post(url, content=EMPTY, headers=kind, auth=operators)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert b"system.Metrics" in answer.content
    assert b"grpc-status:0" in answer.content
