"""`manifests/secrets.py`, against a kubectl that keeps what it is given in a folder."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest

SCRIPT = Path(__file__).parents[2] / "manifests" / "secrets.py"
NAMES = {
    "parivision-mongodb-root",
    "parivision-mongodb-monitor",
    "parivision-lake",
    "parivision-lake-reader",
    "parivision-prediction-log",
    "parivision-mlflow-server",
    "parivision-mlflow",
    "parivision-mlflow-reader",
    "parivision-images",
    "parivision-images-pull",
    "parivision-slack",
    "parivision-retraining",
    "parivision-app",
    "parivision-grafana",
    "parivision-operators",
    "parivision-outcomes",
}
KUBECTL = r"""#!{python} -S
import base64, json, os, pathlib, sys

store = pathlib.Path(os.environ["FAKE_CLUSTER"])
arguments = sys.argv[1:]
with (store / "calls").open("a") as calls:
    calls.write(" ".join(arguments) + "\n")


def option(name):
    return arguments[arguments.index(name) + 1]


if arguments[:2] == ["get", "secrets"]:
    if option("--namespace") == "nowhere":
        sys.exit("namespaces \"nowhere\" not found")
    for path in sorted(store.glob(option("--namespace") + "--*.json")):
        print("secret/" + path.stem.partition("--")[2])
elif arguments[:2] == ["get", "secret"]:
    print((store / (option("--namespace") + "--" + arguments[2] + ".json")).read_text())
elif arguments == ["create", "--filename", "-"]:
    secret = json.load(sys.stdin)
    for key, value in secret.pop("stringData", {{}}).items():
        secret.setdefault("data", {{}})[key] = base64.b64encode(value.encode()).decode()
    meta = secret["metadata"]
    path = store / (meta["namespace"] + "--" + meta["name"] + ".json")
    if path.exists():
        sys.exit("already exists")
    path.write_text(json.dumps(secret))
else:
    sys.exit("unexpected: " + " ".join(arguments))
"""


class Cluster:
    """The folder of Secrets, and the script run on it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin" / "kubectl").write_text(KUBECTL.format(python=sys.executable))
        (folder / "bin" / "kubectl").chmod(0o755)

    def run(self, *arguments, given=""):
        """Run the script; gives the finished process."""
        environment = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "FAKE_CLUSTER": str(self.folder),
        }
        return subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def secrets(self, namespace="parivision"):
        """Every Secret of a namespace: its values by key, by its name."""
        found = {}
        for path in self.folder.glob(f"{namespace}--*.json"):
            data = json.loads(path.read_text())["data"]
            found[path.stem.partition("--")[2]] = {
                key: base64.b64decode(value).decode() for key, value in data.items()
            }
        return found


@pytest.fixture
def cluster(tmp_path):
    """A cluster without Secrets."""
    return Cluster(tmp_path)


def test_every_secret_is_made_and_no_value_is_shown(cluster):
    """Names go to stdout and to kubectl's arguments, values to its stdin only."""
    done = cluster.run()
    assert done.returncode == 0, done.stderr
    secrets = cluster.secrets()
    assert secrets.keys() == NAMES
    assert set(done.stdout.split()) - {"created"} == {f"parivision/{name}" for name in NAMES}
    calls = (cluster.folder / "calls").read_text()
    passwords = [
        value
        for values in secrets.values()
        for key, value in values.items()
        if "password" in key or "secret" in key
    ]
    assert len(passwords) == len(set(passwords)) == 13
    assert all(len(word) >= 12 for word in passwords)
    assert not [word for word in passwords if word in done.stdout + done.stderr + calls]


def test_what_holds_together_fits_together(cluster):
    """A URL has its user's password, and the registry knows the one that the nodes give."""
    cluster.run()
    secrets = cluster.secrets()
    lake = secrets["parivision-lake"]
    host = "parivision-mongodb.parivision.svc:27017/parivision"
    assert lake["uri"] == f"mongodb://lake:{lake['password']}@{host}"
    assert secrets["parivision-mlflow"]["uri"] == "http://parivision-mlflow.parivision.svc:5000"
    images = secrets["parivision-images"]
    name, _, hashed = images["htpasswd"].strip().partition(":")
    assert name == images["username"]
    assert bcrypt.checkpw(images["password"].encode(), hashed.encode())
    pull = json.loads(secrets["parivision-images-pull"][".dockerconfigjson"])
    login = base64.b64decode(pull["auths"]["localhost:30500"]["auth"]).decode()
    assert login == f"{images['username']}:{images['password']}"
    operators = secrets["parivision-operators"]
    name, _, hashed = operators[".htpasswd"].strip().partition(":{SHA}")
    assert name == operators["username"]
    sha1 = hashlib.new("sha1", operators["password"].encode(), usedforsecurity=False)
    assert base64.b64decode(hashed) == sha1.digest()
    assert images["push"] == "http://parivision-registry.parivision.svc:5000/shots"
    assert images["pull"] == "localhost:30500/shots"


def test_what_exists_is_never_changed(cluster):
    """The second run makes nothing; one Secret that was deleted is made anew, alone."""
    cluster.run()
    before = cluster.secrets()
    assert cluster.run().stdout == "nothing to create\n"
    (cluster.folder / "parivision--parivision-slack.json").unlink()
    assert cluster.run().stdout == "created parivision/parivision-slack\n"
    assert cluster.secrets() == before


def test_half_of_what_shares_a_password_is_refused(cluster):
    """The registry's user would have two passwords."""
    cluster.run()
    (cluster.folder / "parivision--parivision-images-pull.json").unlink()
    done = cluster.run()
    assert done.returncode == 1
    assert "delete parivision-images and run this again" in done.stderr


def test_the_webhook_can_be_given(cluster):
    """On stdin it is in no list of processes; without one alerts go to nobody."""
    done = cluster.run("--slack-url", "-", given="https://hooks.example/secret\n")
    assert done.returncode == 0, done.stderr
    assert cluster.secrets()["parivision-slack"] == {"url": "https://hooks.example/secret"}
    assert "hooks.example" not in done.stdout + (cluster.folder / "calls").read_text()


def test_the_runs_get_copies_of_what_they_need(cluster):
    """The same values in the namespace of Kubeflow's runs, and nothing that they do not need."""
    done = cluster.run("--runs-namespace", "kubeflow")
    assert done.returncode == 0, done.stderr
    ours, theirs = cluster.secrets(), cluster.secrets("kubeflow")
    assert theirs.keys() == {
        "parivision-lake",
        "parivision-mlflow",
        "parivision-images",
        "parivision-prediction-log",
    }
    assert all(ours[name] == values for name, values in theirs.items())
    assert cluster.run("--runs-namespace", "kubeflow").stdout == "nothing to create\n"


def test_another_installation_has_other_addresses(cluster):
    """Namespace, release and node port are in every address."""
    cluster.run("--namespace", "here", "--release", "mine", "--registry-node-port", "31000")
    secrets = cluster.secrets("here")
    assert "@mine-mongodb.here.svc:27017/" in secrets["parivision-lake"]["uri"]
    assert secrets["parivision-images"]["pull"] == "localhost:31000/shots"


def test_a_cluster_that_refuses_is_told(cluster):
    """What kubectl said is passed on, and nothing was made."""
    done = cluster.run("--namespace", "nowhere")
    assert done.returncode == 1
    assert 'namespaces "nowhere" not found' in done.stderr
