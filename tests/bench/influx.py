"""End to end: points/s into a real InfluxDB 2 on the same cores, compared with a bare load."""

import contextlib
import pathlib
import re
import time
import types

import programs
from servers import OwnInflux
from stage import QUIET_MS, SILENT_MS, Child, Failed, tail, usage_of

RECORDS = {"load": 2_000_000, "bridge": 2_000_000, "telegraf": 1_000_000}
POLL_S = 0.1  # a query costs InfluxDB a millisecond
SETTLE_S = 5  # InfluxDB writes its caches to disk, and compacts them
STORED = re.compile(r"^storage_writer_ok_points_sum\{[^}]*} (\S+)$", re.MULTILINE)


def run(stage):
    """Returns one row for each run. Each run starts with an empty InfluxDB, so that all write new data."""
    for round_number in range(stage.rounds):
        for name, records in RECORDS.items():
            records = stage.count(records, least=100_000)  # at least ten queries
            topic = stage.topic(records)
            with influxd(stage) as influx:
                command = program(stage, name, "ec2", topic, records, influx)
                yield {"round": round_number, "program": name} | measure(stage, command, influx, records)


@contextlib.contextmanager
def influxd(stage):
    influx = OwnInflux(stage.stack["INFLUXD"], stage.folder / stage.next_name())
    try:
        yield influx
    finally:
        influx.process.kill()
        influx.process.wait()


def program(stage, name, kind, topic, records, influx, batch=""):
    """The command of a program that writes into this InfluxDB. `batch`: settings of the bridge."""
    place = {"org": influx.org, "bucket": "first", "token": influx.token}
    receiver = types.SimpleNamespace(url=influx.url)
    if name == "bridge":
        return programs.bridge(stage, kind, topic, batch=batch, **place)(receiver)
    if name == "telegraf":
        return programs.telegraf(stage, kind, topic, "none", **place)(receiver)
    config = programs.bridge_toml(stage, influx.url, kind, topic, **place)
    to = ["--influx", influx.url.removeprefix("http://"), "--records", records]
    to += [word for key, value in place.items() for word in (f"--{key}", value)]
    return [stage.tools, "load", "--config", config, *to]


def measure(stage, command, influx, records):
    """Points/s from the first stored point until 99 of 100 are stored, as counted by InfluxDB."""
    first = most = last = None
    begin = time.monotonic()
    with Child(stage, command, stage.next_name()) as child:
        while True:
            time.sleep(POLL_S)
            now = (time.monotonic(), stored(influx))
            if now[1] and not first:
                first = now
            if now[1] and (not last or now[1] != last[1]):
                last = now
            if now[1] >= 0.99 * records and not most:
                most = now
            silent_ms = (now[0] - (last or (begin, 0))[0]) * 1e3
            if now[1] >= records and silent_ms > QUIET_MS:
                break
            if silent_ms > SILENT_MS:
                raise Failed(f"{now[1]} of {records} points were stored: {tail(child.log)}")
        processor_s = child.end()
    points = stored(influx)
    if points != records:
        raise Failed(f"{points} points were stored of {records} records")
    time.sleep(SETTLE_S)
    _, influx_s = usage_of(pathlib.Path(f"/proc/{influx.process.pid}"))
    return {
        "records": records,
        # A small run may store everything between two polls.
        "rate": (most[1] - first[1]) / max(most[0] - first[0], POLL_S),
        "processor_us": processor_s / records * 1e6,
        "influx_us": influx_s / records * 1e6,
    }


def stored(influx):
    """Total number of points."""
    with influx.open("/metrics") as answer:
        found = STORED.search(answer.read().decode())
    return round(float(found.group(1))) if found else 0
