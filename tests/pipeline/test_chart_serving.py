"""The prediction service as the chart has it: its first champion, canaries, and scale."""

import re

import pytest
import yaml

from parivision import __version__
from parivision.verdict import Rules
from pipeline import charts
from pipeline.rendering import find, get, of_values, rendered

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")

HOOKS = (
    "confirm-rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "rollback",
    "post-rollout",
    "event",
)


def test_the_prediction_service_waits_for_its_first_champion() -> None:
    """Fresh from the chart it has no pods and the bare runtime; replacing pods loses none."""
    spec = get(rendered(), "Deployment", "shots")["spec"]
    assert spec["replicas"] == 0
    assert spec["template"]["spec"]["containers"][0]["image"] == f"parivision/serving:{__version__}"
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_flagger_owns_service_and_route_or_the_chart_does() -> None:
    """`global.canary.enabled`: never both, or each would undo what the other does."""
    for values, is_ours in (("default", False), ("alone", True)):
        objects = of_values(values)
        for kind in ("Service", "HTTPRoute"):
            assert (find(objects, kind, "shots") is not None) is is_ours, (values, kind)
        assert (find(objects, "Canary", "shots") is None) is is_ours
        assert (find(objects, "Deployment", "verdict") is None) is is_ours


def test_the_canary_waits_for_the_first_champion_and_asks_before_each_step() -> None:
    """Suspended while there is nothing to copy; the hooks are answered by the verdict service."""
    spec = get(rendered(), "Canary", "shots")["spec"]
    assert spec["suspend"] is True
    assert spec["analysis"]["stepWeights"] == [5, 25, 50]
    hooks = {hook["type"]: hook["url"] for hook in spec["analysis"]["webhooks"]}
    address = "http://parivision-verdict.parivision:8080"
    assert hooks == {hook: f"{address}/{hook}" for hook in HOOKS}
    service = get(rendered(), "Service", "verdict")["spec"]["ports"]
    assert [port["port"] for port in service] == [8080]


def test_a_canary_may_get_a_copy_of_the_traffic() -> None:
    """`shots.canary.shadow`: mirrored, without weights; and without an autoscaler none is named."""
    spec = get(of_values("schedules"), "Canary", "shots")["spec"]
    assert spec["analysis"]["mirror"] is True
    assert "stepWeights" not in spec["analysis"]
    assert "autoscalerRef" not in spec
    assert get(rendered(), "Canary", "shots")["spec"]["autoscalerRef"]["name"] == "parivision-shots"


def test_too_few_requests_are_no_value_for_flagger() -> None:
    """It halts where a query gives nothing: no data is never a pass."""
    for name in ("shots-success", "shots-p99"):
        query = get(rendered(), "MetricTemplate", name)["spec"]["query"]
        assert 'track="canary"' in query
        assert ">= 50)" in query
    checks = get(rendered(), "Canary", "shots")["spec"]["analysis"]["metrics"]
    assert [check["thresholdRange"] for check in checks] == [{"min": 99}, {"max": 500}]


def test_what_selects_the_serving_pods_finds_canary_and_primary() -> None:
    """Flagger renames the primary's pods: policies, monitors and spread go by another label."""
    objects = rendered()
    serves = {"parivision.dev/serves": "shots", "app.kubernetes.io/instance": "parivision"}
    template = get(objects, "Deployment", "shots")["spec"]["template"]
    assert serves.items() <= template["metadata"]["labels"].items()
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == serves
    policy = get(objects, "NetworkPolicy", "shots")["spec"]["podSelector"]["matchLabels"]
    assert policy == serves
    assert get(objects, "PodMonitor", "shots")["spec"]["selector"]["matchLabels"] == serves
    for name in ("shots", "shots-primary"):
        budget = get(objects, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        assert budget == serves | {"app.kubernetes.io/name": name}


def test_every_rule_of_the_verdict_can_be_set() -> None:
    """The schema knows the names of `Rules`, and the chart's values are rules."""
    folder = charts.CHART / "charts" / "verdict"
    schema = yaml.safe_load((folder / "values.schema.json").read_text())
    assert schema["properties"]["rules"]["properties"].keys() == Rules().to_dict().keys()
    rules = yaml.safe_load(get(rendered(), "ConfigMap", "verdict")["data"]["rules.json"])
    assert Rules.from_dict(rules).deadline_s == 14400


def test_a_pinned_user_stays_on_one_side() -> None:
    """By header or cookie; the route's conditions go before Flagger's, which has none."""
    rules = get(rendered(), "HTTPRoute", "shots-pinned")["spec"]["rules"]
    for rule, track in zip(rules, ("canary", "primary"), strict=True):
        assert [one["name"] for one in rule["backendRefs"]] == [f"parivision-shots-{track}"]
        header, cookie = (one["headers"][0] for one in rule["matches"])
        assert header == {"name": "x-parivision-track", "value": track}
        assert re.fullmatch(cookie["value"], f"a=b; parivision-track={track}; c=d")
        assert not re.fullmatch(cookie["value"], "x-parivision-track=other")


def test_the_prediction_service_is_scaled_or_not() -> None:
    """`shots.autoscaling.enabled`."""
    scaler = get(rendered(), "HorizontalPodAutoscaler", "shots")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    assert find(of_values("schedules"), "HorizontalPodAutoscaler", "shots") is None


def test_the_feed_may_be_the_lake() -> None:
    """`stats-api.archive`: then it has the reader's login and may ask MongoDB."""
    for values, is_lake in (("default", False), ("schedules", True)):
        spec = get(of_values(values), "Deployment", "stats-api")["spec"]["template"]["spec"]
        names = [one["name"] for one in spec["containers"][0]["env"]]
        assert ("PARIVISION_LAKE_FILE" in names) is is_lake
        egress = get(of_values(values), "NetworkPolicy", "stats-api")["spec"]["egress"]
        assert bool(egress) is is_lake


def test_the_first_champion_is_trained_or_not() -> None:
    """`pipelines.firstChampion.enabled`; its source is the values'."""
    arguments = ("--set", "pipelines.firstChampion.source=synthetic:?seed=9")
    job = get(rendered(*arguments), "Job", "first-champion")["spec"]["template"]["spec"]
    assert "synthetic:?seed=9" in job["containers"][0]["command"]
    assert find(of_values("kubeflow"), "Job", "first-champion") is None


def test_origins_and_hosts_are_named_where_they_are_listed() -> None:
    """`shots.corsOrigins` and `allowedHosts` reach the service; without them it is told nothing."""

    def environment(*values: str) -> dict[str, str]:
        done = charts.template(*values)
        assert done.returncode == 0, done.stderr
        pod = get((*charts.objects(done.stdout),), "Deployment", "shots")["spec"]["template"][
            "spec"
        ]
        return {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}

    assert not {"PARIVISION_CORS_ORIGINS", "PARIVISION_ALLOWED_HOSTS"} & environment().keys()
    listed = environment(
        "--set-json", 'shots.corsOrigins=["https://a.example","http://localhost:8501"]',
        "--set-json", 'shots.allowedHosts=["*.example","shots"]',
    )  # fmt: skip
    assert listed["PARIVISION_CORS_ORIGINS"] == "https://a.example,http://localhost:8501"
    assert listed["PARIVISION_ALLOWED_HOSTS"] == "*.example,shots"
    for wrong in ('shots.corsOrigins=["a.example/x"]', 'shots.allowedHosts=["https://a"]'):
        assert charts.template("--set-json", wrong).returncode
