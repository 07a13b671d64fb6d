"""What browsers reach through the gateway, who is asked for a password, and who may predict."""

import json

import pytest

from pipeline import charts
from pipeline.rendering import Object, find, get, of_values, rendered

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")

OPERATORS = {"users": {"name": "parivision-operators"}}
# Parts that ask for users of their own need no other password.
OWN_LOGIN = {"mlflow": ("parivision-mlflow", 5000), "grafana": ("parivision-grafana", 3000)}
GATEWAY_LOGIN = {
    "prometheus": ("prometheus-operated", 9090),
    "alertmanager": ("alertmanager-operated", 9093),
    "rollouts": ("parivision-verdict", 8080),
}


def door(objects: tuple[Object, ...], part: str) -> tuple[Object, Object]:
    """The redirect to a part's folder, and the rule that leads into it."""
    first, second = get(objects, "HTTPRoute", f"{part}-door")["spec"]["rules"]
    return first, second


@pytest.mark.parametrize("part", [*OWN_LOGIN, *GATEWAY_LOGIN])
def test_a_part_is_reached_below_its_path(part: str) -> None:
    """The folder's slash is added, since pages name files relative to it; the part sees no path."""
    redirect, inside = door(rendered(), part)
    assert redirect["matches"] == [{"path": {"type": "Exact", "value": f"/{part}"}}]
    target = redirect["filters"][0]["requestRedirect"]["path"]
    assert target == {"type": "ReplaceFullPath", "replaceFullPath": f"/{part}/"}
    name, port = {**OWN_LOGIN, **GATEWAY_LOGIN}[part]
    assert inside["backendRefs"] == [{"name": name, "port": port}]
    assert inside["filters"][0]["urlRewrite"]["path"]["replacePrefixMatch"] == "/"


def test_what_knows_no_users_is_behind_the_operators_password() -> None:
    """And what has users of its own asks for one password only."""
    for part in GATEWAY_LOGIN:
        spec = get(rendered(), "SecurityPolicy", f"{part}-door")["spec"]
        assert spec["basicAuth"] == OPERATORS
        assert spec["targetRefs"][0]["name"] == f"parivision-{part}-door"
    for part in OWN_LOGIN:
        assert find(rendered(), "SecurityPolicy", f"{part}-door") is None


def test_rollouts_can_only_be_looked_at() -> None:
    """What Flagger posts to the verdict, nobody posts through the gateway."""
    _, inside = door(rendered(), "rollouts")
    assert [match["method"] for match in inside["matches"]] == ["GET"]


def test_kubeflows_pages_keep_their_path() -> None:
    """They know it; and the namespace that they are in agrees to the route."""
    objects = of_values("kubeflow")
    _, inside = door(objects, "pipeline")
    assert "filters" not in inside
    paths = [match["path"]["value"] for match in inside["matches"]]
    # A run's page asks for its artifacts at the root of the host.
    assert paths == ["/pipeline/", "/ml_metadata.MetadataStoreService"]
    backend = {"name": "ml-pipeline-ui", "namespace": "kubeflow", "port": 80}
    assert inside["backendRefs"] == [backend]
    assert get(objects, "SecurityPolicy", "pipeline-door")["spec"]["basicAuth"] == OPERATORS
    grant = get(objects, "ReferenceGrant", "pipeline-door")
    assert grant["metadata"]["namespace"] == "kubeflow"
    assert grant["spec"]["to"] == [{"group": "", "kind": "Service", "name": "ml-pipeline-ui"}]
    assert find(rendered(), "HTTPRoute", "pipeline-door") is None


def test_the_home_page_links_to_every_door() -> None:
    """Without anybody's help; an address of somebody's own goes before."""
    assert links(rendered()) >= {
        "/mlflow/",
        "/prometheus/",
        "/alertmanager/",
        "/rollouts/",
        "/grafana/",
    }
    assert "/pipeline/" in links(of_values("kubeflow"))
    own = links(of_values("schedules"))
    assert {"https://grafana.example.org", "https://mlflow.example.org"} <= own
    assert not links(of_values("alone")) - {""}


def links(objects: tuple[Object, ...]) -> set[str]:
    """What the page's parts are clicked on by."""
    parts = json.loads(get(objects, "ConfigMap", "app")["data"]["parts.json"])
    return {part["link"] for part in parts}


def test_without_doors_only_predictions_and_the_page_are_reached() -> None:
    """`global.gateway.doors=false` takes routes, logins and the way through the policies away."""
    closed = rendered("--set", "global.gateway.doors=false")
    routes = [one["metadata"]["name"] for one in closed if one["kind"] == "HTTPRoute"]
    assert sorted(routes) == ["parivision-app", "parivision-shots-pinned"]
    assert not [one for one in closed if one["kind"] == "SecurityPolicy"]
    for name in ("mlflow", "prometheus", "alertmanager", "verdict"):
        policy = get(closed, "NetworkPolicy", name)
        assert "envoy-gateway-system" not in json.dumps(policy["spec"]["ingress"]), name


def test_predictions_can_ask_who_comes() -> None:
    """`gateway.access`: keys, tokens and a limit; by default everybody may ask."""
    assert find(rendered(), "SecurityPolicy", "shots") is None
    assert "rateLimit" not in get(rendered(), "BackendTrafficPolicy", "shots")["spec"]
    asked = of_values("schedules")
    spec = get(asked, "SecurityPolicy", "shots")["spec"]
    routes = ["parivision-shots", "parivision-shots-pinned"]
    assert [target["name"] for target in spec["targetRefs"]] == routes
    assert spec["apiKeyAuth"]["credentialRefs"] == [{"name": "shots-clients"}]
    assert spec["apiKeyAuth"]["extractFrom"] == [{"headers": ["x-api-key"]}]
    (provider,) = spec["jwt"]["providers"]
    assert provider["issuer"] == "https://login.example.org"
    assert provider["remoteJWKS"] == {"uri": "https://login.example.org/keys"}
    (rule,) = get(asked, "BackendTrafficPolicy", "shots")["spec"]["rateLimit"]["local"]["rules"]
    assert rule["limit"] == {"requests": 50, "unit": "Second"}
    assert rule["clientSelectors"][0]["sourceCIDR"]["type"] == "Distinct"


def test_tokens_without_keys_to_check_them_are_refused() -> None:
    """A chart that let everybody in would be worse than none."""
    done = charts.template("--set", "gateway.access.jwt.issuer=https://login.example.org")
    assert done.returncode
    assert "name the issuer's keys" in done.stderr
