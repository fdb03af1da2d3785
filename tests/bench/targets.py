"""The targets of the bridge, and whether the results meet them."""

import server_cost as kinds
from results import Rows, median

# Kind, compression, minimum ratio of Telegraf's CPU time to the bridge's, minimum ratio of the bridge's rate to Telegraf's.
BESIDE_TELEGRAF = [("ec2", "gzip", 13, 5), ("wide", "gzip", 18, None), ("ec2", "none", 12, 8), ("wide", "none", 16, None)]
BESIDE_LIMIT = 1.4
BESIDE_LOAD, INFLUX_BESIDE_TELEGRAF = 1.0, 1.8
# Kind of record: largest ratio of InfluxDB's CPU per point to that with Telegraf, least ratio of the rates.
SERVER_COST = {"wide": (0.75, 2.5), "shaped": (0.8, None)}
# Maximum ratio of a format's CPU time to that of the same values as JSON, and minimum ratio of Telegraf's to the bridge's with the same format.
BESIDE_JSON = {"influx": 0.95, "msgpack": 1.5, "avro": 2, "protobuf": 3}
FORMAT_BESIDE_TELEGRAF = 5
COPIED_BESIDE_JSON = 0.6
P50_MS, P99_MS = 60, 120
SCHEDULED_P99_MS = 100
START_MS = 500
MEMORY_MB = 64
ACKNOWLEDGED_PER_S = 100_000
# By endpoint: seconds and requests for a batch with bad lines.
REFUSED_S = {"`v3`, partial writes": 2, "`v1`": 3}
REFUSED_REQUESTS = {"`v3`, partial writes": 2}
# Ratio of another lane's rate to its rate while no line is refused.
BESIDE_REFUSED = 0.9
SIZE_MB = 16
STEP = 1.3
# Quantity, its name, a step and an earlier one, and the maximum ratio of their CPU time per record.
GROWTH = [("partitions", "partitions", 1_000, 300, 1.3), ("topics", "mappings", 200, 20, 1.3)]
# Two stages, and the greatest ratio of the first to the second.
RATIOS = [
    ("copied line protocol / JSON", "influx_copied, {kind}", "{kind}, known shape", COPIED_BESIDE_JSON),
    ("spaced anew / known shape", "{kind}, spaced anew", "{kind}, known shape", 2.5),
    ("new shape / known shape", "{kind}, new shape", "{kind}, known shape", 3.5),
    ("tags of outer objects / none", "in_lists_with_outer_tags, {kind}", "in_lists, {kind}", 1.5),
]
# Mapping alone: kind, shape, nanoseconds.
MAP_NS = [("ec2", "known shape", 100), ("ec2", "spaced anew", 300), ("wide", "known shape", 600), ("wide", "spaced anew", 1_600)]

# Reasons for missed targets, from profiles: the beginnings of the target's name, and the reason.
REASONS = [
    (
        ("CPU of Telegraf / the bridge, ec2, not compressed", "rate of the bridge / Telegraf, ec2, not compressed"),
        "librdkafka's fetch thread allocates each record's entry and the data thread frees it, so both wait for one lock of glibc's allocator, "
        "which takes a quarter of the CPU time. An allocator without that lock (mimalloc, preloaded) reduced 0.86 µs a record to 0.62, but raised the maximum memory "
        "of `wide` records, gzip, from 41 MB to 55 to 63 MB, so the bridge keeps glibc's",
    ),
    (
        ("CPU of Telegraf / the bridge, ec2, gzip", "CPU of Telegraf / the bridge, wide, gzip"),
        "most of the CPU time is librdkafka's and that of gzip: the limit, which maps nothing and compresses with libdeflate, costs about as much as the bridge for `ec2`",
    ),
    (
        ("InfluxDB's CPU per point, the bridge / Telegraf", "points into InfluxDB, the bridge / Telegraf, 2,000 series"),
        "each run begins with batches of 5,000 lines and a large one as a whole, and single runs vary by a tenth: two pairs of the day with 42 fields gave 0.73 and 0.64 of Telegraf's "
        "CPU time per point, and 2.3 and 2.6 times its rate. The bridge and InfluxDB then use both cores, so only less work of InfluxDB would raise the rate",
    ),
    (
        ("maximum memory with a backlog, while InfluxDB answers after 1 s, then 503",),
        "`memory_max` fills only while large batches fail, with 26 MB of 52 MB that are not files. Requests of half a part, and requests whose text is unpacked while it is sent, "
        "reduced nothing; the rest is not attributed yet",
    ),
    (
        ("record to answer, p99",),
        "Kafka, the producer, the receiver, InfluxDB and the program share two cores. Beside a backlog, which keeps both busy, InfluxDB answered requests of 26 lines after 35 ms (median) "
        "and 158 ms (p99); without one, p99 from record to answer was 56 ms at 1,000 records/s, 85 ms at 20,000 and 146 ms at 40,000. With one large request at a time instead of two, p99 "
        "beside the backlog was 162 and 234 ms instead of 222 and 239 ms, and InfluxDB worked a quarter less on it",
    ),
    (
        ("size of the executable",),
        "15 of 20 MB are machine code: 3 MB are OpenSSL and librdkafka, 1.7 MB `core`, 1.1 MB the commands, 0.6 MB `migrate`, 0.7 MB Protobuf's descriptors and compiler",
    ),
    (
        ("largest step of growth (partitions", "CPU with 1,000 partitions / with 300", "CPU with 200 mappings / with 20"),
        "the threads of librdkafka take the additional time: each fetch requests all partitions, of which each topic has one or more, and returns at most 128 kB, so that "
        "records that compress 250 to 1 cannot take hundreds of MB; "
        '`"fetch.max.bytes" = 1048576` in `[kafka.librdkafka]` reduced 1.48 µs a record to 0.81, with 42 MB',
    ),
    (
        ("CPU of msgpack / JSON",),
        "MessagePack has a float in eight bytes, of which the shortest decimal text has to be computed, while JSON has the text",
    ),
    (
        ("record to line",),
        "a known shape takes 2,300 instructions (`ec2`) or 9,500 (`wide`). Two to three fifths of them compare the text between the values, and check and copy "
        "numbers, about 130 for each. The rest handles name, tags, strings, time and UTF-8. Other white space takes 1.5 times as many instructions, because "
        "tokens are compared instead of bytes. Another order of keys takes 2.6 times (`ec2`) or 3.0 times (`wide`) as many: a third reads values, a quarter looks up "
        "keys, and a fifth reads the keys and what stands between them",
    ),
]


