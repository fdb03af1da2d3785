"""docs/benchmarks.md and its plots, from what was measured."""

import plot
import programs
import targets
from results import Rows, median
from targets import digits, spread, words

NAMES = {
    "bridge": "the bridge",
    "telegraf": "Telegraf, tuned",
    "guide": "Telegraf, as it comes",
    "python": "Python script",
    "limit": "*the limit*",
    "load": "bare load",
}
AXES = {
    "partitions": "partitions of one topic",
    "topics": "topics, each with a mapping of its own",
    "bytes": "bytes a record",
    "fields": "fields a record",
    "series": "series",
}


def write(results, folder):
    """The document of what was measured; sections that were not are left out."""
    sections = {name: Rows(rows) for name, rows in results["sections"].items() if rows}
    machine = results["machine"]
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"cost": cost, "consumers": consumers, "influx": influx, "latency": latency, "start": start}
    makers |= {"memory": memory, "size": size, "stages": stages, "growth": growth}
    parts = [head(machine, rounds(sections)), target_table(sections)]
    parts += [maker(sections[name]) for name, maker in makers.items() if name in sections]
    (folder / "benchmarks.md").write_text("\n".join(parts))
    if "cost" in sections:
        (folder / "benchmarks-cost.svg").write_text(cost_plot(sections["cost"]))
    if "growth" in sections:
        (folder / "benchmarks-growth.svg").write_text(growth_plot(sections["growth"]))


def rounds(sections):
    """As many as any section had."""
    return 1 + max(row.get("round", 0) for rows in sections.values() for row in rows)


def head(machine, rounds):
    python = " and ".join(f"{name} {version}" for name, version in machine["python"].items())
    commit = f" ({machine['commit']})" if machine["commit"] else ""
    return f"""# Benchmarks

Kafka, the program that is measured, and what it writes to share one machine: {machine["processor"]}, {machine["cores"]} cores,
{machine["memory_gb"]} GB, Linux {machine["kernel"]}; {machine["date"]}. Absolute figures are this machine's, and drift by a quarter from hour to hour;
ratios hold, because programs took turns. So a ratio is taken in each round, and its median is what counts.

```sh
tests/bench/run                   # all of this again, in 25 minutes or so, on a machine that does nothing else
tests/bench/run --only cost       # one section; --help lists them
```

- **Versions**: kafka-influx-bridge {machine["bridge"]}{commit}; Apache Kafka {machine["kafka"]}; Telegraf {machine["telegraf"]}; InfluxDB {machine["influxdb"]};
  Python with {python}.
- **Kafka**: one broker, topics of 6 partitions, lz4, batches of up to 1 MB, all in the page cache.
- **The bridge** has its default configuration: brokers, topics, the mapping and the address are all that is said, and `compression`, which is
  chosen by the address otherwise.
- **Processor** is user and system time of the whole process, all of its threads, from its start to its end, divided by the records.
- **Rate** is records a second from the first request that the receiver has answered until 99 of 100 records had come; what is left over may wait for
  a timer.
- **Memory** is the most that was resident.
- **The receiver** answers at once, on the same cores, and counts lines after the run: all records have to be there, else the run fails.
- Figures are the median of {rounds} round{"s" if rounds > 1 else ""}, with the smallest and the largest; of two at most for growth, latency and memory.
"""


def target_table(sections):
    table = targets.table(sections)
    lines = ["## Targets", "", "| | wanted | measured | |", "|---|---|---|---|"]
    for what, wanted, measured, met in table:
        lines.append(f"| {what} | {wanted} | {measured} | {'met' if met else '**not met**'} |")
    reasons = [f"- {reason[0].upper()}{reason[1:]}." for reason in targets.reasons(table)]
    if reasons:
        lines += ["", "What stands in the way, as profiles and single trials on the same machine said:", "", *reasons]
    return "\n".join([*lines, ""])


