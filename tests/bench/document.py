"""Renders docs/benchmarks.md and its plots from the results."""

import open_loop as schedule
import plot
import programs
import refusals as bad_lines
import server_cost as kinds
import server_load as forms
import targets
from results import Rows, median
from targets import digits, spread, words

NAMES = {
    "bridge": "the bridge",
    "telegraf": "Telegraf, tuned",
    "guide": "Telegraf, default",
    "python": "Python script",
    "limit": "*the limit*",
    "load": "bare load",
}
AXES = {
    "partitions": "partitions of one topic",
    "topics": "topics, each with its own mapping",
    "bytes": "bytes per record",
    "fields": "fields per record",
    "series": "series",
}


def write(results, folder):
    """Writes the document. Sections without results are left out."""
    sections = {name: Rows(section["rows"]) for name, section in results["sections"].items() if section["rows"]}
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"cost": cost, "formats": formats, "consumers": consumers, "influx": influx, "server-cost": server_cost, "server-load": server_load}
    makers |= {"latency": latency, "open-loop": open_loop, "start": start, "acknowledgement": acknowledgement, "refusals": refusals}
    makers |= {"memory": memory, "size": size, "stages": stages, "growth": growth}
    makers = {name: maker for name, maker in makers.items() if name in sections}
    origins = {name: results["sections"][name] for name in makers}
    parts = [head(results["machine"], origins, rounds(sections)), target_table(sections)]
    parts += [maker(sections[name]) for name, maker in makers.items()]
    (folder / "benchmarks.md").write_text("\n".join(parts))
    if "cost" in sections:
        (folder / "benchmarks-cost.svg").write_text(cost_plot(sections["cost"]))
    if "server-cost" in sections:
        (folder / "benchmarks-server-cost.svg").write_text(server_cost_plot(sections["server-cost"]))
    if "growth" in sections:
        (folder / "benchmarks-growth.svg").write_text(growth_plot(sections["growth"]))


def rounds(sections):
    """The largest number of rounds of any section."""
    return 1 + max(row.get("round", 0) for rows in sections.values() for row in rows)


def measured_code(origins):
    """The measured commits with their dates, and the sections of each where there are several. Without git, dates only."""
    sections = {}
    for name, origin in origins.items():
        sections.setdefault((origin["date"], origin["commit"]), []).append(name)
    told = []
    for (date, commit), names in sorted(sections.items()):
        what = f"commit {commit} ({date})" if commit else date
        told.append(f"{what}: {', '.join(f'`{name}`' for name in names)}" if len(sections) > 1 else what)
    return "; ".join(told)


def head(machine, origins, rounds):
    python = " and ".join(f"{name} {version}" for name, version in machine["python"].items())
    return f"""# Benchmarks

Kafka, the measured program and its destination share one machine: {machine["processor"]}, {machine["cores"]} cores,
{machine["memory_gb"]} GB, Linux {machine["kernel"]}. Absolute figures apply to this machine only, and vary by a quarter from hour to hour.
Ratios are reliable, because the programs take turns: each round gives a ratio, and the tables show the median of these.

```sh
tests/bench/run                   # repeats all measurements in about an hour, on an otherwise idle machine
tests/bench/run --only cost       # one section; --help lists them
```

All runs stand in `tests/bench/results.json`, from which this page is made.

- **Measured code**: {measured_code(origins)}.
- **Versions**: kafka-influx-bridge {machine["bridge"]}; Apache Kafka {machine["kafka"]}; Telegraf {machine["telegraf"]}; InfluxDB {machine["influxdb"]};
  Python with {python}.
- **Kafka**: one broker, topics of 6 partitions, lz4, batches of up to 1 MB, all in the page cache.
- **The bridge** has its default configuration. Only brokers, topics, the mapping, the address and `compression` (by default chosen by the address) are set.
- **CPU** is user and system time of all threads of the process from start to end, divided by the number of records.
- **Rate** is records/s from the first answered request until 99 of 100 records have arrived. The rest may wait for a timer.
- **Memory** is the maximum of resident memory.
- **The receiver** runs on the same cores, answers at once unless the section says otherwise, and counts lines after the run. A run with missing records
  fails.
- Figures are the median of {rounds} round{"s" if rounds > 1 else ""}, with minimum and maximum; of at most 2 rounds for growth, latency, memory and the forms of requests.
"""


