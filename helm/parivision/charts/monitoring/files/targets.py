"""Waits until every target of Prometheus is up and no rule fails; says which are not.

Arguments: Prometheus' address, and the seconds to wait.
"""

import json
import sys
import time
import urllib.request


def ask(path):
    """What the API answers."""
    with urllib.request.urlopen(f"{sys.argv[1]}/api/v1/{path}", timeout=10) as response:
        return json.load(response)["data"]


def wrong():
    """Targets that are not up and rules that fail, in words."""
    try:
        targets = ask("targets?state=active")["activeTargets"]
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    except OSError as error:
        return [f"Prometheus does not answer: {error}"]
    down = [
        f"{one['scrapeUrl']}: {one['lastError'] or 'not yet scraped'}"
        for one in targets
        if one["health"] != "up"
    ]
    failing = [f"{one['name']}: {one['lastError']}" for one in rules if one["health"] == "err"]
    return down + failing if targets and rules else ["there are no targets or no rules yet"]


deadline = time.monotonic() + float(sys.argv[2])
while (left := wrong()) and time.monotonic() < deadline:
    time.sleep(2)
if left:
    sys.exit("\n".join(left))
sys.stdout.write("every target is up and every rule is computed\n")
