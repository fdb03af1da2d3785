"""Time until 5,000 lines with bad ones among them are settled, while an InfluxDB 3 acknowledges once a second."""

import json

from stage import output

LINES = 5_000
BAD = [1, 10, 100]
# Version and endpoint.
SERVERS = {
    "`v3`, partial writes": ("3.11.2", "v3"),
    "`v3` before 3.11.2": ("3.11.1", "v3"),
    "`v1`": ("3.11.2", "v1"),
    "`v2`": ("3.11.2", "v2"),
}


def run(stage):
    for round_number in range(min(stage.rounds, 3)):
        for server, (version, api) in SERVERS.items():
            for bad in BAD:
                command = [stage.tools, "refusals", "--version", version, "--api", api, "--lines", LINES, "--bad", bad]
                row = json.loads(output([str(word) for word in command]))
                yield {"round": round_number, "server": server, "bad": bad} | row