def target_table(sections):
    table = targets.table(sections)
    lines = ["## Targets", "", "| | target | measured | |", "|---|---|---|---|"]
    for what, wanted, measured, met in table:
        lines.append(f"| {what} | {wanted} | {measured} | {'met' if met else '**not met**'} |")
    reasons = [f"- {reason[0].upper()}{reason[1:]}." for reason in targets.reasons(table)]
    if reasons:
        lines += ["", "Reasons for missed targets, from profiles and single trials on the same machine:", "", *reasons]
    return "\n".join([*lines, ""])


def cost(rows):
    lines = ["| records | | CPU, µs per record | records/s | memory, MB | bytes sent per record |", "|---|---|---|---|---|---|"]
    for kind, compression in dict.fromkeys((row["kind"], row["compression"]) for row in rows):
        for name in NAMES:
            here = rows.where(kind=kind, compression=compression, program=name)
            if here:
                columns = [spread(here.of(key)) for key in ("processor_us", "rate", "memory_mb")]
                sent = f"{median(here.of('sent_bytes')):.0f}"
                lines.append(f"| {kind}, {words(compression)} | {NAMES[name]} | {' | '.join([*columns, sent])} |")
    tuned, guide = programs.TUNED, programs.GUIDE
    size = lambda kind: round(median(rows.where(kind=kind).of("record_bytes")))
    return f"""## CPU, rate and memory

![CPU time per record](benchmarks-cost.svg)

{chr(10).join(lines)}

- `ec2` is the record of [the EC2 example](../examples/ec2-telegraf/bridge.toml): one of 100 names, six numbers, {size("ec2")} bytes. Its mapping is the example's.
- `wide` has 42 numbers, two strings, three tags, one of 20 names, a timestamp, and 2,000 hosts: {size("wide")} bytes. Numbers are random in both.
- *Telegraf, tuned* has the fastest settings that were found: `metric_batch_size = {tuned[0]}`, `metric_buffer_limit = {tuned[1]}`, `max_undelivered_messages = {tuned[2]}`,
  `flush_interval = "{tuned[3]}"`. *Default* has the values of `telegraf config` ({guide[0]}, {guide[1]}, {guide[2]}), except for a `flush_interval` of {guide[3]} instead of 10 s,
  with which it would wait most of the time.
- *Python script* (`tests/bench/peer/peer.py`) reads 5,000 records, writes their points in one request, and commits.
- *The limit* does only the work that no bridge can avoid. It consumes with the bridge's own code and settings and checks that each record is UTF-8. For
  every 5,000 records it compresses (libdeflate, level 1) and writes as many prepared lines. It maps nothing.
- Slower programs get fewer records, so that each run takes some seconds.
"""


