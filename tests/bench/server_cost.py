"""What a point costs InfluxDB 2, by the program that writes it and by the lines of a request."""

import influx
import programs

# By kind of record: fields, number of records and how their topic is made. All have 2,000 series.
KINDS = {"wide": (42, 300_000, {"kind": "wide"}), "shaped": (6, 600_000, {"kind": "shaped", "series": 2_000})}
SERIES = 2_000
# Explicit sizes of requests for the plot, with the memory that they need.
LINES = (1_000, 5_000, 10_000, 20_000, 40_000)
ROUNDS_MAX = 2


def run(stage):
    """Returns one row for each run. The programs take turns, and so do the sizes; each run starts with an empty InfluxDB."""
    for kind, (_, records, shape) in KINDS.items():
        records = stage.count(records, least=20_000)
        topic = stage.topic(records, **shape)
        for round_number in range(stage.rounds):
            for name in ("bridge", "telegraf"):
                yield row(stage, kind, topic, records, round_number, name, None)
            if round_number < ROUNDS_MAX:
                for lines in LINES[1:3] if stage.smoke else LINES:
                    yield row(stage, kind, topic, records, round_number, "bridge", lines)
        stage.drop_topics(topic)


def row(stage, kind, topic, records, round_number, name, lines):
    with influx.influxd(stage) as server:
        batch = f'lines_max = {lines}\nbytes_max = "64MB"\nmemory_max = "256MB"' if lines else ""
        command = influx.program(stage, name, kind, topic, records, server, batch)
        measured = influx.measure(stage, command, server, records)
    return {"kind": kind, "program": name, "lines": lines, "round": round_number} | measured


def fields(kind):
    return KINDS[kind][0]
