"""Asks for one prediction and checks that it is a probability.

Arguments: the service's address, and the seconds to try for: a network policy holds for a pod a
moment after it has started.
"""

import json
import sys
import time
import urllib.error
import urllib.request

shot = {"player_id": 201939, "period": 4, "clock_s": 24, "x_ft": -22.5, "y_ft": 3}
request = urllib.request.Request(
    f"{sys.argv[1]}/predict",
    json.dumps(shot).encode(),
    {"Content-Type": "application/json"},
)
deadline = time.monotonic() + float(sys.argv[2])
while True:
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"{request.full_url} answers {error.code}: {error.read().decode()}")
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"{request.full_url} does not answer: {error}")
        time.sleep(1)
if not 0 < answer["p_made"] < 1:
    sys.exit(f"not a probability: {answer}")
sys.stdout.write(f"{answer}\n")
