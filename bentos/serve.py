"""Runs a Bento as one process: the runtime image's entry point, and what `parivision deploy` runs.

`bentoml serve` is two processes, of which one only watches the other, each imports everything, and
a service that cannot load its model is started again for ever. In a pod Kubernetes does the
watching: the process ends with a sentence and an exit code, and it is ready in half the time.
The answers are the same; it is the same application, on connections of its own
(`parivision.serving.protocol`).
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

PORT = 3000


def main() -> None:
    """Serve the Bento of the command line until SIGTERM, then finish what is being answered."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bento", type=Path, help="the Bento's folder")
    parser.add_argument("--packages", type=Path, help="pins of what is installed, one a line")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a pod's network is its own
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    require_bento(options.bento)
    if options.packages:
        require_packages(options.bento, options.packages)
    serve(options.bento.resolve(), options.host, options.port)


def require_bento(bento: Path) -> None:
    """End with a sentence when there is no Bento."""
    if not (bento / "bento.yaml").is_file():
        sys.exit(
            f"There is no Bento at {bento}: this is the runtime image alone. "
            "`parivision package --push` makes the champion's image from it."
        )


def require_packages(bento: Path, installed: Path) -> None:
    """End with a sentence when the Bento needs other packages than the image has.

    A model may load on another version and answer with other numbers.
    """
    needed = (bento / "env" / "python" / "requirements.txt").read_text().split()
    missing = sorted(set(needed) - set(installed.read_text().split()))
    if missing:
        sys.exit(
            f"This image lacks what the Bento at {bento} was made for: {', '.join(missing)}. "
            "Build the runtime image and the components' image from the same requirements.lock."
        )


def serve(bento: Path, host: str, port: int) -> None:
    """Run BentoML's application in this process."""
    import bentoml

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    service: Any = bentoml.load(str(bento), standalone_load=True)
    for variable in service.envs:
        os.environ.setdefault(variable.name, variable.value)
    # The Bento brings its own; it can be imported only now.
    from parivision.serving import server

    app, _, _ = service.mount_apps[0]
    server.serve(app, service.to_asgi(), host, port)


if __name__ == "__main__":
    main()
