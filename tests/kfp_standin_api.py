"""What the stand-in of Kubeflow Pipelines answers: API v2beta1 and its checks, logs, workflows."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import default
from typing import TYPE_CHECKING, Any

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

if TYPE_CHECKING:
    from kfp_standin import Standin

Json = dict[str, Any]
# KFP's client names the operations of filters by their numbers.
MATCHES = dict.fromkeys((1, "EQUALS"), str.__eq__) | {"IS_SUBSTRING": str.__contains__}
LISTS = {"page_token", "page_size", "sort_by", "filter", "namespace"}
ID = "([^/:]+)"
NATIVE = {"str": str, "bool": bool, "datetime": str, "int": int, "float": float, "object": object}


class ApiError(Exception):
    """An answer that is a refusal."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def now() -> str:
    """The time, as KFP writes it."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def text_at(server: "Standin", path: str, query: Json) -> str | None:
    """What is no JSON: the page of the user interface and the logs of pods; None for the rest."""
    if server.pages:
        if path == "/":
            return "<!doctype html>\n<html><head><title>Kubeflow Pipelines</title></head></html>"
        if path == "/k8s/pod/logs":
            return _log(server, query["runid"], query["podname"]) or _refuse(500, "no such pod")
        return None
    found = re.fullmatch(f"/apis/v1alpha1/runs/{ID}/nodes/{ID}/log", path)
    if found is None:
        return None
    # The API server has sent its 200 before it looks for the log.
    log = _log(server, *found.groups())
    return log or json.dumps({"error_message": "no such pod", "error_details": "no such pod"})


def _log(server: "Standin", run_id: str, pod: str) -> str:
    workflow = server.workflows.get(run_id)
    return workflow.logs.get(pod, "") if workflow else ""


def _refuse(status: int, message: str) -> str:
    raise ApiError(status, message)


def dispatch(
    server: "Standin", method: str, path: str, query: Json, body: bytes, headers: Any
) -> Json:
    """The answer to a request of API v2beta1."""
    if (old := re.fullmatch(f"/apis/v1beta1/runs/{ID}", path)) and server.has_v1beta1:
        return _get_run_of_old(server, old[1])
    prefix = "/apis/v2beta1/"
    if not path.startswith(prefix):
        raise ApiError(404, "Not Found")
    for wanted, pattern, allowed, handle in ROUTES:
        found = re.fullmatch(pattern, path.removeprefix(prefix))
        if found and wanted == method:
            if set(query) - allowed:
                raise ApiError(400, f"unknown query parameters {sorted(set(query) - allowed)}")
            if "multipart" in headers.get("Content-Type", ""):
                return handle(server, found.groups(), query, _file(body, headers))
            return handle(server, found.groups(), query, json.loads(body) if body else {})
    raise ApiError(404, f"there is no {method} {path}")


def _file(body: bytes, headers: Any) -> str:
    head = f"Content-Type: {headers['Content-Type']}\n\n".encode()
    (part,) = BytesParser(policy=default).parsebytes(head + body).iter_parts()
    if not str(part.get_filename()).endswith((".yaml", ".yml")):
        raise ApiError(400, f"unexpected pipeline file {part.get_filename()!r}")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def checked(body: Json, model: str) -> Json:
    """A body that fits a model of the API: known names, known kinds, known words."""
    _check(body, model, model)
    return body


def _check(value: Any, kind: str, where: str) -> None:
    if kind.startswith("list["):
        for item in value:
            _check(item, kind[5:-1], where)
    elif kind.startswith("dict("):
        if not isinstance(value, dict):
            raise ApiError(400, f"{where} is no object")
    elif kind in NATIVE:
        if not isinstance(value, NATIVE[kind]):
            raise ApiError(400, f"{where} is {value!r}: expected {kind}")
    else:
        _check_model(value, getattr(kfp_server_api, kind), where)


def _check_model(value: Any, model: Any, where: str) -> None:
    words = getattr(model, "allowable_values", None)
    if words is not None:
        if value not in words:
            raise ApiError(400, f"{where} is {value!r}: expected one of {words}")
        return
    kinds = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    for name, item in value.items():
        if name not in kinds:
            raise ApiError(400, f"{where} has no field {name!r}")
        # Protobuf's JSON takes numbers of 64 bits as text and as numbers.
        if (kind := kinds[name]) == "str" and isinstance(item, int):
            continue
        _check(item, kind, f"{where}.{name}")


def _page(server: "Standin", items: list[Json], query: Json, name: str) -> Json:
    """A page of what the filter lets through."""
    condition = "{}" if server.ignores_filters else query.get("filter") or "{}"
    for predicate in json.loads(condition).get("predicates", []):
        matches = MATCHES.get(predicate["operation"])
        if matches is None:
            raise ApiError(400, f"the filter {predicate} is not known here")
        key, text = predicate["key"], predicate["stringValue"]
        items = [item for item in items if matches(str(item.get(key)), text)]
    if query.get("sort_by") == "created_at desc":
        items = items[::-1]
    start, asked = int(query.get("page_token") or 0), int(query.get("page_size") or 10)
    # A server gives fewer than it is asked for when it likes.
    size = min(asked, server.page)
    answer: Json = {name: items[start : start + size], "total_size": len(items)}
    further = 0 if server.circles else start + size
    if server.circles or further < len(items):
        answer["next_page_token"] = str(further)
    return answer


def _healthz(server: "Standin", *_: Any) -> Json:
    return {"multi_user": server.multi_user}


def _create_pipeline(server: "Standin", _ids: Any, _query: Json, body: Json) -> Json:
    made = checked(body, "V2beta1Pipeline") | {"pipeline_id": server.new_id("pipeline")}
    if any(item["name"] == made["name"] for item in server.pipelines.values()):
        raise ApiError(409, f"the name {made['name']} is taken")
    server.pipelines[made["pipeline_id"]] = made | {"created_at": now()}
    return made


def _list_pipelines(server: "Standin", _ids: Any, query: Json, _body: Json) -> Json:
    return _page(server, list(server.pipelines.values()), query, "pipelines")


def _upload_version(server: "Standin", _ids: Any, query: Json, text: str) -> Json:
    if query.get("pipelineid") not in server.pipelines:
        raise ApiError(404, f"there is no pipeline {query.get('pipelineid')}")
    if query["name"] in server.names():
        raise ApiError(409, f"the name {query['name']} is taken")
    spec, platform = [*yaml.safe_load_all(text), {}][:2]
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise ApiError(400, str(error)) from error
    made = {
        "pipeline_id": query["pipelineid"],
        "pipeline_version_id": server.new_id("version"),
        "display_name": query["name"],
        "name": query["name"],
        "created_at": now(),
        "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform},
    }
    server.versions[made["pipeline_version_id"]] = made | {"text": text}
    return made


def _list_versions(server: "Standin", ids: Any, query: Json, _body: Json) -> Json:
    mine = [item for item in server.versions.values() if item["pipeline_id"] == ids[0]]
    shown = [{key: v for key, v in item.items() if key != "text"} for item in mine]
    return _page(server, shown, query, "pipeline_versions")


def _create_experiment(server: "Standin", _ids: Any, _query: Json, body: Json) -> Json:
    _check_namespace(server, body.get("namespace"))
    made = checked(body, "V2beta1Experiment") | {"experiment_id": server.new_id("experiment")}
    server.experiments[made["experiment_id"]] = made
    return made


def _list_experiments(server: "Standin", _ids: Any, query: Json, _body: Json) -> Json:
    _check_namespace(server, query.get("namespace"))
    return _page(server, list(server.experiments.values()), query, "experiments")


def _check_namespace(server: "Standin", namespace: str | None) -> None:
    if server.multi_user and not namespace:
        raise ApiError(400, "in multi-user mode a namespace is needed")
    if namespace and not server.multi_user:
        raise ApiError(400, "in single-user mode there is no namespace")


def _checked_job(server: "Standin", body: Json, model: str) -> Json:
    """A run or a recurring run whose experiment, version and parameters are known."""
    checked(body, model)
    if body.get("experiment_id") not in server.experiments:
        raise ApiError(404, f"there is no experiment {body.get('experiment_id')}")
    reference = body["pipeline_version_reference"]
    version = server.versions.get(reference["pipeline_version_id"])
    if version is None or version["pipeline_id"] != reference["pipeline_id"]:
        raise ApiError(404, f"there is no pipeline version {reference}")
    root = version["pipeline_spec"]["pipeline_spec"]["root"]
    known = root.get("inputDefinitions", {}).get("parameters", {})
    unknown = set(body["runtime_config"].get("parameters", {})) - set(known)
    if unknown:
        raise ApiError(400, f"unknown parameters {sorted(unknown)}")
    return body


def _create_run(server: "Standin", _ids: Any, _query: Json, body: Json) -> Json:
    run = _checked_job(server, body, "V2beta1Run")
    run |= {"run_id": server.new_id("run"), "state": "PENDING", "created_at": now()}
    run["finished_at"] = "1970-01-01T00:00:00Z"
    server.runs[run["run_id"]] = run
    server.engine(server, run)
    return run


def _list_runs(server: "Standin", _ids: Any, query: Json, _body: Json) -> Json:
    wanted = query.get("experiment_id")
    mine = [run for run in server.runs.values() if wanted in (None, run["experiment_id"])]
    return _page(server, [_shown(server, run) for run in mine], query, "runs")


def _get_run(server: "Standin", ids: Any, _query: Json, _body: Json) -> Json:
    if ids[0] not in server.runs:
        raise ApiError(404, f"Run {ids[0]} not found")
    run = server.runs[ids[0]]
    if frames := server.frames.get(ids[0]):
        server.set_state(run, *frames.pop(0))
    return _shown(server, run)


def _shown(server: "Standin", run: Json) -> Json:
    """A run, with what its workflow's nodes tell; a run that failed has no `error`."""
    workflow = server.workflows.get(run["run_id"])
    if workflow is None:
        return run
    return run | {"run_details": {"task_details": workflow.task_details(run["run_id"])}}


