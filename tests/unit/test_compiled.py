"""A compiled pipeline as data: what is read of it, and what is refused."""

from pathlib import Path

import pytest
import yaml

from parivision.errors import SettingsError
from parivision.kubeflow.compiled import Compiled, compiled_file


@pytest.fixture
def training() -> Compiled:
    """The committed pipeline `training`."""
    return Compiled.read(compiled_file("training"))


def test_tasks_are_those_that_run_with_their_titles(training: Compiled) -> None:
    """Conditions are no tasks; trainings are told apart by their titles."""
    titles = [task.title for task in training.tasks()]
    assert len(titles) == len(set(titles)) == 13
    assert {"ingest", "train lightgbm", "train lightgbm_classic", "deploy"} <= set(titles)


def test_tasks_know_the_types_of_what_they_give(training: Compiled) -> None:
    """A parameter that a task wrote to a file can be read as what it is."""
    (promote,) = [task for task in training.tasks() if task.title == "promote"]
    assert promote.outputs == {
        "Output": "BOOLEAN",
        "version": "STRING",
        "family": "STRING",
        "reason": "STRING",
    }


def test_known_arguments_pass(training: Compiled) -> None:
    """What is given is taken as it is; the pipeline's defaults are left to KFP."""
    assert training.arguments({"seed": 3, "until": "2023-01-01"}) == {
        "seed": 3,
        "until": "2023-01-01",
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sauce": "x"}, "no parameter 'sauce'.*'source'"),
        ({"seed": "3"}, "seed is '3': expected int"),
        ({"seed": True}, "seed is True: expected int"),
        ({"source": 7}, "source is 7: expected str"),
    ],
)
def test_other_arguments_are_refused_with_what_was_expected(
    training: Compiled, given: dict[str, object], says: str
) -> None:
    """A slip in a parameter's name or type shows before anything runs."""
    with pytest.raises(SettingsError, match=says):
        training.arguments(given)


def test_without_retries_nothing_else_changes(training: Compiled) -> None:
    """What runs here differs from the committed file in the retries alone."""
    here = list(yaml.safe_load_all(training.without_retries()))
    committed = list(yaml.safe_load_all(compiled_file("training").read_text()))
    assert "retryPolicy" not in str(here)
    for component in (committed[0]["root"], *committed[0]["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            task.pop("retryPolicy", None)
    assert here == committed


@pytest.mark.parametrize(
    "image",
    [
        "registry.example:5000/parivision/components@sha256:" + "a" * 64,
        "localhost:30500/components:0.1.0-python3.11",
        "parivision/components:0.1.0",
    ],
)
def test_all_components_can_be_put_on_another_image(training: Compiled, image: str) -> None:
    """A digest or a version names what runs; nothing else of the pipeline changes."""
    moved = training.with_image(image)
    before = training.spec["deploymentSpec"]["executors"]
    assert {
        e["container"]["image"] for e in moved.spec["deploymentSpec"]["executors"].values()
    } == {image}
    (own,) = {executor["container"]["image"] for executor in before.values()}
    assert moved.text().replace(image, own) == training.text()


@pytest.mark.parametrize(
    "image",
    [
        *("", "components", "components:latest", "registry.example:5000/components"),
        *("components@sha256:0123", "a b:1", "components:1:2@sha256:" + "g" * 64),
    ],
)
def test_an_image_without_a_digest_or_a_version_is_refused(training: Compiled, image: str) -> None:
    """What a run was made with can be told later."""
    with pytest.raises(SettingsError, match=r"expected REPOSITORY@sha256:DIGEST or REPOSITORY:"):
        training.with_image(image)


def test_equal_pipelines_give_equal_text(training: Compiled) -> None:
    """The text depends on the content alone, and reads back as the same pipeline."""
    again = Compiled(training.name, tuple(yaml.safe_load_all(training.text())))
    assert again == training
    assert again.text() == training.text()


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "x: 1", "5"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is no compiled pipeline is named, with what to do."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"(?s)x\.yaml is no compiled .*make compile"):
        Compiled.read(path)


def test_a_missing_file_is_named() -> None:
    """A pipeline that does not exist gives the same kind of error."""
    with pytest.raises(SettingsError, match=r"baking\.yaml is no compiled pipeline"):
        Compiled.read(compiled_file("baking"))
