"""Growth of CPU time with one varied quantity at a time, without compression."""

import programs
from stage import measure

RECORDS = 1_500_000
BYTES = 500_000_000  # of all records together at most, but for small ones
STEPS = {
    "partitions": (1, 6, 30, 100, 300, 1_000),
    "topics": (1, 5, 20, 50, 100, 200),
    "bytes": (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000),
    "fields": (4, 10, 25, 60, 150, 400),
    "series": (1, 100, 1_000, 10_000, 100_000, 1_000_000),
}
ROUNDS_MAX = 2


def run(stage):
    """Returns one row for each run; the steps of a quantity alternate."""
    for axis, steps in STEPS.items():
        chosen = (steps[0], steps[-2]) if stage.smoke else steps
        topics = [(step, *topic_of(stage, axis, step)) for step in chosen]
        for round_number in range(min(stage.rounds, ROUNDS_MAX)):
            for step, topic, records in topics:
                row = measure(stage, programs.bridge(stage, "shaped", topic, "none"), records)
                record_bytes = topic.bytes / records
                more = {"record_bytes": record_bytes, "processor_ns_byte": row["processor_us"] * 1e3 / record_bytes}
                yield {"axis": axis, "step": step, "round": round_number} | row | more
        stage.drop_topics(*(topic for _, topic, _ in topics))


def topic_of(stage, axis, step):
    """Creates the topic; also returns the number of its records."""
    shape = {"series": step} if axis == "series" else {}
    record_bytes = {"bytes": step, "fields": 25 + step * 13}.get(axis, 100)
    if axis in ("bytes", "fields"):
        shape = {axis: step}
    records = stage.count(min(RECORDS, BYTES // record_bytes))
    places = {"partitions": step} if axis == "partitions" else {"topics": step, "partitions": 1} if axis == "topics" else {}
    return stage.topic(records, "shaped", **places, **shape), records
