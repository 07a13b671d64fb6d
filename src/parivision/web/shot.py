"""The page of a shot: a court to click on, and what the service says of it.

Raw facts go to the prediction service; no feature is computed here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st
import streamlit.components.v1 as components

from parivision.serving.client import ServiceClient
from parivision.shots.court import (
    ARC_ENDS_Y_FT,
    ARC_RADIUS_FT,
    BACKBOARD_Y_FT,
    BASELINE_Y_FT,
    CORNER_X_FT,
    FREE_THROW_CIRCLE_FT,
    FREE_THROW_Y_FT,
    HALF_WIDTH_FT,
    MIDCOURT_Y_FT,
    PAINT_HALF_WIDTH_FT,
    RESTRICTED_RADIUS_FT,
)
from parivision.shots.game_clock import PERIOD_S
from parivision.web import charts, heat

ACTIONS: Final = (
    *("not told", "Jump Shot", "Pullup Jump Shot", "Step Back Jump shot", "Fadeaway Jump Shot"),
    *("Layup Shot", "Driving Layup Shot", "Dunk Shot", "Hook Shot", "Tip Shot"),
)
SPOTS: Final = {
    "at the rim": (0.0, 1.0),
    "free-throw line": (0.0, FREE_THROW_Y_FT),
    "elbow three": (17.0, 17.5),
    "top of the arc": (0.0, 24.5),
    "left corner": (22.5, 2.0),
    "right corner": (-22.5, 2.0),
}
# How many of the busiest players the shot is given to instead.
OTHERS: Final = 5
_VIEW_FT: Final = 41.0
"""How much of the court is drawn, from the baseline on."""
# Where the shot is from at first.
_FIRST: Final = {"x_ft": 0.0, "y_ft": 24.5}


def draw(client: ServiceClient) -> None:
    """Draw it; raises ServiceError when the service does not answer."""
    st.title("Will it go in?")
    players = {player["player_id"]: player["name"] for player in client.players()}
    _take_click()
    # Right below the court, though the fields have to be drawn before it is known: on a phone it is
    # seen without scrolling.
    answer = st.container()
    shot = _asked(players)
    prediction = client.explain(shot)
    # First of all: a new input may end this run at the next thing it draws.
    _remember(shot, prediction)
    with answer:
        _answer(prediction, client.model()["known_for_days"])
    _why(prediction)
    _instead(client, shot, players)
    _heat_map(client, shot)
    _history(_named(players))


def _take_click() -> None:
    """Draw the court; where it was clicked goes into the fields."""
    state = st.session_state
    for name, value in _FIRST.items():
        state.setdefault(name, value)
    place = {"x_ft": state["x_ft"], "y_ft": state["y_ft"]}
    clicked = _court()(**place, view=_view(), lines=_lines(), key="court", default=None)
    if clicked and clicked != state.get("clicked"):
        state["clicked"] = clicked
        state["x_ft"], state["y_ft"] = float(clicked["x_ft"]), float(clicked["y_ft"])


def _asked(players: Mapping[int, str]) -> dict[str, Any]:
    """The facts of the shot, from the fields.

    `players` are the names by number, the most active first.
    """
    left, right = st.columns(2)
    shot: dict[str, Any] = {
        "x_ft": left.number_input(
            "Feet left of the hoop", -HALF_WIDTH_FT, HALF_WIDTH_FT, key="x_ft", step=0.5
        ),
        "y_ft": right.number_input("Feet from the hoop", -5.2, 88.0, key="y_ft", step=0.5),
        "player_id": left.selectbox(
            "Shooter", list(players) or [1], key="player_id", format_func=_named(players)
        ),
        "period": int(left.number_input("Period", 1, 8, key="period")),
        "clock_s": float(right.number_input("Seconds left", 0, PERIOD_S, 300, key="clock_s")),
    }
    action = right.selectbox("Action", ACTIONS, key="action")
    return shot if action == ACTIONS[0] else {**shot, "action_type": action}


def _named(players: Mapping[int, str]) -> Callable[[int], str]:
    """A player's name; a champion promoted before names were kept has numbers only."""
    return lambda number: players.get(number, f"player {number}")


@st.cache_resource
def _court() -> Any:
    return components.declare_component("court", path=str(Path(__file__).parent / "court"))