def cost(rows):
    lines = ["| records | | processor, µs a record | records/s | memory, MB | bytes sent a record |", "|---|---|---|---|---|---|"]
    for kind, compression in dict.fromkeys((row["kind"], row["compression"]) for row in rows):
        for name in NAMES:
            here = rows.where(kind=kind, compression=compression, program=name)
            if here:
                columns = [spread(here.of(key)) for key in ("processor_us", "rate", "memory_mb")]
                sent = f"{median(here.of('sent_bytes')):.0f}"
                lines.append(f"| {kind}, {words(compression)} | {NAMES[name]} | {' | '.join([*columns, sent])} |")
    tuned, guide = programs.TUNED, programs.GUIDE
    size = lambda kind: round(median(rows.where(kind=kind).of("record_bytes")))
    return f"""## Processor, rate and memory

![processor time a record](benchmarks-cost.svg)

{chr(10).join(lines)}

- `ec2` is the record of [the EC2 example](../examples/ec2-telegraf/bridge.toml): a name out of 100, six numbers, {size("ec2")} bytes. Its mapping is the example's.
- `wide` has 42 numbers, two strings, three tags, a name out of 20, a time of its own, and 2,000 hosts: {size("wide")} bytes. Numbers are random in both.
- *Telegraf, tuned* is the fastest that was found: `metric_batch_size = {tuned[0]}`, `metric_buffer_limit = {tuned[1]}`, `max_undelivered_messages = {tuned[2]}`,
  `flush_interval = "{tuned[3]}"`. *As it comes* has the values that `telegraf config` writes ({guide[0]}, {guide[1]}, {guide[2]}), but for a `flush_interval` of {guide[3]}: 10 s
  there, which would let it wait most of the time.
- *Python script* (`tests/bench/peer/peer.py`) reads 5,000 records, writes their points in one request, and commits.
- *The limit* does what no bridge can leave out: it consumes by the bridge's own code and settings, looks whether each record is UTF-8, and for
  each 5,000 compresses (libdeflate, level 1) and writes as many lines, which were prepared. It maps nothing.
- Who needs more time gets fewer records, so that each run takes some seconds.
"""


def cost_plot(rows):
    panels = []
    for kind, compression in dict.fromkeys((row["kind"], row["compression"]) for row in rows):
        here = rows.where(kind=kind, compression=compression)
        names = [name for name in NAMES if here.where(program=name)]
        values = [(NAMES[name].strip("*"), median(here.where(program=name).of("processor_us"))) for name in names]
        panels.append((f"{kind}, {words(compression)}", values))
    return plot.bars("Processor time, microseconds a record", panels)


def consumers(rows):
    lines = ["| `consumers` | processor, µs a record | records/s | memory, MB | data threads | librdkafka's | writer threads |", "|---|---|---|---|---|---|---|"]
    threads = ("data", "rdk", "writer")
    for number in dict.fromkeys(rows.of("consumers")):
        here = rows.where(consumers=number)
        columns = [spread(here.of(key)) for key in ("processor_us", "rate", "memory_mb")]
        columns += [spread([row["threads_us"].get(name, 0) for row in here]) for name in threads]
        lines.append(f"| {number} | {' | '.join(columns)} |")
    # A run that is over at once shows less than the clock's tick.
    data_us = max(0.01, median([row["threads_us"].get("data", 0) for row in rows.where(consumers=1)]))
    return f"""## One and two consumers

`ec2`, gzip; the last three columns are microseconds of processor a record. Kafka and the receiver share
the cores with them.

{chr(10).join(lines)}

A consumer is a member of the group with threads of its own: one that fetches (librdkafka's), one that maps (`data`). They share two writer threads, which
compress and send, and of their data only counters and the memory budget: atomic numbers, touched once for each turn of up to 256 records and each batch. So what
a consumer more costs is its queues. One can't use more than a core for mapping: at {data_us:.2f} µs a record that is {digits(1 / data_us)} million `ec2` records a second, several
times what an InfluxDB on as many cores takes. Beyond that, or where `records/s` of one consumer lags behind with its data thread at a full core, say
`consumers = 2`.
"""


