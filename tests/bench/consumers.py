"""One and two consumers in one process."""

import programs
from stage import measure

RECORDS = 4_000_000


def run(stage):
    records = stage.count(RECORDS)
    topic = stage.topic(records)
    for round_number in range(stage.rounds):
        for consumers in (1, 2):
            kafka = f"consumers = {consumers}"
            row = measure(stage, programs.bridge(stage, "ec2", topic, "gzip", kafka=kafka), records)
            yield {"round": round_number, "consumers": consumers} | row
