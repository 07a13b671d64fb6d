"""Starts the server with its Secret in the environment of its process, not of its container.

MLflow asks for these in no other way, and a container's environment is what tools show.
"""

import os
import sys
from pathlib import Path

SECRET = Path("/secrets/parivision-mlflow-server")
KEYS = {
    "MLFLOW_AUTH_ADMIN_USERNAME": "admin-username",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "admin-password",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "flask-secret-key",
}
for variable, key in KEYS.items():
    os.environ[variable] = (SECRET / key).read_text()
os.execvp("mlflow", ["mlflow", "server", *sys.argv[1:]])  # noqa: S606, S607 - found on the PATH