def table(sections):
    """Rows of name, target, measured value and whether the target is met, for the sections with results."""
    makers = {"cost": cost, "acknowledgement": acknowledgement, "refusals": refusals, "influx": influx, "latency": latency, "open-loop": open_loop, "start": start}
    makers |= {"formats": formats, "server-cost": server_cost, "memory": memory, "size": size, "growth": growth, "stages": stages}
    return [row for name, maker in makers.items() if sections.get(name) for row in maker(Rows(sections[name]))]


def reasons(table):
    """The reasons for the missed targets."""
    missed = [what for what, _, _, met in table if not met]
    return [reason for beginnings, reason in REASONS if any(what.startswith(beginnings) for what in missed)]


def cost(rows):
    for kind, compression, less, faster in BESIDE_TELEGRAF:
        here = rows.where(kind=kind, compression=compression)
        bridge, telegraf = here.where(program="bridge"), here.where(program="telegraf")
        what = f"{kind}, {words(compression)}"
        yield at_least(f"CPU of Telegraf / the bridge, {what}", less, telegraf.ratios("processor_us", bridge))
        if faster:
            yield at_least(f"rate of the bridge / Telegraf, {what}", faster, bridge.ratios("rate", telegraf))
    for kind in ("ec2", "wide"):
        here = rows.where(kind=kind, compression="gzip")
        over = here.where(program="bridge").ratios("processor_us", here.where(program="limit"))
        yield at_most(f"CPU of the bridge / the limit, {kind}, gzip", BESIDE_LIMIT, over)


def formats(rows):
    for kind in dict.fromkeys(rows.of("kind")):
        bridge, telegraf = (rows.where(kind=kind, program=program) for program in ("bridge", "telegraf"))
        for name, most in BESIDE_JSON.items():
            if ratios := bridge.where(format=name).ratios("processor_us", bridge.where(format="json")):
                yield at_most(f"CPU of {name} / JSON, {kind}", most, ratios)
        for name in dict.fromkeys(telegraf.of("format")):
            ratios = telegraf.where(format=name).ratios("processor_us", bridge.where(format=name))
            yield at_least(f"CPU of Telegraf / the bridge, {name}, {kind}", FORMAT_BESIDE_TELEGRAF, ratios)


def influx(rows):
    bridge = rows.where(program="bridge")
    yield at_least("points into InfluxDB, the bridge / bare load", BESIDE_LOAD, bridge.ratios("rate", rows.where(program="load")))
    yield at_least(
        "points into InfluxDB, the bridge / Telegraf", INFLUX_BESIDE_TELEGRAF, bridge.ratios("rate", rows.where(program="telegraf"))
    )


def server_cost(rows):
    for kind, (cost_max, rate_min) in SERVER_COST.items():
        here = rows.where(kind=kind, lines=None)
        bridge, telegraf = here.where(program="bridge"), here.where(program="telegraf")
        what = f"the bridge / Telegraf, 2,000 series, {kinds.fields(kind)} fields"
        yield at_most(f"InfluxDB's CPU per point, {what}", cost_max, bridge.ratios("influx_us", telegraf))
        if rate_min:
            yield at_least(f"points into InfluxDB, {what}", rate_min, bridge.ratios("rate", telegraf))


