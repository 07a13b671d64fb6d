"""The command that serves the page for people.

It is a program too, `python -m parivision.cli.page`, which needs the page's packages only.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from parivision.cli import run
from parivision.errors import SettingsError
from parivision.settings.logins import read_key, read_login
from parivision.web import parts as known

commands = typer.Typer()

HERE = "127.0.0.1"
QUIET = (
    *("--server.headless", "true", "--browser.gatherUsageStats", "false"),
    # Streamlit would show every text that stands alone in the script, docstrings too.
    *("--runner.magicEnabled", "false"),
    *("--server.fileWatcherType", "none", "--client.toolbarMode", "viewer"),
)


@commands.command()
def app(
    service: Annotated[str, typer.Option(help="The prediction service.")] = "http://127.0.0.1:3000",
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; on 127.0.0.1 it may be left out.")
    ] = None,
    parts: Annotated[
        Path | None,
        typer.Option(help="JSON of the system's parts, to be shown with their health."),
    ] = None,
    mlflow_login: Annotated[
        Path | None,
        typer.Option(help="Folder with the files username and password of a reader of MLflow."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HERE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    base_path: Annotated[
        str, typer.Option(help="Path that it lies under behind a gateway, without slashes.")
    ] = "",
) -> None:
    """Serve the page on which a shot is asked about by clicking on a court."""
    if find_spec("streamlit") is None:
        raise SettingsError("streamlit is not installed here: install parivision[app]")
    if password_file is None and host != HERE:
        raise SettingsError(f"the page on {host} needs --password-file: others can reach it there")
    # Read here, where a mistake is one line; in the page it would come up at the first visit.
    if password_file is not None:
        read_key(password_file)
    if parts is not None:
        known.read(parts)
    if mlflow_login is not None:
        read_login(mlflow_login)
    script = Path(__file__).parents[1] / "web" / "main.py"
    words = [sys.executable, "-m", "streamlit", "run", str(script), *QUIET]
    words += ["--server.address", host, "--server.port", str(port)]
    words += ["--server.baseUrlPath", base_path, "--", service]
    words += [str(path.resolve()) if path else "" for path in (password_file, parts, mlflow_login)]
    # `execv` drops what is in Python's buffers.
    sys.stdout.flush()
    os.execv(sys.executable, words)  # noqa: S606 - the words are ours; signals reach Streamlit


if __name__ == "__main__":
    run(commands)
