"""Settings: defaults, what is refused, and that the README lists them all."""

import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision import settings
from parivision.errors import SettingsError
from parivision.settings import CREDENTIALS, Settings
from parivision.settings.logins import Login

NAMES = [str(field.alias) for field in Settings.model_fields.values()]
PLACES = ("cache", "models", "pipeline_runs", "reports", "bentos", "serving", "shots")
README = Path(__file__).parents[2] / "README.md"


def test_an_empty_environment_gives_the_defaults(tmp_path, monkeypatch):
    """Without settings everything lies in .parivision of the working folder."""
    monkeypatch.chdir(tmp_path)
    found = settings.read({})
    home = tmp_path / ".parivision"
    assert (found.home, found.lake, found.port, found.seed) == (home, str(home / "lake"), 3000, 0)
    assert found.tracking_uri == f"sqlite:///{home}/mlflow.db"
    assert found.artifacts == home / "mlartifacts"
    places = {getattr(found, name) for name in PLACES}
    assert len(places) == len(PLACES)
    assert all(path.is_relative_to(home) for path in places)
    assert not home.exists()


def test_given_values_are_used():
    """Each setting has its effect; a server keeps artifacts itself; an empty value is none."""
    found = settings.read(
        {
            "PARIVISION_HOME": "/srv/p",
            "PARIVISION_LAKE": "mongodb://u:p@host/db",
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "MLFLOW_TRACKING_USERNAME": "pipelines",
            "MLFLOW_TRACKING_PASSWORD": "word",
            "PARIVISION_PORT": "8080",
            "PARIVISION_SEED": "",
            "PARIVISION_PREDICTION_LOG": "mongodb://u:p@host/log",
            "PARIVISION_SPILL": "/spill",
            "PARIVISION_SPILL_MB": "64",
            "PARIVISION_TRACK": "canary",
            "PARIVISION_IMAGES_PUSH": "http://registry:5000/shots",
            "PARIVISION_IMAGES_PULL": "localhost:30500/shots",
            "PARIVISION_IMAGES_USERNAME": "pusher",
            "PARIVISION_IMAGES_PASSWORD": "hush",
            "PARIVISION_RUNTIME_IMAGE": "serving:0.9",
            "PARIVISION_DEPLOYMENT": "shots/canary",
            "PARIVISION_DEPLOY_TIMEOUT_S": "60",
            "PARIVISION_KFP": "http://kfp:8888",
        }
    )
    assert found.home == Path("/srv/p")
    assert (found.lake, found.port, found.seed) == ("mongodb://u:p@host/db", 8080, 0)
    assert found.artifacts is None
    assert found.tracking_login == Login("pipelines", "word")
    assert (found.prediction_log, found.track) == ("mongodb://u:p@host/log", "canary")
    assert (found.spill, found.spill_mb) == (Path("/spill"), 64)
    assert found.images_push == "http://registry:5000/shots"
    assert found.images_pull == "localhost:30500/shots"
    assert (found.images_username, found.images_password) == ("pusher", "hush")
    assert (found.runtime_image, found.deployment) == ("serving:0.9", "shots/canary")
    assert (found.deploy_timeout_s, found.kfp) == (60, "http://kfp:8888")


def test_a_value_may_be_in_a_file(tmp_path):
    """As a Secret is mounted; the variable itself comes first, and a file that is not is said."""
    (tmp_path / "uri").write_text("mongodb://u:p@host/db\n")
    named = {"PARIVISION_LAKE_FILE": str(tmp_path / "uri")}
    assert settings.read(named).lake == "mongodb://u:p@host/db"
    assert settings.read({**named, "PARIVISION_LAKE": "/lake"}).lake == "/lake"
    assert settings.read({}).tracking_login is None
    with pytest.raises(SettingsError, match="key of a Secret"):
        settings.read({"PARIVISION_SEED_FILE": str(tmp_path / "none")})


