"""The script that Streamlit runs for each session: the door, then the page that was chosen.

Arguments: the prediction service's address, then the file with the password, that with the parts,
and the folder with a login to MLflow, each "" for none.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from parivision.errors import ServiceError
from parivision.serving.client import ServiceClient
from parivision.settings.logins import read_key, read_login
from parivision.web import home, model, shot
from parivision.web import parts as known
from parivision.web.login import Door
from parivision.web.reports import MlflowReports

PATIENCE_S: Final = 5.0


def page(service: str, password_file: str, parts_file: str = "", mlflow_login: str = "") -> None:
    """Draw the chosen page for one run of the script."""
    st.set_page_config(page_title="PariVision", page_icon=":basketball:")
    if password_file and not _is_in(password_file):
        return
    parts = known.read(Path(parts_file)) if parts_file else known.of_service(service)
    mlflow = known.find(parts, known.MLFLOW)
    login = read_login(Path(mlflow_login)) if mlflow_login else None
    reports = MlflowReports(mlflow.url, login) if mlflow else None
    model_page = _asking(service, partial(model.draw, parts=parts, reports=reports))
    shown = [
        st.Page(_asking(service, shot.draw), title="Shot", url_path="shot", default=True),
        st.Page(model_page, title="Model", url_path="model"),
        st.Page(lambda: home.draw(parts), title="Parts", url_path="parts"),
    ]
    st.navigation(shown, position="top").run()


def _asking(service: str, draw: Callable[[ServiceClient], None]) -> Callable[[], None]:
    """A page that asks the prediction service, and says so plainly when it does not answer."""

    def run() -> None:
        try:
            with ServiceClient(service, PATIENCE_S) as client:
                draw(client)
        except ServiceError as error:
            st.error(f"The prediction service does not answer: {error}")

    return run


def _is_in(password_file: str) -> bool:
    """Whether this session knows the password; else it is asked for it."""
    if st.session_state.get("is_in"):
        return True
    st.title("PariVision")
    door = _door(password_file)
    with st.form("login"):
        attempt = st.text_input("Password", type="password", key="password")
        is_sent = st.form_submit_button("Log in")
    if is_sent and door.opens(attempt):
        st.session_state["is_in"] = True
        st.rerun()
    if is_sent:
        wait = door.wait_s()
        later = f" Too many attempts: wait {wait:.0f} seconds." if wait else ""
        st.error(f"That is not the password.{later}")
    return False


@st.cache_resource
def _door(password_file: str) -> Door:
    # One for all sessions, as resources in Streamlit's cache are.
    return Door(read_key(Path(password_file)))


if __name__ == "__main__":
    page(*sys.argv[1:5])
