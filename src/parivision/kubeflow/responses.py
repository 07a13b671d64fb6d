"""What Kubeflow Pipelines answers, as data and messages: runs, recurring runs, and refusals.

Answers come as the objects of KFP's generated client; nothing here needs that client.
"""

import json
from typing import Any, Final

from parivision.kubeflow.runs import ENDED, Node, RunState
from parivision.kubeflow.schedule import RecurringRun, StoredRecurringRun, Trigger

_MESSAGE_CHARACTERS: Final = 500
_BROKEN_OFF: Final = ("RemoteDisconnected", "BadStatusLine", "Connection aborted", "reset by peer")
# The first that fits counts: a certificate of another name or time has failed to verify, too.
_SIGNS: Final = (
    (
        "mismatch",
        "its certificate is for another name: use an address that the certificate names",
    ),
    ("certificate has expired", "its certificate has expired: have it renewed"),
    ("not yet valid", "its certificate is not valid yet: check the clock here, and there"),
    (
        "certificate required",
        "it asks for a certificate of ours, which is not supported: use a token or cookies",
    ),
    (
        "certificate_verify_failed",
        "the authority that signed its certificate is not known: PARIVISION_KFP_CA_FILE names it",
    ),
    ("wrong_version_number", "this port is not encrypted: write http://"),
    ("record layer failure", "this port is not encrypted: write http://"),
    ("[ssl", "it does not speak TLS as expected here: is this the right port?"),
)
"""What stands in errors of the encryption, in small letters, and what to do then."""


def run_state(run: Any) -> RunState:
    """A run; one that has not ended has an end all the same at KFP, in 1970."""
    reference = run.pipeline_version_reference
    details = run.run_details.task_details if run.run_details else None
    return RunState(
        run_id=run.run_id,
        name=run.display_name or run.run_id,
        state=run.state or "PENDING",
        message=_message(run.error),
        nodes=tuple(_node(task) for task in details or []),
        pipeline_id=reference.pipeline_id if reference else "",
        created_at=run.created_at,
        finished_at=run.finished_at if run.state in ENDED else None,
    )


def _node(task: Any) -> Node:
    """A node; one that has not ended has an end all the same, in the year 1."""
    began, ended = task.start_time or task.create_time, task.end_time
    has_ended = ended is not None and ended.year > 1
    return Node(
        name=task.display_name or "",
        state=task.state or "PENDING",
        seconds=max(0.0, (ended - began).total_seconds()) if began and has_ended else 0.0,
        ended_at=ended if has_ended else None,
    )


def is_object(body: bytes) -> bool:
    """Whether an answer is a JSON object, as KFP's are, and not somebody's page."""
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _message(error: Any) -> str:
    return (error.message or "").strip() if error else ""


def recurring_run(run: Any) -> StoredRecurringRun:
    """A recurring run; whole numbers of 64 bits come as text."""
    trigger = run.trigger
    cron, period = (trigger.cron_schedule, trigger.periodic_schedule) if trigger else (None, None)
    reference = run.pipeline_version_reference
    return StoredRecurringRun(
        run.recurring_run_id,
        RecurringRun(
            name=run.display_name,
            pipeline_id=reference.pipeline_id if reference else "",
            version_id=reference.pipeline_version_id if reference else "",
            trigger=Trigger(
                cron.cron if cron else "", int(period.interval_second) if period else 0
            ),
            arguments=(run.runtime_config.parameters if run.runtime_config else None) or {},
            is_enabled=run.status != "DISABLED",
        ),
    )


def refusal_message(endpoint: str, status: int | None, body: object) -> str:
    """What a wrong answer means; the body may be KFP's JSON or anything else."""
    if status in (401, 403):
        return (
            f"{endpoint} refuses ({status}: {error_text(body)}): "
            "set KFP_EXISTING_TOKEN or KFP_COOKIES to what KFP asks for, and KFP_NAMESPACE to your "
            "namespace if it has many users"
        )
    if status == 404:
        return f"{endpoint} does not have what was asked for: {error_text(body)}"
    return f"{endpoint} answered {status}: {error_text(body)}"


def no_answer_message(endpoint: str, reason: str) -> str:
    """What it means that no answer came."""
    hint = next((hint for sign, hint in _SIGNS if sign in reason.lower()), "")
    # A server that expects TLS may hang up without a word on a request that is not encrypted.
    if not hint and endpoint.startswith("http:") and any(sign in reason for sign in _BROKEN_OFF):
        hint = "is it running, or is this an encrypted port, which needs https://?"
    return f"no answer from Kubeflow Pipelines at {endpoint} ({_short(reason)}): " + (
        hint or "is it running and its port forwarded?"
    )


def encryption_hint(text: str) -> str:
    """A hint where a server says that it was spoken to without encryption; else nothing."""
    is_https = "HTTPS server" in text or "HTTPS port" in text
    return ". This is an encrypted port: write https://" if is_https else ""


def error_text(body: object) -> str:
    """The sentence in an answer: KFP's `message` or `error`, or else its beginning."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        content = json.loads(text)
    except ValueError:
        return _short(text) or "without a word"
    if isinstance(content, dict):
        text = str(content.get("message") or content.get("error") or text)
    return _short(text)


def _short(text: str) -> str:
    """One line of it, not too long."""
    return " ".join(text.split())[:_MESSAGE_CHARACTERS]
