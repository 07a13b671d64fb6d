"""Asks for one prediction and checks that it is a probability."""

import json
import sys
import urllib.request

shot = {"player_id": 201939, "period": 4, "clock_s": 24, "x_ft": -22.5, "y_ft": 3}
request = urllib.request.Request(
    f"{sys.argv[1]}/predict",
    json.dumps(shot).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=10) as response:
    answer = json.load(response)
if not 0 < answer["p_made"] < 1:
    sys.exit(f"not a probability: {answer}")
sys.stdout.write(f"{answer}\n")