def _get_run_of_old(server: "Standin", run_id: str) -> Json:
    """A run as API v1beta1 has it: with the workflow, as text."""
    if run_id not in server.runs:
        raise ApiError(404, f"Run {run_id} not found")
    run, workflow = server.runs[run_id], server.workflows.get(run_id)
    runtime = {"workflow_manifest": workflow.manifest()} if workflow else {}
    return {"run": {"id": run_id, "name": run["display_name"]}, "pipeline_runtime": runtime}


def _create_recurring(server: "Standin", _ids: Any, _query: Json, body: Json) -> Json:
    made = _checked_job(server, body, "V2beta1RecurringRun")
    cron = made["trigger"].get("cron_schedule", {}).get("cron")
    if cron is not None and len(cron.split()) != 6:
        raise ApiError(400, f"{cron!r} is no cron expression of six fields")
    made |= {"recurring_run_id": server.new_id("recurring"), "status": "ENABLED"}
    if period := made["trigger"].get("periodic_schedule"):
        period["interval_second"] = str(period["interval_second"])
    server.recurring[made["recurring_run_id"]] = made
    return made


def _list_recurring(server: "Standin", _ids: Any, query: Json, _body: Json) -> Json:
    wanted = query.get("experiment_id")
    mine = [item for item in server.recurring.values() if item["experiment_id"] == wanted]
    return _page(server, mine, query, "recurringRuns")


