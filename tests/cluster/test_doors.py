"""Everything that people look at, at the address of the predictions, each part with its login."""

from collections.abc import Iterator

import httpx
import pytest

from cluster import helm_release
from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for

OPERATED = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "rollouts": "/readyz"}
SHOT = {"player_id": 201939, "period": 4, "clock_s": 24, "x_ft": -22.5, "y_ft": 3}
PROGRAMMED_S = 60
"""How long Envoy may take to know a new policy."""
CLIENTS = "doors-test-clients"
KEY = "doors-test-key-0123456789abcdef"
A_MINUTE = 20


@pytest.mark.parametrize("part", OPERATED)
def test_a_part_without_users_asks_for_the_operators_login(
    part: str, gateway_url: str, http: httpx.Client, operators: tuple[str, str]
) -> None:
    """Nobody gets in without it or with a wrong one; who has it does."""
    url = f"{gateway_url}/{part}{OPERATED[part]}"
    assert http.get(url).status_code == httpx.codes.UNAUTHORIZED
    assert http.get(url, auth=("operator", "wrong")).status_code == httpx.codes.UNAUTHORIZED
    assert http.get(url, auth=operators).status_code == httpx.codes.OK


def test_the_folder_of_a_part_is_found_without_its_slash(
    gateway_url: str, http: httpx.Client, operators: tuple[str, str]
) -> None:
    """At the same host and port, by whoever may come in."""
    answer = http.get(f"{gateway_url}/prometheus", auth=operators)
    assert answer.status_code == httpx.codes.FOUND
    assert answer.headers["location"].removeprefix(gateway_url) == "/prometheus/"


def test_mlflow_asks_for_its_own_users(
    cluster: LiveCluster, gateway_url: str, http: httpx.Client
) -> None:
    """Its pages and its API; a page of it may post from this address."""
    reader = cluster.login("parivision-mlflow-reader")
    url = f"{gateway_url}/mlflow/"
    assert http.get(url).status_code == httpx.codes.UNAUTHORIZED
    page = http.get(url, auth=reader)
    assert page.status_code == httpx.codes.OK
    assert "MLflow" in page.text
    found = http.post(
        f"{url}ajax-api/2.0/mlflow/experiments/search",
        json={"max_results": 5},
        headers={"Origin": gateway_url},
        auth=reader,
    )
    assert found.status_code == httpx.codes.OK, found.text
    assert found.json()["experiments"]


def test_flaggers_questions_are_not_asked_through_the_gateway(
    gateway_url: str, http: httpx.Client, operators: tuple[str, str]
) -> None:
    """A POST there ends at the prediction service, which has no such path."""
    answer = http.post(f"{gateway_url}/rollouts/confirm-rollout", json={}, auth=operators)
    assert answer.status_code == httpx.codes.NOT_FOUND


@pytest.fixture
def keys(cluster: LiveCluster, gateway_url: str, http: httpx.Client) -> Iterator[None]:
    """Keys asked for, and few requests a minute; both are taken away again."""
    given = f"""
apiVersion: v1
kind: Secret
metadata: {{name: {CLIENTS}, namespace: {NAMESPACE}}}
stringData: {{analyst: {KEY}}}
"""
    cluster.kubectl("apply", "-f", "-", given=given)
    helm_values = [
        "gateway.access.apiKeys=" + CLIENTS,
        f"gateway.access.perClient.requests={A_MINUTE}",
    ]
    helm_values.append("gateway.access.perClient.unit=Minute")
    _upgrade(cluster, *helm_values)
    yield
    _upgrade(cluster, "gateway.access.apiKeys=", "gateway.access.perClient.requests=0")
    cluster.kubectl("delete", "secret", CLIENTS, "-n", NAMESPACE)
    # The tests that follow bear no key.
    wait_for(
        "predictions for everybody again",
        lambda: http.post(f"{gateway_url}/predict", json=SHOT).is_success,
        timeout_s=PROGRAMMED_S,
    )


def _upgrade(cluster: LiveCluster, *values: str) -> None:
    arguments = [word for value in values for word in ("--set", value)]
    helm_release.helm(
        cluster, "upgrade", RELEASE, str(helm_release.CHART), "--reuse-values", "--wait", *arguments
    )


def test_predictions_can_be_for_those_who_have_a_key(
    keys: None, champion: dict[str, object], gateway_url: str, http: httpx.Client
) -> None:
    """401 without it, 200 with it, 429 above the limit; and open again afterwards."""
    url = f"{gateway_url}/predict"

    def refused() -> bool:
        return http.post(url, json=SHOT).status_code == httpx.codes.UNAUTHORIZED

    wait_for("a request without a key refused", refused, timeout_s=PROGRAMMED_S)
    bearing = {"x-api-key": KEY}
    wrong = http.post(url, json=SHOT, headers={"x-api-key": "wrong"})
    assert wrong.status_code == httpx.codes.UNAUTHORIZED

    def limited() -> bool:
        statuses = [
            http.post(url, json=SHOT, headers=bearing).status_code for _ in range(A_MINUTE + 5)
        ]
        assert set(statuses) <= {httpx.codes.OK, httpx.codes.TOO_MANY_REQUESTS}, statuses
        return httpx.codes.TOO_MANY_REQUESTS in statuses

    assert champion
    wait_for("requests above the limit refused", limited, timeout_s=PROGRAMMED_S, poll_s=5)
