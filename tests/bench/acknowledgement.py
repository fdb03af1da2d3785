"""Points per second while the receiver acknowledges once a second, as InfluxDB 3 does by default."""

import programs
from stage import measure

RECORDS = 3_000_000
# Answers at the flushes of a write-ahead log, and a fixed delay of each answer.
RECEIVERS = {"at flushes, once a second": "flush 1000", "1 s after the request": "delay 1000", "at flushes, each 100 ms": "flush 100"}


def run(stage):
    records = stage.count(RECORDS)
    topic = stage.topic(records)
    for round_number in range(min(stage.rounds, 3)):
        for answers, command in RECEIVERS.items():
            for compression in ("none", "gzip"):
                row = measure(stage, programs.bridge(stage, "ec2", topic, compression), records, [command])
                yield {"round": round_number, "answers": answers, "compression": compression} | row
    stage.drop_topics(topic)
