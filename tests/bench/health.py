"""Ask a service for its health, each time on a new connection, until stdin ends.

`python -m bench.health PORT`, a process of its own: in the one that makes the load it would wait
for its own interpreter. Prints the status and seconds of each answer as JSON.
"""

import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 0.2
Asked = list[tuple[int, float]]


@contextmanager
def watched(port: int) -> Iterator[Asked]:
    """Fills the list with what was seen meanwhile, at the end."""
    seen: Asked = []
    command = [sys.executable, "-m", "bench.health", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield seen
        said, _ = process.communicate()
    seen += json.loads(said)


def _ask(port: int) -> tuple[int, float]:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except OSError:
        status = 0
    finally:
        connection.close()
    return status, time.monotonic() - began


if __name__ == "__main__":
    found: Asked = []
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        found.append(_ask(int(sys.argv[1])))
    sys.stdout.write(json.dumps(found))
