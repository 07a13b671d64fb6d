"""Creates the Secrets that the charts refer to, with random passwords: `make secrets`.

What exists is never changed: delete a Secret to have it made anew, and restart what uses it.
Values go to kubectl through stdin and nowhere else. It needs kubectl and a cluster it may write to.
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import bcrypt

PASSWORD_BYTES: Final = 24
NOWHERE: Final = "http://slack.invalid/"
"""An address that goes nowhere: the name can belong to nobody (RFC 2606)."""
RUNS: Final = (
    "parivision-lake",
    "parivision-mlflow",
    "parivision-images",
    "parivision-prediction-log",
)
"""The Secrets that the steps of Kubeflow's runs read, in the runs' namespace."""
DOCKER_CONFIG: Final = "kubernetes.io/dockerconfigjson"


@dataclass(frozen=True)
class Names:
    """What an installation is called, and what it is told."""

    namespace: str = "parivision"
    release: str = "parivision"
    registry_node_port: int = 30500
    slack_url: str = field(default=NOWHERE, repr=False)

    def host(self, service: str) -> str:
        """A service of the release as every pod of the cluster finds it."""
        return f"{self.release}-{service}.{self.namespace}.svc"

    @property
    def pulled_from(self) -> str:
        """The registry as the nodes find it."""
        return f"localhost:{self.registry_node_port}"


@dataclass(frozen=True)
class Secret:
    """A Secret's name, its values and its type."""

    name: str
    values: Mapping[str, str] = field(repr=False)
    type: str = "Opaque"

    def manifest(self, namespace: str) -> dict[str, Any]:
        """The Secret as Kubernetes takes it."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": self.type,
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/part-of": "parivision"},
            },
            "stringData": dict(self.values),
        }


def password() -> str:
    """A new random password, of characters that a URL takes as they are.

    The standard library's `secrets` would be this file, where it is run.
    """
    return os.urandom(PASSWORD_BYTES).hex()


def database(name: str, user: str, database: str) -> Callable[[Names], list[Secret]]:
    """A user of a database in MongoDB, and the database's URL with the user in it."""

    def make(names: Names) -> list[Secret]:
        word = password()
        url = f"mongodb://{user}:{word}@{names.host('mongodb')}:27017/{database}"
        return [Secret(name, {"username": user, "password": word, "uri": url})]

    return make


def mlflow(name: str, user: str) -> Callable[[Names], list[Secret]]:
    """A user of MLflow, and the server's address."""

    def make(names: Names) -> list[Secret]:
        url = f"http://{names.host('mlflow')}:5000"
        return [Secret(name, {"uri": url, "username": user, "password": password()})]

    return make


def mongodb_root(_: Names) -> list[Secret]:
    """Who makes the users of the lake."""
    return [Secret("parivision-mongodb-root", {"username": "root", "password": password()})]


def mongodb_monitor(_: Names) -> list[Secret]:
    """Who asks MongoDB for its numbers."""
    return [Secret("parivision-mongodb-monitor", {"username": "monitor", "password": password()})]


def mlflow_server(_: Names) -> list[Secret]:
    """Who makes the users of MLflow, and what its sessions are signed with."""
    values = {
        "admin-username": "admin",
        "admin-password": password(),
        "flask-secret-key": password(),
    }
    return [Secret("parivision-mlflow-server", values)]


def images(names: Names) -> list[Secret]:
    """The user of the registry: for those who push, for the server, and for the nodes."""
    user, word = "images", password()
    # The registry compares it at every request. A slow hash guards words that can be guessed: this
    # one cannot, and a push is thirty requests.
    hashed = bcrypt.hashpw(word.encode(), bcrypt.gensalt(rounds=4)).decode()
    login = base64.b64encode(f"{user}:{word}".encode()).decode()
    config = {"auths": {names.pulled_from: {"username": user, "password": word, "auth": login}}}
    values = {
        "username": user,
        "password": word,
        "push": f"http://{names.host('registry')}:5000/shots",
        "pull": f"{names.pulled_from}/shots",
        "htpasswd": f"{user}:{hashed}\n",
    }
    return [
        Secret("parivision-images", values),
        Secret("parivision-images-pull", {".dockerconfigjson": json.dumps(config)}, DOCKER_CONFIG),
    ]


def slack(names: Names) -> list[Secret]:
    """Where alerts go."""
    return [Secret("parivision-slack", {"url": names.slack_url})]


def retraining(_: Names) -> list[Secret]:
    """What Alertmanager bears when it asks for a retraining."""
    return [Secret("parivision-retraining", {"token": password()})]


def outcomes(_: Names) -> list[Secret]:
    """What who tells outcomes bears: models are judged by them."""
    return [Secret("parivision-outcomes", {"token": password()})]


