"""From a request's body to the response's: predict, count and log. Bytes in, bytes out."""

import time
from dataclasses import dataclass

from parivision.prediction_log.lines import shot_ids
from parivision.prediction_log.records import new_id
from parivision.serving import answers, columns, lines, outcomes, what_if
from parivision.serving.logs import Logs
from parivision.serving.metrics import VersionCounters
from parivision.serving.predictor import Answer, Predictor
from parivision.serving.requests import parse_rows
from parivision.serving.shot import Rows, Shot
from parivision.serving.trace import NO_TRACE, Trace


@dataclass(frozen=True)
class RequestHandlers:
    """The handlers of one model, with its counts, and its logs if it keeps any."""

    predictor: Predictor
    counters: VersionCounters
    document: bytes
    logs: Logs | None
    outcomes_token: str = ""

    def answer(self, body: bytes, trace: Trace = NO_TRACE) -> bytes:
        """A shot, or some of them; raises Refusal, as all do that take a body."""
        request = parse_rows(body)
        if not isinstance(request, Rows):
            return self._answer_one(request, trace)
        answer, request_id = self._answer_rows(request, trace)
        return answers.of_shots(answer, shot_ids(request_id, 0, request.size), self.predictor)

    def answer_lines(self, block: list[bytes], done: int) -> bytes:
        """A block's lines; they are counted and not logged: nobody reports how millions ended."""
        text, answer = lines.answer(self.predictor, block, done)
        self.counters.predictions(answer.p_made, answer.zone)
        return text

    def infer(self, body: bytes, trace: Trace = NO_TRACE) -> bytes:
        """Shots as the Open Inference Protocol asks them."""
        request = columns.parse(body)
        answer, request_id = self._answer_rows(request.shots, trace)
        return columns.response(request, answer, self.predictor, request_id)

    def explained(self, body: bytes) -> bytes:
        """Why a shot's answer is what it is; neither counted nor logged, nobody takes it."""
        return what_if.explained(self.predictor, body)

    def what_if(self, body: bytes) -> bytes:
        """A shot with other facts; neither counted nor logged."""
        return what_if.what_if(self.predictor, body)

    def accept(self, body: bytes) -> bytes | None:
        """Take a body's outcomes; None when there is no room for them, or no log."""
        records = outcomes.parse(body, time.time())
        if self.logs is None or not self.logs.add_outcomes(records):
            return None
        return answers.as_json(answers.Accepted(accepted=len(records)))

    def _answer_one(self, shot: Shot, trace: Trace) -> bytes:
        answer = self.predictor.answer_one(shot)
        self.counters.prediction(answer.p_made, answer.zone)
        request_id = new_id()
        if self.logs is not None:
            self.logs.predicted(request_id, shot, answer.p_made, trace)
        return answers.of_one(answer, request_id, self.predictor)

    def _answer_rows(self, rows: Rows, trace: Trace) -> tuple[Answer, str]:
        """The answer to shots in columns, counted and logged, and the request's id."""
        answer = self.predictor.answer_rows(rows)
        self.counters.predictions(answer.p_made, answer.zone)
        # One id for all: a shot's is this and its row.
        request_id = new_id()
        if self.logs is not None:
            self.logs.predicted_many(request_id, rows.columns, answer.p_made, trace)
        return answer, request_id
