"""What the verdict service answers over HTTP, without a server: hooks, page, JSON, metrics."""

import pydantic_core
import pytest

from asgi import Asker
from parivision import telemetry
from parivision.canary.app import create_app
from parivision.canary.loop import Loop
from parivision.canary.metrics import Exports
from rollout_stores import BAD, Model
from rollout_world import World

PAYLOAD = b'{"name": "parivision-shots", "namespace": "parivision", "phase": "Progressing"}'


@pytest.fixture
def world(tmp_path):
    """Version 1 serves."""
    return World(tmp_path)


@pytest.fixture
def ask(world):
    """Asks the service around the world's watcher."""
    app = create_app(world.watcher, Loop(world.watcher.step, every_s=1), Exports(world.watcher))
    asker = Asker(app)

    def asked(path, method="GET", body=b""):
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        start, *bodies = asker.exchange(scope, [{"type": "http.request", "body": body}])
        content = b"".join(message.get("body", b"") for message in bodies)
        headers = {k.decode(): v.decode() for k, v in start["headers"]}
        return start["status"], content.decode(), headers

    yield asked
    asker.close()


def hook(ask, name):
    """Status and body of a webhook."""
    status, body, _ = ask(f"/{name}", "POST", PAYLOAD)
    return status, body


def test_before_the_first_rollout_there_is_an_answer_to_everything(world, ask):
    """Alive and ready, an empty list, a page that says so, and no leave for anything."""
    world.step()
    assert ask("/healthz")[:2] == (200, "ok")
    assert ask("/readyz")[0] == 200
    assert ask("/rollouts")[1] == '{"rollouts":[]}'
    assert ask("/rollouts/current")[0] == 404
    assert "no rollout yet" in ask("/")[1]
    for name in ("confirm-traffic-increase", "confirm-promotion", "rollback"):
        assert hook(ask, name)[0] == 409


def test_a_rollout_may_begin_and_takes_its_first_step(world, ask):
    """Flagger's hooks get 200, with the reason; a rollback gets none."""
    world.deploy(Model(level=0.31))
    assert hook(ask, "confirm-rollout") == (200, "version 2 against 1")
    world.run(1)
    assert world.flagger.weight == 0.05
    world.step()
    status, reason = hook(ask, "confirm-promotion")
    assert status == 409
    assert "requests at this weight" in reason
    assert hook(ask, "rollback")[0] == 409


def test_a_failure_is_a_yes_to_the_rollback(world, ask):
    """With the reason that stands in the event."""
    world.deploy(BAD)
    assert world.run(30, until=lambda: hook(ask, "rollback")[0] == 200)
    assert hook(ask, "confirm-traffic-increase")[0] == 409
    assert hook(ask, "rollback")[1] == world.newest.condemned


@pytest.mark.parametrize("name", ["event", "post-rollout"])
def test_what_flagger_only_tells_is_taken(ask, name):
    """Whatever is in it."""
    assert hook(ask, name) == (200, "noted")


def test_a_rollout_is_shown_in_full(world, ask):
    """Weights, evidence and bounds over time as JSON; on the page as plots that load anew."""
    world.deploy(Model(level=0.31))
    world.run(3)
    status, body, _ = ask("/rollouts/current")
    assert status == 200
    found = pydantic_core.from_json(body)
    assert (found["version"], found["former"], found["stage"]) == ("2", "1", "judging")
    last = found["history"][-1]
    assert {"weight", "labelled", "low", "high", "requests_canary"} <= last.keys()
    assert {check["name"] for check in found["verdict"]["checks"]} >= {"quality", "parity"}
    _, page, headers = ask("/")
    assert page.count("<svg") == 3
    assert headers["refresh"] == "10"
    assert "Rollout of version 2 against 1" in page


def test_metrics_tell_of_it(world, ask):
    """By the names of `telemetry`; what is away is counted."""
    world.deploy(Model(level=0.31))
    world.run(3)
    world.prometheus_is_away = True
    world.step()
    text = ask("/metrics")[1]
    for name in (telemetry.ROLLOUT_WEIGHT, telemetry.ROLLOUT_LABELLED, telemetry.ROLLOUT_CHECK):
        assert f"\n{name}" in text
    assert f"{telemetry.VERDICT_TROUBLES} 1.0" in text
    assert f'{telemetry.ROLLOUTS}{{outcome="rolled_back"}} 0.0' in text
