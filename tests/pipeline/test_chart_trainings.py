"""Trainings of the chart: by CronJobs, on Kubeflow Pipelines, and when an alert asks for one."""

from datetime import timedelta
from typing import Any

import pytest

from parivision.kubernetes.cron_jobs import INSTANCE, PIPELINE
from parivision.retraining.policy import RetrainingPolicy
from parivision.retraining.runner import ALSO_PROMOTES
from pipeline import charts
from pipeline.rendering import Object, find, get, of_values, rendered

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")


def test_a_private_authority_of_kubeflow_is_mounted_where_it_is_asked() -> None:
    """Exporter and retraining trust the Secret's ca.crt; without one nothing is mounted."""
    kubeflow = ("--set", "global.kfp.endpoint=https://ml-pipeline.kubeflow:8443")
    for name in ("exporter", "retraining"):
        pod = pod_of(get(rendered(*kubeflow), "Deployment", name))
        assert "PARIVISION_KFP_CA_FILE" not in str(pod)
        named = rendered(*kubeflow, "--set", "global.kfp.authority=kfp-authority")
        pod = pod_of(get(named, "Deployment", name))
        (container,) = pod["containers"]
        place = {"name": "PARIVISION_KFP_CA_FILE", "value": "/secrets/kfp-authority/ca.crt"}
        assert place in container["env"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["kfp-authority"] == "/secrets/kfp-authority"
        secrets = [
            volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume
        ]
        assert "kfp-authority" in secrets


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """The specification of a Deployment's pods."""
    return dict(deployment["spec"]["template"]["spec"])


def test_alerts_are_sent_where_they_arrive() -> None:
    """No message is tried to nobody; a chart rendered without a cluster is told of Slack."""
    quiet = rendered("--set", "global.retraining.enabled=false")
    (nobody,) = get(quiet, "AlertmanagerConfig", "parivision")["spec"]["receivers"]
    assert nobody == {"name": "nobody"}
    told = rendered("--set", "monitoring.alertmanager.messages=slack")
    spec = get(told, "AlertmanagerConfig", "parivision")["spec"]
    assert spec["route"]["receiver"] == "slack"
    (slack,) = [one for one in spec["receivers"] if one["name"] != "retraining"]
    assert slack["slackConfigs"][0]["apiURL"] == {"name": "parivision-slack", "key": "url"}


def test_retraining_is_there_unless_it_is_not_wanted() -> None:
    """Alertmanager is told of it where it is, and of nothing where it is not."""
    usual, kubeflow = rendered(), of_values("kubeflow")
    off = charts.CHART / "ci" / "kubeflow.yaml"
    unwanted = ("--set", "global.retraining.enabled=false")
    for objects, receivers in (
        (usual, ["retraining", "nobody"]),
        (rendered(*unwanted), ["nobody"]),
        (rendered("--values", str(off), *unwanted), ["nobody"]),
        (kubeflow, ["retraining", "nobody"]),
    ):
        spec = get(objects, "AlertmanagerConfig", "parivision")["spec"]
        assert [one["name"] for one in spec["receivers"]] == receivers
        assert (find(objects, "Deployment", "retraining") is None) == (
            "retraining" not in receivers
        )
    first, second = get(kubeflow, "AlertmanagerConfig", "parivision")["spec"]["route"]["routes"]
    assert first["continue"]  # people are told, too
    assert second["receiver"] == "nobody"
    service = get(kubeflow, "Service", "retraining")
    url = get(kubeflow, "AlertmanagerConfig", "parivision")["spec"]["receivers"][0]
    (port,) = service["spec"]["ports"]
    named = f"{service['metadata']['name']}.parivision.svc:{port['port']}"
    assert url["webhookConfigs"][0]["url"] == f"http://{named}/alerts"


def cron_jobs(objects: tuple[Object, ...]) -> dict[str, Object]:
    """The specifications of the CronJobs by the pipeline that they run."""
    jobs = [one for one in objects if one["kind"] == "CronJob"]
    return {job["metadata"]["name"].removeprefix("parivision-"): job["spec"] for job in jobs}


def test_pipelines_run_as_cron_jobs_where_there_is_no_kubeflow() -> None:
    """`pipelines.schedules.enabled`; without schedules the training's is a template and no more."""
    assert list(cron_jobs(of_values("default"))) == ["etl", "monitoring", "training"]
    assert not [job for job in cron_jobs(of_values("default")).values() if "suspend" in job]
    (template,) = cron_jobs(of_values("schedules")).items()
    assert (template[0], template[1]["suspend"]) == ("training", True)
    assert not cron_jobs(of_values("kubeflow"))
    neither = "pipelines.schedules.enabled=false,global.retraining.enabled=false"
    assert not cron_jobs(rendered("--set", neither))


def test_what_jobs_are_kept_is_memory_enough_for_the_policy() -> None:
    """The last success, and the failures that it takes to wait as long as the longest wait."""
    job = cron_jobs(of_values("default"))["training"]
    command = get(of_values("default"), "Deployment", "retraining")["spec"]["template"]["spec"]
    words = dict(word.lstrip("-").split("=") for word in command["containers"][0]["command"][2:])
    hours = {name: timedelta(hours=float(words[name])) for name in ("window", "longest")}
    policy = RetrainingPolicy(hours["window"], hours["longest"])
    assert job["successfulJobsHistoryLimit"] >= 1
    assert policy.wait(job["failedJobsHistoryLimit"]) == policy.longest
    assert "ttlSecondsAfterFinished" not in job["jobTemplate"]["spec"]


def test_the_retraining_service_finds_the_jobs_that_train() -> None:
    """The schedule's, those of alerts, and the first champion's, by one label."""
    objects = of_values("default")
    labels = [
        cron_jobs(objects)["training"]["jobTemplate"]["metadata"]["labels"],
        get(objects, "Job", "first-champion")["metadata"]["labels"],
    ]
    assert {one[PIPELINE] for one in labels} == {"training"}
    assert {one[INSTANCE] for one in labels} == {"parivision"}
    for name in ("etl", ALSO_PROMOTES):
        template = cron_jobs(objects)[name]["jobTemplate"]
        assert template["metadata"]["labels"][PIPELINE] == name
    words = get(objects, "Deployment", "retraining")["spec"]["template"]["spec"]["containers"][0]
    assert "--cron-job=parivision/parivision-training" in words["command"]


def test_who_may_make_jobs_is_held_to_the_template() -> None:
    """The policy looks at every Job of that account, by the CronJob that the service names."""
    objects = of_values("default")
    (role,) = [one for one in objects if one["kind"] == "Role" and "jobs" in str(one["rules"])]
    assert role["metadata"]["name"] == "parivision-retraining"
    verbs = {rule["resources"][0]: rule["verbs"] for rule in role["rules"]}
    assert verbs == {"cronjobs": ["get"], "jobs": ["list", "create"]}
    name = "parivision-parivision-retraining"
    policy = get(objects, "ValidatingAdmissionPolicy", name)["spec"]
    assert policy["failurePolicy"] == "Fail"
    (condition,) = policy["matchConditions"]
    assert '"system:serviceaccount:parivision:parivision-retraining"' in condition["expression"]
    binding = get(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]
    assert binding["policyName"] == name
    assert "Deny" in binding["validationActions"]
    assert binding["paramRef"]["name"] == "parivision-training"
    assert binding["paramRef"]["parameterNotFoundAction"] == "Deny"
    for values in ("kubeflow", "off"):
        assert not [one for one in of_values(values) if "Admission" in one["kind"]], values


def test_kubeflow_may_use_the_servers_and_roll_out() -> None:
    """`global.runsNamespaces` opens the policies, `pipelines.subjects` the Deployment."""
    usual, kubeflow = rendered(), of_values("kubeflow")
    for name in ("mongodb", "mlflow", "shots", "stats-api"):
        policy = get(kubeflow, "NetworkPolicy", name)["spec"]
        assert "kubeflow" in str(policy["ingress"]), name
        assert "kubeflow" not in str(get(usual, "NetworkPolicy", name)), name
    subjects = get(kubeflow, "RoleBinding", "pipelines")["subjects"]
    assert {(one["namespace"], one["name"]) for one in subjects} == {
        ("parivision", "parivision-pipelines"),
        ("kubeflow", "pipeline-runner"),
    }
