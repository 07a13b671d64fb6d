"""What the retraining service may do, decided by a real Kubernetes API with the chart's objects."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parivision.kubernetes import CronJobRuns
from parivision.retraining.job_runner import JobRunner
from parivision.retraining.notices import Notice
from parivision.retraining.retrainer import Retrainer
from pipeline import charts, kube_apiserver
from pipeline.kube_apiserver import KubeApiserver
from pipeline.rendering import of_values
from waiting import wait_for

pytestmark = [
    pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`"),
    pytest.mark.skipif(kube_apiserver.programs() is None, reason=kube_apiserver.HOW_TO),
    pytest.mark.xdist_group("kube-apiserver"),
    # The API signs its own certificate; who asks from 127.0.0.1 does not look at it.
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
]
Object = dict[str, Any]

NAMESPACE, CRON_JOB = "parivision", "parivision-training"
SERVICE = f"system:serviceaccount:{NAMESPACE}:parivision-retraining"
PIPELINES = f"system:serviceaccount:{NAMESPACE}:parivision-pipelines"
NEEDED = {
    "CronJob": {CRON_JOB},
    "Role": {"parivision-retraining"},
    "RoleBinding": {"parivision-retraining"},
    "ValidatingAdmissionPolicy": {"parivision-parivision-retraining"},
    "ValidatingAdmissionPolicyBinding": {"parivision-parivision-retraining"},
}
NOTICE = Notice((("ParivisionDrift", "The shots moved: `x`; $(PARIVISION_POD)"),))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApiserver]:
    """The API with what the chart makes for the service; the policy is in force."""
    with kube_apiserver.running(tmp_path_factory.mktemp("kubernetes")) as server:
        made = server.create({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
        assert made.is_success, made.text
        for one in of_values("default"):
            if one["metadata"]["name"] in NEEDED.get(one["kind"], ()):
                assert (made := server.create(one)).is_success, made.text
        bad = job(server)
        bad["spec"]["template"]["spec"]["serviceAccountName"] = "default"
        wait_for(
            lambda: not server.create(bad, user=SERVICE, dry_run=True).is_success,
            "the policy in force",
        )
        # It refuses what it must, and has not lost sight of the CronJob either.
        wait_for(
            lambda: server.create(job(server), user=SERVICE, dry_run=True).is_success,
            "the CronJob known to the policy",
        )
        yield server


def job(server: KubeApiserver) -> Object:
    """A Job as the service makes it."""
    made: list[Object] = []

    class Recorded:
        """Reads the CronJob from the API, and keeps the Job."""

        read_namespaced_cron_job = server.batch("").read_namespaced_cron_job

        def create_namespaced_job(self, _: str, body: Object, **__: object) -> None:
            made.append(body)

    CronJobRuns(Recorded(), NAMESPACE, CRON_JOB).start(NOTICE.cause)
    return made[0]


def test_the_service_starts_one_training_and_sees_it(api: KubeApiserver) -> None:
    """The Job of an alert is taken as it is made, and is in the way of the next."""
    runner = JobRunner(CronJobRuns(api.batch(SERVICE), NAMESPACE, CRON_JOB))
    assert runner.past() == []
    decision = Retrainer(runner).answer(NOTICE)
    assert decision.may_start, decision.reason
    (run,) = runner.past()
    assert (run.name, run.has_ended) == (decision.run_id, False)
    again = Retrainer(runner).answer(NOTICE)
    assert (again.outcome, again.run_id) == ("running", run.name)
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{run.name}"
    pod = api.ask("GET", path).json()["spec"]["template"]
    assert pod["metadata"]["annotations"] == {"parivision.dev/cause": NOTICE.cause}


def _pod(change: Callable[[Object], object]) -> Callable[[Object], object]:
    return lambda job: change(job["spec"]["template"]["spec"])


def _container(change: Callable[[Object], object]) -> Callable[[Object], object]:
    return _pod(lambda pod: change(pod["containers"][0]))


OTHER_SECRET = {"name": "more", "secret": {"secretName": "parivision-mongodb-root"}}
FROM_SECRET = {
    "name": "MORE",
    "valueFrom": {"secretKeyRef": {"name": "parivision-mongodb-root", "key": "password"}},
}
CHANGES: dict[str, Callable[[Object], object]] = {
    "another Secret as a volume": _pod(lambda pod: pod["volumes"].append(OTHER_SECRET)),
    "the node's files": _pod(
        lambda pod: pod["volumes"].append({"name": "more", "hostPath": {"path": "/"}})
    ),
    "another Secret as a variable": _container(lambda one: one["env"].append(FROM_SECRET)),
    "all of a Secret as variables": _container(
        lambda one: one.update(envFrom=[{"secretRef": {"name": "parivision-mongodb-root"}}])
    ),
    "another command": _container(lambda one: one.update(command=["sh", "-c", "env"])),
    "more arguments": _container(lambda one: one.update(args=["--help"])),
    "another image": _container(lambda one: one.update(image="example.org/other:1")),
    "more rights in the container": _container(
        lambda one: one["securityContext"].update(allowPrivilegeEscalation=True)
    ),
    "a second container": _pod(lambda pod: pod["containers"].append({"name": "b", "image": "b:1"})),
    "a container before": _pod(
        lambda pod: pod.update(initContainers=[{"name": "b", "image": "b:1"}])
    ),
    "another account": _pod(lambda pod: pod.update(serviceAccountName="parivision-verdict")),
    "a node of its choice": _pod(lambda pod: pod.update(nodeName="node")),
    "another label": lambda job: job["spec"]["template"]["metadata"]["labels"].update(
        {"app.kubernetes.io/name": "mongodb"}
    ),
    "one more label": lambda job: job["spec"]["template"]["metadata"]["labels"].update(more="1"),
    "one more annotation": lambda job: job["spec"]["template"]["metadata"]["annotations"].update(
        more="1"
    ),
    "many pods": lambda job: job["spec"].update(parallelism=9, completions=9),
    "many tries": lambda job: job["spec"].update(backoffLimit=9),
    "no deadline": lambda job: job["spec"].pop("activeDeadlineSeconds"),
    "an end that is forgotten": lambda job: job["spec"].update(ttlSecondsAfterFinished=0),
    "no owner": lambda job: job["metadata"].pop("ownerReferences"),
    "another owner": lambda job: job["metadata"]["ownerReferences"][0].update(uid="other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_other_job_can_be_made_by_it(api: KubeApiserver, change: str) -> None:
    """Whoever holds the service's token gets no pod but the CronJob's: no Secret but its own."""
    wanted = job(api)
    other = copy.deepcopy(wanted)
    CHANGES[change](other)
    assert json.dumps(other) != json.dumps(wanted)
    refused = api.create(other, user=SERVICE, dry_run=True)
    assert refused.status_code == 403, refused.text
    assert "parivision-parivision-retraining" in refused.json()["message"]


def test_it_may_do_nothing_else(api: KubeApiserver) -> None:
    """No Secret is read, no template is changed, no Job is changed or taken away."""
    batch = f"/apis/batch/v1/namespaces/{NAMESPACE}"
    for method, path in (
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods"),
        ("GET", f"{batch}/cronjobs"),
        ("PATCH", f"{batch}/cronjobs/{CRON_JOB}"),
        ("DELETE", f"{batch}/jobs/any"),
        ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods"),
        ("POST", "/apis/batch/v1/namespaces/default/jobs"),
    ):
        assert api.ask(method, path, user=SERVICE).status_code == 403, f"{method} {path}"


def test_the_policy_looks_at_nobody_else(api: KubeApiserver) -> None:
    """Whoever administers the cluster makes the Jobs that they want."""
    other = job(api)
    CHANGES["another command"](other)
    # The service's own is called after the second that it is made in.
    other["metadata"]["name"] += "-by-hand"
    assert api.create(other, dry_run=True).is_success


def test_without_the_cron_job_nothing_is_made(api: KubeApiserver) -> None:
    """A Job whose template is gone belongs to nobody."""
    orphan = job(api)
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/{CRON_JOB}"
    before = api.ask("GET", path).json()
    assert api.ask("DELETE", path).is_success
    try:
        wait_for(
            lambda: "no params found" in api.create(orphan, user=SERVICE, dry_run=True).text,
            "the refusal",
        )
    finally:
        kept = {key: before["metadata"][key] for key in ("name", "namespace", "labels")}
        assert api.create({**before, "metadata": kept, "status": {}}).is_success