def influx(rows):
    lines = ["| | points/s | its processor, µs a point | InfluxDB's |", "|---|---|---|---|"]
    for name in dict.fromkeys(rows.of("program")):
        here = rows.where(program=name)
        own = "" if name == "load" else spread(here.of("processor_us"))
        lines.append(f"| {NAMES[name]} | {spread(here.of('rate'))} | {own} | {spread(here.of('influx_us'))} |")
    return f"""## Into a real InfluxDB

`ec2`, not compressed, into an InfluxDB on the same cores that is new and empty for each run. Points are those that InfluxDB says it has stored, from the first
until 99 of 100. *Bare load* writes prepared lines, 5,000 at once, by two connections; Kafka is idle meanwhile. Telegraf is the tuned one.

{chr(10).join(lines)}
"""


def latency(rows):
    lines = ["| | half of them, ms | 99 of 100 | the slowest |", "|---|---|---|---|"]
    records = rows[0]["records"]
    lines.append(f"| {records:,} records | {' | '.join(spread(rows.of(key)) for key in ('p50_ms', 'p99_ms', 'max_ms'))} |")
    return f"""## Latency

1,000 records a second with `age_max = "50ms"`: from the moment at which the producer makes a record, which it carries, to the answer to its write.

{chr(10).join(lines)}
"""


def start(rows):
    return f"""## Start

With `instance_id`, killed by SIGKILL under load and started again: {spread(rows.of("start_ms"), " ms")} from its start to the first write
with records, {len(rows)} times.
"""


def memory(rows):
    lines = ["| InfluxDB | most memory, MB |", "|---|---|"]
    for sink in dict.fromkeys(rows.of("sink")):
        lines.append(f"| {sink} | {spread(rows.where(sink=sink).of('memory_mb'))} |")
    return f"""## Memory under a backlog

{rows[0]["backlog_bytes"] / 1e9:.1f} GB of `wide` records wait in Kafka; 15 s, gzip.

{chr(10).join(lines)}
"""


def size(rows):
    lines = [f"| {NAMES[row['program']].split(',')[0]} | {row['bytes'] / 1e6:.1f} MB |" for row in rows]
    return f"""## Size

| program | stripped |
|---|---|
{chr(10).join(lines)}

Telegraf is built with the four plugins that it needs here, and no others.
"""


def stages(rows):
    lines = ["| stage | | median |", "|---|---|---|"]
    for name, what in dict.fromkeys((row["stage"], row["what"]) for row in rows):
        values = [value / 1_000 for value in rows.where(stage=name, what=what).of("median_ns")]
        lines.append(f"| {name} | {what} | {spread(values, ' µs')} |")
    return f"""## Each stage alone

`cargo bench --bench micro`: an iteration of `decode` (reading alone) and `map` (record to line) is a record, of `gzip`, `collisions` and
`tracker` a batch of 5,000. *Known shape*: only values differ from record to record. *Spaced anew*: the keys are known, the whitespace between them never is,
so no skeleton fits. *New shape*: the order of keys changes, too, and some are new. None of them allocates (`tests/allocations.rs`), but for a shape in a
thousand that is learned.

{chr(10).join(lines)}
"""


def growth(rows):
    steps = targets.growing(rows)
    lines = ["| | | processor, µs a record | ns a byte | records/s | beside the step before |", "|---|---|---|---|---|---|"]
    for axis, name in AXES.items():
        before = dict(steps.get(axis, []))
        for step in dict.fromkeys(rows.where(axis=axis).of("step")):
            here = rows.where(axis=axis, step=step)
            columns = [spread(here.of(key)) for key in ("processor_us", "processor_ns_byte", "rate")]
            ratio = f"{before[step]:.2f}" if step in before else ""
            lines.append(f"| {name} | {step:,} | {' | '.join(columns)} | {ratio} |")
    return f"""## How cost grows

![growth of processor time](benchmarks-growth.svg)

Records have six numbers and one of 100 hosts, 90 bytes, in 6 partitions, but for what grows. The last column is the trend: what a record costs beside the step
before, or what a byte costs where records grow.

{chr(10).join(lines)}
"""


def growth_plot(rows):
    panels = []
    for axis, name in AXES.items():
        here = rows.where(axis=axis)
        points = [(step, median(here.where(step=step).of("processor_us"))) for step in dict.fromkeys(here.of("step"))]
        panels.append((name, points))
    return plot.lines("Processor time, microseconds a record, as one thing grows (logarithmic)", panels)