def operators(_: Names) -> list[Secret]:
    """Who opens the pages that know no users of their own: the gateway asks for it."""
    user, word = "operator", password()
    # The only kind that Envoy compares. It guards a word that cannot be guessed.
    sha1 = hashlib.new("sha1", word.encode(), usedforsecurity=False)
    hashed = base64.b64encode(sha1.digest()).decode()
    values = {"username": user, "password": word, ".htpasswd": f"{user}:{{SHA}}{hashed}\n"}
    return [Secret("parivision-operators", values)]


def grafana(_: Names) -> list[Secret]:
    """Who opens the dashboards."""
    return [Secret("parivision-grafana", {"username": "admin", "password": password()})]


def app(_: Names) -> list[Secret]:
    """What opens the page."""
    return [Secret("parivision-app", {"password": password()})]


# Secrets that hold one password are made together, by the first name.
MAKERS: Final[Mapping[tuple[str, ...], Callable[[Names], list[Secret]]]] = {
    ("parivision-mongodb-root",): mongodb_root,
    ("parivision-mongodb-monitor",): mongodb_monitor,
    ("parivision-lake",): database("parivision-lake", "lake", "parivision"),
    ("parivision-lake-reader",): database("parivision-lake-reader", "lake-reader", "parivision"),
    # A database of its own: who predicts can neither read nor change the lake and the verdicts.
    ("parivision-prediction-log",): database(
        "parivision-prediction-log", "prediction-log", "predictions"
    ),
    ("parivision-mlflow-server",): mlflow_server,
    ("parivision-mlflow",): mlflow("parivision-mlflow", "pipelines"),
    ("parivision-mlflow-reader",): mlflow("parivision-mlflow-reader", "reader"),
    ("parivision-images", "parivision-images-pull"): images,
    ("parivision-slack",): slack,
    ("parivision-retraining",): retraining,
    ("parivision-outcomes",): outcomes,
    ("parivision-operators",): operators,
    ("parivision-grafana",): grafana,
    ("parivision-app",): app,
}


def kubectl(*arguments: str, given: str | None = None) -> str:
    """What kubectl answers; ends the program with what it said when it fails."""
    command = ["kubectl", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def existing(namespace: str) -> set[str]:
    """The names of the Secrets that are there."""
    listed = kubectl("get", "secrets", "--namespace", namespace, "--output", "name")
    return {line.partition("/")[2] for line in listed.split()}


def create(secret: Mapping[str, Any]) -> None:
    """Create a Secret; one that somebody made meanwhile is an error."""
    kubectl("create", "--filename", "-", given=json.dumps(secret))


def create_missing(names: Names) -> list[str]:
    """Create what is not there; returns its names. A half of a pair is refused."""
    there = existing(names.namespace)
    made: list[str] = []
    for pair, make in MAKERS.items():
        missing = set(pair) - there
        if not missing:
            continue
        if len(missing) < len(pair):
            sys.exit(
                f"of the Secrets {', '.join(pair)}, which share a password, only some exist: "
                f"delete {', '.join(sorted(set(pair) & there))} and run this again"
            )
        for secret in make(names):
            create(secret.manifest(names.namespace))
            made.append(secret.name)
    return made


def copy_missing(namespace: str, to: str) -> list[str]:
    """Copy the runs' Secrets to their namespace, as they are; returns the names of those copied."""
    there = existing(to)
    made: list[str] = []
    for name in RUNS:
        if name in there:
            continue
        found = json.loads(
            kubectl("get", "secret", name, "--namespace", namespace, "--output", "json")
        )
        copy = Secret(name, {}).manifest(to)
        del copy["stringData"]
        create({**copy, "data": found["data"]})
        made.append(name)
    return made


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--namespace", default="parivision", help="where the release is")
    parser.add_argument("--release", default="parivision", help="the release's name")
    parser.add_argument("--registry-node-port", type=int, default=30500)
    parser.add_argument(
        "--slack-url",
        default=NOWHERE,
        help="webhook for alerts; - reads it from stdin; default an address that goes nowhere",
    )
    parser.add_argument(
        "--runs-namespace",
        action="append",
        default=[],
        help="namespace of Kubeflow's runs, to get copies of what they need; may be given again",
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Create what is missing, and say its names."""
    given = parse(sys.argv[1:])
    url = sys.stdin.readline().strip() if given.slack_url == "-" else given.slack_url
    names = Names(given.namespace, given.release, given.registry_node_port, url)
    made = [f"{names.namespace}/{name}" for name in create_missing(names)]
    for namespace in given.runs_namespace:
        made += [f"{namespace}/{name}" for name in copy_missing(names.namespace, namespace)]
    sys.stdout.write("".join(f"created {name}\n" for name in made) or "nothing to create\n")


if __name__ == "__main__":
    main()