def _delete_recurring(server: "Standin", ids: Any, query: Json, _body: Json) -> Json:
    if server.recurring.pop(ids[0], None) is None:
        raise ApiError(404, f"there is no recurring run {ids[0]}")
    if query.get("propagation_policy") != "ORPHAN":
        # Their workflows go with it, and nothing tells of their runs any more.
        lost = (run for run in server.runs.values() if run.get("recurring_run_id") == ids[0])
        server.lost.update(run["run_id"] for run in lost)
    return {}


Route = tuple[str, str, set[str], Callable[["Standin", Any, Json, Any], Json]]
UPLOAD = {"name", "display_name", "description", "pipelineid", "tags"}
ROUTES: list[Route] = [
    ("GET", "healthz", set(), _healthz),
    ("POST", "pipelines", set(), _create_pipeline),
    ("GET", "pipelines", LISTS, _list_pipelines),
    ("POST", "pipelines/upload_version", UPLOAD, _upload_version),
    ("GET", f"pipelines/{ID}/versions", LISTS - {"namespace"}, _list_versions),
    ("POST", "experiments", set(), _create_experiment),
    ("GET", "experiments", LISTS, _list_experiments),
    ("POST", "runs", {"experiment_id"}, _create_run),
    ("GET", "runs", LISTS | {"experiment_id"}, _list_runs),
    ("GET", f"runs/{ID}", {"experiment_id"}, _get_run),
    ("POST", "recurringruns", set(), _create_recurring),
    ("GET", "recurringruns", LISTS | {"experiment_id"}, _list_recurring),
    ("DELETE", f"recurringruns/{ID}", {"propagation_policy"}, _delete_recurring),
]
