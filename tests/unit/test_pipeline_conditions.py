"""Conditions of the compiled pipelines: what they compare, and where the values come from.

Up to 2.18.0 KFP's local runner writes a value into the condition's text and evaluates the whole as
Python (GHSA-rhjm-6347-5x33). A text that somebody else can choose would then be code.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from parivision.kubeflow.compiled import FOLDER, Compiled

IMAGE = "parivision/components-python:"
COMPARISON = re.compile(r"inputs\.parameter_values\['(?P<input>[^']+)'\] == true")
FILES = sorted(FOLDER.glob("*.yaml"))

Json = dict[str, Any]


def conditions(spec: Json) -> Iterator[tuple[str, Json, list[Json]]]:
    """Each condition, the task that has it, and the DAGs around that task, the innermost first."""

    def below(dag: Json, around: list[Json]) -> Iterator[tuple[str, Json, list[Json]]]:
        for task in dag["tasks"].values():
            if condition := task.get("triggerPolicy", {}).get("condition"):
                yield condition, task, [dag, *around]
            inner = spec["components"][task["componentRef"]["name"]].get("dag")
            if inner is not None:
                yield from below(inner, [dag, *around])

    yield from below(spec["root"]["dag"], [])


def compared(spec: Json, condition: str, task: Json, around: list[Json]) -> tuple[Json, str]:
    """The executor whose output a condition compares with true, and the output's kind.

    Raises AssertionError for any other condition, and for a value that no component gave.
    """
    found = COMPARISON.fullmatch(condition)
    assert found, f"{condition!r} is not one input compared with true"
    source = task["inputs"]["parameters"][found["input"]]
    dag, *outer = around
    while name := source.get("componentInputParameter"):
        assert outer, f"{condition!r} compares the run's argument {name!r}"
        components = spec["components"]
        (holder,) = [
            each
            for each in outer[0]["tasks"].values()
            if components[each["componentRef"]["name"]].get("dag") is dag
        ]
        source = holder["inputs"]["parameters"][name]
        dag, *outer = outer
    output = source["taskOutputParameter"]
    producer = dag["tasks"][output["producerTask"]]["componentRef"]["name"]
    component = spec["components"][producer]
    kinds = component["outputDefinitions"]["parameters"]
    executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
    return executor, kinds[output["outputParameterKey"]]["parameterType"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_conditions_use_yes_or_no_of_the_projects_own_components(file) -> None:
    """No text can reach a condition, and nobody else's component, nor an argument of the run."""
    spec = Compiled.read(file).spec
    for condition, task, around in conditions(spec):
        executor, kind = compared(spec, condition, task, around)
        assert kind == "BOOLEAN", condition
        assert executor["container"]["image"].startswith(IMAGE), condition


def test_the_conditions_are_those_that_the_docs_name() -> None:
    """The walk finds every condition, those inside another's branch too."""
    found = {file.stem: len([*conditions(Compiled.read(file).spec)]) for file in FILES}
    written = {file.stem: file.read_text().count("condition: ") for file in FILES}
    assert found == written == {"etl": 0, "training": 1, "monitoring": 2}


def with_condition(condition: str, source: Json) -> Json:
    """The training pipeline with another condition, on another source."""
    spec = Compiled.read(FOLDER / "training.yaml").spec
    task = spec["root"]["dag"]["tasks"]["condition-1"]
    task["triggerPolicy"]["condition"] = condition
    task["inputs"]["parameters"]["value"] = source
    return spec


@pytest.mark.parametrize(
    ("condition", "source", "complaint"),
    [
        (
            "inputs.parameter_values['value'] == true",
            {"componentInputParameter": "target"},
            "the run's argument 'target'",
        ),
        ("inputs.parameter_values['value'] == 'yes'", {}, "not one input compared with true"),
    ],
)
def test_other_conditions_are_found(condition, source, complaint) -> None:
    """A condition on an argument of the run, or on a text, does not pass."""
    spec = with_condition(condition, source)
    ((condition, task, around),) = conditions(spec)
    with pytest.raises(AssertionError, match=complaint):
        compared(spec, condition, task, around)


def test_a_text_that_a_component_returns_is_no_yes_or_no() -> None:
    """The kind of the output is what the component declares."""
    output = {"producerTask": "promote", "outputParameterKey": "reason"}
    spec = with_condition(
        "inputs.parameter_values['value'] == true", {"taskOutputParameter": output}
    )
    ((condition, task, around),) = conditions(spec)
    assert compared(spec, condition, task, around)[1] == "STRING"