def acknowledgement(rows):
    for answers, compression in dict.fromkeys((row["answers"], row["compression"]) for row in rows):
        here = rows.where(answers=answers, compression=compression)
        what = f"answers {answers}, {words(compression)}"
        yield at_least(f"points/s, {what}", ACKNOWLEDGED_PER_S, here.of("rate_from_begin"))
        yield at_most(f"maximum memory, {what}", MEMORY_MB, here.of("memory_mb"), " MB")


def refusals(rows):
    for server, bad in dict.fromkeys((row["server"], row["bad"]) for row in rows):
        here, what = rows.where(server=server, bad=bad), f"{bad} of 5,000 lines refused, {server}"
        if server in REFUSED_REQUESTS:
            yield at_most(f"requests, {what}", REFUSED_REQUESTS[server], here.of("requests"))
        if server in REFUSED_S:
            yield at_most(f"time, {what}", REFUSED_S[server], here.of("seconds"), " s")
        yield at_least(f"rate of another lane / none refused, {what}", BESIDE_REFUSED, here.of("other_ratio"))


def latency(rows):
    yield at_most("record to response, p50", P50_MS, rows.of("p50_ms"), " ms")
    yield at_most("record to response, p99", P99_MS, rows.of("p99_ms"), " ms")


def open_loop(rows):
    for backlog in dict.fromkeys(rows.of("backlog")):
        here = rows.where(program="bridge", backlog=backlog)
        what = "with a backlog in another topic" if backlog else "a quarter of InfluxDB's rate"
        yield at_most(f"record to answer, p99, {what}", SCHEDULED_P99_MS, here.of("p99_ms"), " ms")


def start(rows):
    yield at_most("start to the first record, after a SIGKILL", START_MS, rows.of("start_ms"), " ms")


def memory(rows):
    for sink in dict.fromkeys(rows.of("sink")):
        what = f"maximum memory with a backlog, while InfluxDB {sink}"
        yield at_most(what, MEMORY_MB, rows.where(sink=sink).of("memory_mb"), " MB")


def size(rows):
    (ours,) = rows.where(program="bridge").of("bytes")
    yield at_most("size of the executable", SIZE_MB, [ours / 1e6], " MB")


def growth(rows):
    for axis, name, step, before, most in GROWTH:
        here = rows.where(axis=axis)
        ratios = here.where(step=step).ratios("processor_us", here.where(step=before))
        # A small run has other steps.
        if ratios:
            yield at_most(f"CPU with {step:,} {name} / with {before:,}", most, ratios)
    worst = max((ratio, axis, step) for axis, steps in growing(rows).items() for step, ratio in steps)
    yield at_most(f"largest step of growth ({worst[1]}, {worst[2]:,})", STEP, [worst[0]])


def stages(rows):
    for kind, shape, most in MAP_NS:
        values = rows.where(stage="map", what=f"{kind}, {shape}").of("median_ns")
        yield at_most(f"record to line, {kind}, {shape}", most, values, " ns")
    for name, one, other, most in RATIOS:
        for kind in ("ec2", "wide"):
            ones, others = (rows.where(stage="map", what=what.format(kind=kind)).of("median_ns") for what in (one, other))
            if ones and others:
                yield at_most(f"record to line, {kind}, {name}", most, [one / other for one, other in zip(ones, others)])


def growing(rows):
    """For each quantity, each step's cost relative to the previous step: per record, or per byte where records grow."""
    axes = {}
    for axis in dict.fromkeys(rows.of("axis")):
        key = "processor_ns_byte" if axis in ("bytes", "fields") else "processor_us"
        here = rows.where(axis=axis)
        costs = [(step, median(here.where(step=step).of(key))) for step in dict.fromkeys(here.of("step"))]
        axes[axis] = [(step, cost / before) for (_, before), (step, cost) in zip(costs, costs[1:])]
    return axes


def at_least(what, wanted, values, unit=""):
    measured = median(values)
    return what, f"at least {wanted}{unit}", spread(values, unit), round(measured, 2) >= wanted


def at_most(what, wanted, values, unit=""):
    measured = median(values)
    return what, f"at most {wanted}{unit}", spread(values, unit), round(measured, 2) <= wanted


def spread(values, unit=""):
    """The median, with minimum and maximum if there are several values."""
    middle = digits(median(values)) + unit
    return middle if len(values) == 1 else f"{middle} ({digits(min(values))}–{digits(max(values))})"


def digits(value):
    """Formats with three significant digits."""
    if value >= 1_000:
        return f"{round(value, 3 - len(str(int(value)))):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def words(compression):
    return {"none": "not compressed"}.get(compression, compression)