def test_the_home_may_be_that_of_the_user():
    """A tilde is the user's home."""
    assert settings.read({"PARIVISION_HOME": "~/p"}).home == Path("~/p").expanduser()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARIVISION_PORT", "0"),
        ("PARIVISION_PORT", "65536"),
        ("PARIVISION_PORT", "http"),
        ("PARIVISION_PORT", "-1"),
        ("PARIVISION_PORT", " "),
        ("PARIVISION_PORT", "²"),
        ("PARIVISION_PORT", "1" * 5000),
        ("PARIVISION_SEED", "1.5"),
        ("PARIVISION_SEED", str(2**31)),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    """The error names the setting, what it is, and what was expected."""
    with pytest.raises(SettingsError, match=rf"{name} is '.*': expected a whole number from"):
        settings.read({name: value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PARIVISION_TRACK", "baseline", "primary, canary or shadow"),
        ("PARIVISION_PREDICTION_LOG", "served", "/a/whole/path or mongodb://"),
        ("PARIVISION_DEPLOYMENT", "parivision-shots", "NAMESPACE/NAME"),
        ("PARIVISION_DEPLOYMENT", "a/b/c", "NAMESPACE/NAME"),
        ("PARIVISION_DEPLOYMENT", "Parivision/shots", "NAMESPACE/NAME"),
        ("PARIVISION_IMAGES_PUSH", "localhost:30500/shots", "http://HOST:PORT/REPOSITORY"),
        ("PARIVISION_IMAGES_PUSH", "http://localhost:30500", "http://HOST:PORT/REPOSITORY"),
        ("PARIVISION_IMAGES_PUSH", "http://localhost:30500/shots:1", "http://HOST:PORT/REPOSITORY"),
    ],
)
def test_a_value_of_another_form_is_refused(name, value, expected):
    """A Deployment has a namespace and a name; a repository has a scheme and no tag."""
    with pytest.raises(SettingsError, match=rf"{name} is {value!r}: expected {expected}"):
        settings.read({name: value})


def test_no_password_is_shown():
    """Neither an error nor the settings as text show what may be secret."""
    with pytest.raises(SettingsError) as refused:
        settings.read({"PARIVISION_IMAGES_PUSH": "http://user:hush@host/shots"})
    secret = {
        "PARIVISION_LAKE": "mongodb://user:hush@host/db",
        "PARIVISION_PREDICTION_LOG": "mongodb://user:hush@host/db",
        "MLFLOW_TRACKING_URI": "http://user:hush@host",
        "MLFLOW_TRACKING_PASSWORD": "hush",
        "PARIVISION_IMAGES_PASSWORD": "hush",
    }
    assert "hush" not in str(refused.value)
    assert "hush" not in repr(settings.read(secret))


def test_pydantic_settings_logs_no_value(caplog, monkeypatch):
    """Its log for debugging has the values of every source; of this one it has their number."""
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    caplog.set_level(logging.DEBUG)
    settings.read({"PARIVISION_ALERTS_TOKEN": "hush"})
    assert "EnvironmentSource: <1 settings>" in caplog.text
    assert "hush" not in caplog.text


def test_every_credential_is_marked():
    """What sounds like one is in the list that the redactor is given."""
    sounding = re.compile("PASSWORD|TOKEN|USERNAME|URI|LAKE|LOG|PUSH|PROMETHEUS|KFP$|KFP_UI$")
    assert {name for name in NAMES if sounding.search(name)} == CREDENTIALS.keys()


def test_a_pod_is_known_by_what_kubernetes_sets():
    """The target `auto` asks this."""
    assert settings.read({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}).is_in_cluster
    assert not settings.read({}).is_in_cluster


def test_in_the_pod_of_a_task_nothing_is_kept_by_default(tmp_path):
    """A lake or a registry in the pod's own file system would be lost with it, unnoticed."""
    found = settings.read({"PARIVISION_POD": "etl-1", "PARIVISION_HOME": str(tmp_path)})
    assert (found.lake, found.tracking_uri) == ("", "")
    assert settings.read({"PARIVISION_POD": "etl-1", "PARIVISION_LAKE": "/lake"}).lake == "/lake"


@pytest.mark.parametrize("value", ["~nobody-of-that-name/p", "a\0b"])
def test_a_home_that_cannot_be_is_refused(value):
    """A folder that cannot be resolved is an error that names the setting."""
    with pytest.raises(SettingsError, match=r"PARIVISION_HOME is .*expected a folder"):
        settings.read({"PARIVISION_HOME": value})


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12)))
def test_any_environment_is_read_or_refused(environment):
    """No value raises anything but a SettingsError, and what was read gives itself to a child."""
    try:
        found = settings.read(environment)
    except SettingsError:
        return
    assert settings.read(settings.as_environment(found)) == found


def test_settings_are_passed_on_whole():
    """A child process is given every setting."""
    assert settings.as_environment(settings.read({})).keys() == set(NAMES)


@pytest.mark.parametrize("field", Settings.model_fields.values(), ids=lambda field: field.alias)
def test_the_readme_lists_every_setting(field):
    """The README's table has a row with each setting and its default."""
    rows = [
        line for line in README.read_text().splitlines() if line.startswith(f"| `{field.alias}`")
    ]
    assert len(rows) == 1
    assert field.default_factory or field.default == () or str(field.default) in rows[0]
    assert field.description
