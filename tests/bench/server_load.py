"""What lowers InfluxDB 2's CPU per point: the same points in requests of different forms, written by a plain load generator."""

import contextlib
import json
import pathlib
import time

import influx
import programs
from server_cost import KINDS, fields
from stage import Topic, flags, output, usage_of

# Runs of 100,000 records of 42 fields end before InfluxDB compacts, and then show no difference between 5,000 and 20,000 lines.
RECORDS = {"wide": 300_000, "shaped": 600_000}
ROUNDS_MAX = 2
BASE = "5,000 lines as they come, two connections"
# By name, the options of tools/variants.rs and tools/load.rs.
VARIANTS = {
    BASE: {},
    "1,000 lines": {"lines": 1_000},
    "10,000 lines": {"lines": 10_000},
    "20,000 lines": {"lines": 20_000},
    "40,000 lines": {"lines": 40_000},
    "one connection": {"writers": 1},
    "four connections": {"writers": 4},
    "random order": {"order": "random", "window": 2_000},
    "grouped by series": {"order": "grouped"},
    "the same order of series in each request": {"order": "sorted"},
    "a range of series in each request, of 40,000 lines": {"order": "sorted", "window": 40_000},
    "tags not sorted": {"tags": "reversed"},
    "whole milliseconds": {"times": "whole-ms"},
    "whole milliseconds, `precision=ms`": {"times": "ms"},
    "`1.0` instead of `1`": {"numbers": "point"},
    "numbers with 11 decimals": {"numbers": "long"},
    "gzip": {"gzip": True},
}
# By kind of record, the variants that change nothing.
ABSENT = {"wide": {"whole milliseconds"}, "shaped": {"random order", "tags not sorted", "`1.0` instead of `1`"}}
# A smaller change of the median is within the variation from round to round.
NOTABLE = 0.05


def run(stage):
    """Returns one row for each run. The variants take turns, in reverse in each second round. Each run starts with an empty InfluxDB, except in a
    smoke run, where one takes all."""
    with contextlib.ExitStack() as until_end:
        shared = until_end.enter_context(influx.influxd(stage)) if stage.smoke else None
        for round_number in range(min(stage.rounds, ROUNDS_MAX)):
            turns = [(name, kind) for name in VARIANTS for kind in KINDS if name not in ABSENT[kind]]
            for name, kind in turns[:: -1 if round_number % 2 else 1]:
                with contextlib.nullcontext(shared) if shared else influx.influxd(stage) as server:
                    yield {"kind": kind, "variant": name, "round": round_number} | measure(stage, server, kind, VARIANTS[name])


def measure(stage, server, kind, options):
    """InfluxDB's CPU time counts from the start of the tool until InfluxDB has settled."""
    place = {"org": server.org, "bucket": "first", "token": server.token}
    # The tool reads the mapping only, so the topic need not exist.
    config = programs.bridge_toml(stage, server.url, kind, Topic("t", ["t"]), **place)
    records = stage.count(RECORDS[kind], least=5_000)
    switches = [f"--{name}" for name, value in options.items() if value is True]
    options = {name: value for name, value in options.items() if value is not True}
    to = {"config": config, "influx": server.url.removeprefix("http://"), "records": records} | place
    before, before_s = influx.stored(server), processor_s(server)
    command = [stage.tools, "load", *flags(to | KINDS[kind][2] | options), *switches]
    told = json.loads(output(command))
    # InfluxDB counts a point before it answers.
    points = influx.stored(server) - before
    if points != records:
        raise influx.Failed(f"{points} points were stored of {records} records")
    time.sleep(0 if stage.smoke else influx.SETTLE_S)
    return {
        "records": records,
        "rate": records / told["seconds"],
        "line_bytes": told["bytes"] / records,
        # A very short run may take less than a tick of the clock.
        "influx_us": max(0.01, processor_s(server) - before_s) / records * 1e6,
    }


def processor_s(server):
    return usage_of(pathlib.Path(f"/proc/{server.process.pid}"))[1]


def sentences(kind, ratios):
    """What helped and what did not. `ratios`: by variant, the median ratio of InfluxDB's CPU time to that of the first."""
    lower = {name: ratio for name, ratio in ratios.items() if ratio <= 1 - NOTABLE}
    higher = {name: ratio for name, ratio in ratios.items() if ratio >= 1 + NOTABLE}
    same = [name for name in ratios if name not in lower | higher]
    listed = lambda found: "; ".join(f"{name} ({ratio:.2f})" for name, ratio in sorted(found.items(), key=lambda one: one[1]))
    begin = f"- {fields(kind)} fields,"
    if lower:
        yield f"{begin} less CPU: {listed(lower)}."
    if higher:
        yield f"{begin} more CPU: {listed(higher)}."
    if same:
        yield f"{begin} less than {NOTABLE:.0%} of difference: {'; '.join(same)}."
