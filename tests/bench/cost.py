"""CPU time, rate and memory per record of the bridge, its peers and the limit."""

import programs
from stage import measure

# Records for each program and kind. Each run takes some seconds, so that start and stop have little effect.
RECORDS = {
    ("bridge", "ec2"): 4_000_000,
    ("bridge", "wide"): 800_000,
    ("telegraf", "ec2"): 1_000_000,
    ("telegraf", "wide"): 250_000,
    ("guide", "ec2"): 200_000,
    ("python", "ec2"): 200_000,
}
RECORDS |= {("limit", kind): RECORDS["bridge", kind] for kind in ("ec2", "wide")}

LEAST = 20_000  # at least two requests of Telegraf, which a rate needs

CASES = [
    ("ec2", "gzip", ("bridge", "telegraf", "limit", "python", "guide")),
    ("ec2", "none", ("bridge", "telegraf", "limit")),
    ("wide", "gzip", ("bridge", "telegraf", "limit")),
    ("wide", "none", ("bridge", "telegraf", "limit")),
]


def run(stage):
    """Returns one row for each run."""
    for round_number in range(stage.rounds):
        for kind, compression, names in CASES:
            for name in names:
                records = stage.count(RECORDS[name, kind], least=LEAST)
                topic = stage.topic(records, kind)
                row = measure(stage, program(stage, name, kind, topic, compression), records)
                what = {"round": round_number, "kind": kind, "compression": compression, "program": name}
                yield what | {"record_bytes": topic.bytes / records} | row


def program(stage, name, kind, topic, compression):
    if name == "bridge":
        return programs.bridge(stage, kind, topic, compression)
    if name == "limit":
        return programs.limit(stage, kind, topic, compression)
    if name == "python":
        return programs.python(stage, topic, compression)
    tuning = programs.GUIDE if name == "guide" else programs.TUNED
    return programs.telegraf(stage, kind, topic, compression, tuning)