def _view() -> str:
    """The part of the court that is drawn, as an SVG `viewBox`."""
    return f"{-HALF_WIDTH_FT} {BASELINE_Y_FT} {2 * HALF_WIDTH_FT} {_VIEW_FT}"


def _lines() -> str:
    """The lines of the court that shots are judged by, as an SVG path."""
    side, base, paint, corner = HALF_WIDTH_FT, BASELINE_Y_FT, PAINT_HALF_WIDTH_FT, CORNER_X_FT
    near, arc, circle = RESTRICTED_RADIUS_FT, ARC_RADIUS_FT, FREE_THROW_CIRCLE_FT
    return " ".join(
        (
            f"M{-side} {MIDCOURT_Y_FT} V{base} H{side} V{MIDCOURT_Y_FT} Z",
            f"M{-paint} {base} V{FREE_THROW_Y_FT} H{paint} V{base}",
            f"M{-circle} {FREE_THROW_Y_FT} a{circle} {circle} 0 0 0 {2 * circle} 0",
            f"a{circle} {circle} 0 0 0 {-2 * circle} 0",
            f"M{-near} 0 A{near} {near} 0 0 0 {near} 0",
            f"M{-corner} {base} V{ARC_ENDS_Y_FT} A{arc} {arc} 0 0 0 {corner} {ARC_ENDS_Y_FT}",
            f"V{base} M-3 {BACKBOARD_Y_FT} H3",
        )
    )


def _answer(prediction: dict[str, Any], age_days: int | None) -> None:
    around = prediction["interval"]
    left, right = st.columns(2)
    left.metric("Probability", f"{prediction['p_made']:.1%}")
    right.metric("Expected points", f"{prediction['expected_points']:.2f}")
    if around:
        st.write(f"Shots like this go in {around['low']:.1%} to {around['high']:.1%} of the time.")
    else:
        st.write("No interval: this champion was promoted before its reliability was kept.")
    model = prediction["model"]
    who = f"{model['name']} {model['version']}, {model['family']}"
    age = "" if age_days is None else f", {age_days} days after the newest game that it knows"
    st.write(f"{prediction['zone']}; {who}{age}.")


def _why(prediction: dict[str, Any]) -> None:
    st.subheader("Why")
    st.table(
        [
            {"what": each["group"], "log odds": f"{each['log_odds']:+.2f}"}
            for each in prediction["contributions"]
        ]
    )


def _instead(client: ServiceClient, shot: dict[str, Any], players: Mapping[int, str]) -> None:
    """The same shot by other shooters and from other spots, in one request."""
    others = [player for player in players if player != shot["player_id"]][:OTHERS]
    spots = [{**shot, "x_ft": x_ft, "y_ft": y_ft} for x_ft, y_ft in SPOTS.values()]
    asked = [{**shot, "player_id": player} for player in others] + spots
    labels = [players[player] for player in others] + list(SPOTS)
    st.subheader("Instead")
    st.table(
        [
            {
                "shot": label,
                "probability": f"{prediction['p_made']:.1%}",
                "points": f"{prediction['expected_points']:.2f}",
            }
            for label, prediction in zip(labels, client.what_if(asked), strict=True)
        ]
    )


def _heat_map(client: ServiceClient, shot: dict[str, Any]) -> None:
    """Every place at once; asked for only by who wants to see it."""
    st.subheader("Everywhere")
    wanted = {"nothing": "", "expected points": "points", "more than the league": "more"}
    chosen = st.radio("Colour the court by", list(wanted), horizontal=True, key="colour")
    if chosen and wanted[chosen]:
        cells = heat.cells(client.what_if(heat.shots(shot)))
        st.altair_chart(charts.heat_map(cells, wanted[chosen]), height=320)
        st.write("With no action told; the league is a shooter that the model knows nothing of.")


def _remember(shot: dict[str, Any], prediction: dict[str, Any]) -> None:
    history = st.session_state.setdefault("history", [])
    row = {**shot, "p_made": prediction["p_made"], "expected_points": prediction["expected_points"]}
    if not history or history[-1] != row:
        history.append(row)


def _history(named: Callable[[int], str]) -> None:
    st.subheader("This session")
    st.table(
        [
            {
                "from": f"{row['x_ft']:g}, {row['y_ft']:g}",
                "shooter": named(row["player_id"]),
                "probability": f"{row['p_made']:.1%}",
            }
            for row in reversed(st.session_state["history"])
        ]
    )
