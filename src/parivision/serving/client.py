"""Asking the champion's service: its predictions, its champion, whether it is ready."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import httpx

from parivision.errors import ServiceError

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_S: Final = 30.0
BATCH_SHOTS: Final = 5000
_GAME: Final = (
    "since_last_shot_s",
    "last_shot_own",
    "last_shot_made",
    "player_attempts",
    "player_makes",
)
_COLUMNS: Final = (
    "game_id",
    "event_id",
    "player_id",
    "period",
    "clock_s",
    "x_ft",
    "y_ft",
    "team_id",
    "home_team",
    "away_team",
    "shot_value",
    "action_type",
)


class ServiceClient:
    """A client of one service; use it as a context manager or close it.

    `url` is the service's address, such as http://127.0.0.1:3000. Proxies are not asked.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> "ServiceClient":
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def champion(self) -> dict[str, Any]:
        """The model that answers."""
        return self._json(self._ask("GET", "/champion"))

    def model(self) -> dict[str, Any]:
        """The model in full: features, age, and reliability as it was judged."""
        return self._json(self._ask("GET", "/model"))

    def players(self) -> list[dict[str, Any]]:
        """The newest season's shooters, the most active first (`answers.Player`)."""
        players: list[dict[str, Any]] = self._json(self._ask("GET", "/players"))["players"]
        return players

    def is_ready(self) -> bool:
        """Whether the service would answer predictions now."""
        try:
            return self._client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def metrics(self) -> str:
        """The counts in Prometheus's text format."""
        return self._ask("GET", "/metrics").text

    def predict_one(self, shot: Mapping[str, Any]) -> dict[str, Any]:
        """The prediction of one shot, with the model that made it."""
        return self._json(self._ask("POST", "/predict", json=dict(shot)))

    def predict(self, shots: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Predictions of shots in their order, asked for in batches."""
        predictions: list[dict[str, Any]] = []
        for start in range(0, len(shots), BATCH_SHOTS):
            batch = [dict(shot) for shot in shots[start : start + BATCH_SHOTS]]
            answer = self._json(self._ask("POST", "/predict", json={"shots": batch}))
            predictions += answer["predictions"]
        return predictions

    def explain(self, shot: Mapping[str, Any]) -> dict[str, Any]:
        """Why the service says what it says of one shot."""
        return self._json(self._ask("POST", "/explain", json=dict(shot)))

    def what_if(self, shots: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What is said of imagined shots, in their order; they are not logged."""
        asked = {"shots": [dict(shot) for shot in shots]}
        answered: list[dict[str, Any]] = self._json(self._ask("POST", "/what-if", json=asked))[
            "shots"
        ]
        return answered

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **content)
        except httpx.TransportError as error:
            raise ServiceError(
                f"no answer from {self.url}{path} ({error}): is the service running? "
                "Start it with `parivision deploy`"
            ) from error
        if response.is_error:
            raise ServiceError(
                f"{self.url}{path} answered {response.status_code}: {_sentence(response)}"
            )
        return response

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ServiceError(
                f"{response.url} did not answer with a JSON object: is it the right port?"
            )
        return content


def requests_of(shots: "pl.DataFrame") -> list[dict[str, Any]]:
    """What a request says about canonical shots, in the table's order.

    The state of the game before each shot is taken from the table: whole games should be passed.
    """
    from parivision.features.tables import facts_from_shots

    facts = facts_from_shots(shots)
    game = {name: getattr(facts, name).tolist() for name in _GAME}
    dates = [day.isoformat() for day in shots["game_date"].to_list()]
    records = shots.select(_COLUMNS).to_dicts()
    for row, record in enumerate(records):
        record["game_date"] = dates[row]
        for name, values in game.items():
            record[name] = _known(values[row])
    return [
        {name: value for name, value in record.items() if value not in (None, "")}
        for record in records
    ]


def _known(value: float) -> int | None:
    """A whole number, or None for NaN."""
    return int(value) if value == value else None  # noqa: PLR0124 - NaN is not itself


def _sentence(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
