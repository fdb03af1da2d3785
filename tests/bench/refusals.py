"""Time until 5,000 lines with bad ones among them are settled, while an InfluxDB 3 acknowledges once a second, and the rate of another lane."""

import json

from stage import flags, output

LINES = 5_000
BAD = [1, 10, 100]
# Version and endpoint.
SERVERS = {
    "`v3`, partial writes": ("3.11.2", "v3"),
    "`v3` before 3.11.2": ("3.11.1", "v3"),
    "`v1`": ("3.11.2", "v1"),
    "`v2`": ("3.11.2", "v2"),
}


# Of each topic: ten batches for each of the two lanes of the measured one.
RECORDS = 100_000


def run(stage):
    for round_number in range(min(stage.rounds, 3)):
        for server, (version, api) in SERVERS.items():
            options = {"version": version, "api": api, "lines": LINES} | ({"flush_ms": 100} if stage.smoke else {})
            beside = options | {"records": stage.count(RECORDS, least=20_000)}
            undisturbed = tool(stage, "beside", beside | {"bad": 0})["rate"]
            for bad in BAD[:1] if stage.smoke else BAD:
                disturbed = tool(stage, "beside", beside | {"bad": bad})
                assert stage.smoke or disturbed["refused"] > 0, "the measured topic ended before a line of the other one was refused"
                rate = disturbed["rate"]
                row = tool(stage, "refusals", options | {"bad": bad}) | {"other_rate": rate, "other_ratio": rate / undisturbed}
                yield {"round": round_number, "server": server, "bad": bad} | row


def tool(stage, name, options):
    return json.loads(output([stage.tools, name, *flags(options)]))