def formats(rows):
    lines = [
        "| records | format | | CPU, µs per record | beside the bridge with JSON | records/s | bytes per record |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, name, program in dict.fromkeys((row["kind"], row["format"], row["program"]) for row in rows):
        here = rows.where(kind=kind, format=name, program=program)
        ratios = here.ratios("processor_us", rows.where(kind=kind, format="json", program="bridge"))
        columns = [spread(here.of("processor_us")), spread(ratios), spread(here.of("rate")), f"{median(here.of('record_bytes')):.0f}"]
        lines.append(f"| {kind} | {name} | {NAMES[program]} | {' | '.join(columns)} |")
    single_values = """- `number` and `text` are records of one value: a number with two decimals, and a text such as `node57 is running`. In JSON it stands under a key.
  Telegraf reads `value` with `data_type = "float"`, or `"string"`.
"""
    # Earlier results have none.
    single_values = single_values if rows.where(format="value") else ""
    return f"""## Formats

The records of `ec2` and `wide` in other formats, not compressed, with the same values. The programs and formats take turns.

{chr(10).join(lines)}

- `influx` records are the lines that the bridge makes from the JSON records, and they are copied.
- `avro` reads its schema from a file. `avro-registry` has the frame of a schema registry, whose schema is asked for once. Telegraf would
  compile the schema of a file for each record.
- Telegraf reads `msgpack`, `cbor` and `protobuf` with its XPath parser, which takes all values as fields. The options of its other parsers correspond to the mapping
  of JSON.
{single_values}"""


def cost_plot(rows):
    panels = []
    for kind, compression in dict.fromkeys((row["kind"], row["compression"]) for row in rows):
        here = rows.where(kind=kind, compression=compression)
        names = [name for name in NAMES if here.where(program=name)]
        values = [(NAMES[name].strip("*"), median(here.where(program=name).of("processor_us"))) for name in names]
        panels.append((f"{kind}, {words(compression)}", values))
    return plot.bars("CPU time, microseconds per record", panels)


def consumers(rows):
    lines = ["| `consumers` | CPU, µs per record | records/s | memory, MB | data threads | librdkafka | writer threads |", "|---|---|---|---|---|---|---|"]
    threads = ("data", "rdk", "writer")
    for number in dict.fromkeys(rows.of("consumers")):
        here = rows.where(consumers=number)
        columns = [spread(here.of(key)) for key in ("processor_us", "rate", "memory_mb")]
        columns += [spread([row["threads_us"].get(name, 0) for row in here]) for name in threads]
        lines.append(f"| {number} | {' | '.join(columns)} |")
    # A very short run takes less than a tick of the clock.
    data_us = max(0.01, median([row["threads_us"].get("data", 0) for row in rows.where(consumers=1)]))
    return f"""## One and two consumers

`ec2`, gzip; the last three columns are CPU time in µs per record. Kafka and the receiver use the same
cores.

{chr(10).join(lines)}

Each consumer is a group member with its own threads: one that fetches (librdkafka) and one that maps (`data`). Consumers share two writer threads, which
compress and send, the counters and the memory budget. These are atomic numbers, updated once for up to 256 records and once for each batch, so another
consumer costs little more than its queues. One consumer uses at most one core for mapping: at {data_us:.2f} µs a record, {digits(1 / data_us)} million `ec2` records/s. This is several
times the throughput of InfluxDB on the same cores. Set `consumers = 2` if the data thread of one consumer uses a full core.
"""


def influx(rows):
    lines = ["| | points/s | CPU, µs per point | InfluxDB's CPU |", "|---|---|---|---|"]
    for name in dict.fromkeys(rows.of("program")):
        here = rows.where(program=name)
        own = "" if name == "load" else spread(here.of("processor_us"))
        lines.append(f"| {NAMES[name]} | {spread(here.of('rate'))} | {own} | {spread(here.of('influx_us'))} |")
    return f"""## Into a real InfluxDB

`ec2`, not compressed, into an empty InfluxDB on the same cores, a new one for each run. InfluxDB itself counts the stored points, from the first until 99 of
100 are stored. InfluxDB's CPU time is read 5 s after the end. *Bare load* writes prepared lines, 5,000 per request, on two connections, while Kafka is idle. Telegraf is tuned.

{chr(10).join(lines)}
"""


def server_cost(rows):
    lines = ["| records | | points/s | InfluxDB's CPU, µs per point |", "|---|---|---|---|"]
    for kind in dict.fromkeys(rows.of("kind")):
        for name in ("bridge", "telegraf"):
            here = rows.where(kind=kind, program=name, lines=None)
            lines.append(f"| {kinds.fields(kind)} fields | {NAMES[name]} | {spread(here.of('rate'))} | {spread(here.of('influx_us'))} |")
    return f"""## What a point costs InfluxDB

![InfluxDB's CPU time per point](benchmarks-server-cost.svg)

A backlog of records of {kinds.SERIES:,} series in Kafka, not compressed, into an empty InfluxDB 2 on the same cores, a new one for each run; Telegraf is tuned.
InfluxDB handles each series and field once per request, so a point of a larger request costs it less. The plot shows the bridge with an explicit
`lines_max`, and `bytes_max` and `memory_max` that leave room for it.

{chr(10).join(lines)}
"""


def server_load(rows):
    kinds_of_rows = list(dict.fromkeys(rows.of("kind")))
    base = rows.where(variant=forms.BASE)
    cells = lambda kind: (f"{kinds.fields(kind)} fields: CPU", "points/s")
    titles = ["form of the requests", *(cell for kind in kinds_of_rows for cell in cells(kind))]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    # By kind, the variants with their median ratio of CPU time.
    ratios = {kind: {} for kind in kinds_of_rows}
    for name in dict.fromkeys(rows.of("variant")):
        columns = []
        for kind in kinds_of_rows:
            here, over = rows.where(kind=kind, variant=name), base.where(kind=kind)
            for key in ("influx_us", "rate") if here else ():
                found = here.ratios(key, over)
                columns.append(spread(found))
                if key == "influx_us" and name != forms.BASE:
                    ratios[kind][name] = median(found)
            columns += [] if here else ["", ""]
        lines.append(f"| {name} | {' | '.join(columns)} |")
    absolute = " and ".join(
        f"{spread(base.where(kind=kind).of('influx_us'))} µs and {spread(base.where(kind=kind).of('rate'))} points/s with {kinds.fields(kind)} fields"
        for kind in kinds_of_rows
    )
    return f"""## What lowers InfluxDB's CPU

The same points in requests of different forms, from a plain load generator (`tests/bench/tools/variants.rs`) into an empty InfluxDB 2, a new one for each run: InfluxDB's CPU
time from the first request until 5 s after the last answer, and points/s, both as ratios to the first row. The first row is {absolute}.
The points have {kinds.SERIES:,} series. Series come in turn with {kinds.fields("wide")} fields, and at random with {kinds.fields("shaped")}.

{chr(10).join(lines)}

{chr(10).join(sentence for kind in kinds_of_rows for sentence in forms.sentences(kind, ratios[kind]))}
"""


def server_cost_plot(rows):
    panels = []
    for kind in dict.fromkeys(rows.of("kind")):
        here = rows.where(kind=kind)
        sizes = sorted({row["lines"] for row in here if row["lines"]})
        points = [(lines, median(here.where(lines=lines).of("influx_us"))) for lines in sizes]
        panels.append((f"{kinds.fields(kind)} fields, by lines of a request", points))
    return plot.lines("InfluxDB's CPU time, microseconds per point (logarithmic)", panels)


def acknowledgement(rows):
    lines = ["| answers | | points/s, ramp-up included | largest request, lines | requests | memory, MB |", "|---|---|---|---|---|---|"]
    for answers, compression in dict.fromkeys((row["answers"], row["compression"]) for row in rows):
        here = rows.where(answers=answers, compression=compression)
        columns = [spread(here.of(key)) for key in ("rate_from_begin", "largest_lines", "bodies", "memory_mb")]
        lines.append(f"| {answers} | {words(compression)} | {' | '.join(columns)} |")
    return f"""## Slow answers

{rows[0]["records"]:,} `ec2` records, default configuration, one consumer, two lanes. The receiver answers each connection once per flush, as InfluxDB 3 does,
or after a fixed delay. Batches grow from 5,000 to 100,000 lines.

{chr(10).join(lines)}
"""


def refusals(rows):
    lines = ["| bad lines | endpoint | requests | seconds | another lane, points/s | / none refused |", "|---|---|---|---|---|---|"]
    for server, bad in dict.fromkeys((row["server"], row["bad"]) for row in rows):
        here = rows.where(server=server, bad=bad)
        columns = [spread(here.of(key)) for key in ("requests", "seconds", "other_rate", "other_ratio")]
        lines.append(f"| {bad} | {server} | {' | '.join(columns)} |")
    return f"""## Refused lines

A batch of {bad_lines.LINES:,} lines, of which some have the wrong type, to an imitation of InfluxDB 3 (`crates/testkit/src/receiver/influx3.rs`): it refuses
within milliseconds, and answers a request that stores lines at its next flush, once a second. From the first request, at a random moment between
two flushes, until every line is stored or refused.

*Another lane*: the bridge reads two topics from an embedded Kafka in one process, and writes each to its own database in batches of {bad_lines.LINES:,}. Every batch of
one topic has bad lines. The columns show the points/s of the other topic, which has two lanes, and the ratio to its rate while no line is refused.

{chr(10).join(lines)}
"""


def latency(rows):
    lines = ["| | p50, ms | p99 | maximum |", "|---|---|---|---|"]
    records = rows[0]["records"]
    lines.append(f"| {records:,} records | {' | '.join(spread(rows.of(key)) for key in ('p50_ms', 'p99_ms', 'max_ms'))} |")
    return f"""## Latency

1,000 records/s with `age_max = "50ms"`: from the producer's timestamp in the record to the response to its write.

{chr(10).join(lines)}
"""


def open_loop(rows):
    lines = ["| | records/s | to the answer: p50, ms | p99 | p99.9 | to a query: p50, ms | p99 | p99.9 |", "|---|---|---|---|---|---|---|---|"]
    for name, backlog in dict.fromkeys((row["program"], row["backlog"]) for row in rows):
        here = rows.where(program=name, backlog=backlog)
        keys = ("per_second", "p50_ms", "p99_ms", "p999_ms", "queried_p50_ms", "queried_p99_ms", "queried_p999_ms")
        what = NAMES[name] + (", with a backlog in another topic" if backlog else "")
        lines.append(f"| {what} | {' | '.join(spread(here.of(key)) for key in keys)} |")
    return f"""## Latency under load

Records arrive on a schedule that does not wait for answers, at a quarter of the rate that the same InfluxDB takes from a backlog of them: at half of
it, all programs together need more than the two cores, the bridge fell 5 s behind, and Telegraf did not answer within 30 s. Times begin when a record is due, and end with InfluxDB's answer to its write, or with the first query that returns it and all before it (asked each
{schedule.ASK_S * 1e3:.0f} ms). `age_max = "50ms"`; Telegraf, tuned, with `flush_interval = "50ms"`. Kafka, the producer, InfluxDB and the queries use the same two cores.

{chr(10).join(lines)}
"""


def start(rows):
    return f"""## Start

With `instance_id`, killed by SIGKILL under load and started again: {spread(rows.of("start_ms"), " ms")} from the start of the process to the first write
with records, in {len(rows)} runs.
"""


def memory(rows):
    lines = ["| InfluxDB | maximum memory, MB |", "|---|---|"]
    for sink in dict.fromkeys(rows.of("sink")):
        lines.append(f"| {sink} | {spread(rows.where(sink=sink).of('memory_mb'))} |")
    return f"""## Memory with a backlog

{rows[0]["backlog_bytes"] / 1e9:.1f} GB of `wide` records are in Kafka; 15 s, gzip.

{chr(10).join(lines)}
"""


def size(rows):
    lines = [f"| {NAMES[row['program']].split(',')[0]} | {row['bytes'] / 1e6:.1f} MB |" for row in rows]
    return f"""## Size

| program | stripped |
|---|---|
{chr(10).join(lines)}

Telegraf contains only the four plugins that it needs here.
"""


def stages(rows):
    lines = ["| stage | | median |", "|---|---|---|"]
    for name, what in dict.fromkeys((row["stage"], row["what"]) for row in rows):
        values = [value / 1_000 for value in rows.where(stage=name, what=what).of("median_ns")]
        lines.append(f"| {name} | {what} | {spread(values, ' µs')} |")
    return f"""## Each stage alone

`cargo bench --bench micro`. An iteration of `decode` (parsing alone) and `map` (record to line) is one record; an iteration of `gzip`, `collisions` and
`tracker` is a batch of 5,000. *Known shape*: records differ only in their values. *Spaced anew*: the keys are known, but the whitespace between them always
changes, so a cached record shape fits only token by token. *New shape*: the order of keys changes, too, so each key is looked up. None of these allocates, except when it learns
one shape in a thousand (`tests/hermetic/allocations.rs`).

{chr(10).join(lines)}
"""


def growth(rows):
    steps = targets.growing(rows)
    lines = ["| | | CPU, µs per record | ns per byte | records/s | relative to the previous step |", "|---|---|---|---|---|---|"]
    for axis, name in AXES.items():
        before = dict(steps.get(axis, []))
        for step in dict.fromkeys(rows.where(axis=axis).of("step")):
            here = rows.where(axis=axis, step=step)
            columns = [spread(here.of(key)) for key in ("processor_us", "processor_ns_byte", "rate")]
            ratio = f"{before[step]:.2f}" if step in before else ""
            lines.append(f"| {name} | {step:,} | {' | '.join(columns)} | {ratio} |")
    return f"""## How cost grows

![growth of CPU time](benchmarks-growth.svg)

Records have six numbers and one of 100 hosts, 90 bytes, in 6 partitions, except for the varied quantity. The last column is the cost per record divided by that
of the previous step, or the cost per byte where records grow.

{chr(10).join(lines)}
"""


def growth_plot(rows):
    panels = []
    for axis, name in AXES.items():
        here = rows.where(axis=axis)
        points = [(step, median(here.where(step=step).of("processor_us"))) for step in dict.fromkeys(here.of("step"))]
        panels.append((name, points))
    return plot.lines("CPU time, microseconds per record, as one quantity grows (logarithmic)", panels)
