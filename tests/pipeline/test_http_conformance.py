"""The table of `http_cases.yaml`, run against the process of the serving image."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from http_table import Answer, Case, Client, cases
from parivision.packaging import bento as package
from parivision.serving.openapi import SMALL_SHOT
from pipeline import serving_image
from pipeline.serving_image import Image

CASES = cases()
# What goes the direct way, and what goes the application's.
BODIES = {
    "/predict": json.dumps(SMALL_SHOT).encode(),
    "/outcomes": json.dumps({"game_id": 22200764, "event_id": 212, "made": False}).encode(),
}
NEXT = b"GET /livez HTTP/1.1\r\nHost: shots.example\r\n\r\n"
LARGE = 4000


@pytest.fixture(scope="module")
def image(small_bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The process, which runs on through all cases."""
    folder = tmp_path_factory.mktemp("conformance")
    bento = package.build(small_bundle_dir, version="1", store=folder / "bentoml")
    with serving_image.running(bento.path, folder, {}) as image:
        yield image


def check(image: Image, case: Case, path: str, cut: int) -> None:
    """Send a case, in pieces of so many bytes, and hold what comes to what it expects."""
    sent = case.filled(path, BODIES[path])
    with closing(Client(image.port)) as client:
        for start in range(0, len(sent), cut):
            client.send(sent[start : start + cut])
        if case.ends:
            client.end()
        methods = case.methods or ("POST",) * len(case.answers)
        for allowed, method in zip(case.answers, methods, strict=True):
            answer = client.answer(method)
            assert {answer.status, answer.status // 100} & {*allowed}, answer
            check_form(answer)
        if case.then == "closed":
            assert client.is_closed()
        if case.then == "open":
            client.send(NEXT)
            assert client.answer("GET").status == 200


def check_form(answer: Answer) -> None:
    """What every answer has, and that a refusal is a sentence in JSON."""
    if answer.status < 200:
        return
    assert "date" in answer.fields
    if answer.status == 204:
        assert "content-length" not in answer.fields
    if answer.status == 405:
        assert "allow" in answer.fields
    if answer.status >= 400 and answer.body:
        assert answer.fields["content-type"] == "application/json"
        assert len(json.loads(answer.body)["error"]) > 10


def test_the_table_is_large_and_names_its_sections() -> None:
    """A case is told by its name, and somebody decided it."""
    assert len(CASES) > 250
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.rfc.split()[0].isdigit() for case in CASES)


@pytest.mark.parametrize(
    ("case", "path"),
    [
        pytest.param(case, path, id=f"{case.name}, {path}")
        for case in CASES
        for path in BODIES
        if "{path}" in case.sent or path == "/predict"  # a case may be about a path of its own
    ],
)
def test_case(image: Image, case: Case, path: str) -> None:
    """What is right is answered, what is wrong is refused, and no byte is taken for another's."""
    check(image, case, path, 10**9)


@pytest.mark.parametrize("cut", [1, 7])
def test_however_it_is_cut(image: Image, cut: int) -> None:
    """How a request is cut into packets changes nothing."""
    failed = []
    for case in CASES:
        if len(case.filled("/predict", BODIES["/predict"])) < LARGE:
            try:
                check(image, case, "/predict", cut)
            except (AssertionError, OSError, ValueError) as error:
                failed.append(f"{case.name}: {error}")
    assert not failed


def test_refusals_are_counted_and_logged_in_few_lines(image: Image) -> None:
    """Hundreds of requests that are none make one line a minute, and one label in the metrics."""
    for _ in range(200):
        with closing(Client(image.port)) as client:
            client.send(b"?? \r\n\r\n")
            assert client.answer().status == 400
    text = image.get("/metrics").text
    counted = [line for line in text.splitlines() if 'route="other",status="400"' in line]
    assert len(counted) == 1
    assert float(counted[0].split()[-1]) >= 200
    log = image.log.read_text()
    assert log.count("refused") <= 4
    assert "Traceback" not in log
    assert "Invalid HTTP request" not in log
