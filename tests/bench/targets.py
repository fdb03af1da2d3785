"""What the bridge is meant to reach, and whether the figures say that it does."""

from results import Rows, median

# Kind, compression, how many times less processor than Telegraf, how many times its rate.
BESIDE_TELEGRAF = [("ec2", "gzip", 10, 5), ("wide", "gzip", 9, None), ("ec2", "none", 12, 8), ("wide", "none", 16, None)]
BESIDE_LIMIT = 1.4
BESIDE_LOAD, INFLUX_BESIDE_TELEGRAF = 0.85, 1.8
P50_MS, P99_MS = 60, 120
START_MS = 500
MEMORY_MB = 48
SIZE_MB = 16
STEP = 1.3
# Of the mapping alone: kind, shape, nanoseconds.
MAP_NS = [("ec2", "known shape", 100), ("ec2", "spaced anew", 300), ("wide", "known shape", 600), ("wide", "spaced anew", 1_600)]

# Why a target is not met, as profiles say: the beginnings of what it says of itself, and the reason.
REASONS = [
    (
        ("processor of Telegraf / the bridge, ec2, not compressed", "rate of the bridge / Telegraf, ec2, not compressed"),
        "librdkafka's fetch thread allocates each record's entry and the data thread frees it, so both wait for one lock of glibc's allocator: "
        "a quarter of the processor time. An allocator without that lock (mimalloc, preloaded) brought 0.86 µs a record down to 0.62, and the most memory "
        "of `wide` records, gzip, from 41 MB up to 55 to 63 MB, so the bridge keeps glibc's",
    ),
    (
        ("worst step of growth (partitions",),
        "each fetch asks for all partitions and brings at most 128 kB, so that records that compress 250 to 1 can't take hundreds of MB; "
        '`"fetch.max.bytes" = 1048576` in `[kafka.librdkafka]` made it 0.81 µs a record where it was 1.48, with 42 MB',
    ),
    (
        ("record to line",),
        "a known shape takes 2,300 instructions (`ec2`) or 9,500 (`wide`), two to three fifths of them on comparing what stands between its scalars and on checking "
        "and copying numbers, some 130 for each; the rest is its name, tags, strings, time and UTF-8; a shape that is not known spends two fifths on reading JSON, "
        "a quarter on finding its keys, an eighth each on its values and on writing",
    ),
]


def table(sections):
    """Rows of what, wanted, measured, and whether that is met; of the sections that were measured."""
    makers = {"cost": cost, "influx": influx, "latency": latency, "start": start, "memory": memory, "size": size, "growth": growth, "stages": stages}
    return [row for name, maker in makers.items() if sections.get(name) for row in maker(Rows(sections[name]))]


def reasons(table):
    """Of the targets that are not met."""
    missed = [what for what, _, _, met in table if not met]
    return [reason for beginnings, reason in REASONS if any(what.startswith(beginnings) for what in missed)]


def cost(rows):
    for kind, compression, less, faster in BESIDE_TELEGRAF:
        here = rows.where(kind=kind, compression=compression)
        bridge, telegraf = here.where(program="bridge"), here.where(program="telegraf")
        what = f"{kind}, {words(compression)}"
        yield at_least(f"processor of Telegraf / the bridge, {what}", less, telegraf.ratios("processor_us", bridge))
        if faster:
            yield at_least(f"rate of the bridge / Telegraf, {what}", faster, bridge.ratios("rate", telegraf))
    for kind in ("ec2", "wide"):
        here = rows.where(kind=kind, compression="gzip")
        over = here.where(program="bridge").ratios("processor_us", here.where(program="limit"))
        yield at_most(f"processor of the bridge / the limit, {kind}, gzip", BESIDE_LIMIT, over)


def influx(rows):
    bridge = rows.where(program="bridge")
    yield at_least("points into InfluxDB, the bridge / bare load", BESIDE_LOAD, bridge.ratios("rate", rows.where(program="load")))
    yield at_least(
        "points into InfluxDB, the bridge / Telegraf", INFLUX_BESIDE_TELEGRAF, bridge.ratios("rate", rows.where(program="telegraf"))
    )


def latency(rows):
    yield at_most("record to answer, half of them", P50_MS, rows.of("p50_ms"), " ms")
    yield at_most("record to answer, 99 of 100", P99_MS, rows.of("p99_ms"), " ms")


def start(rows):
    yield at_most("start to the first record, after a SIGKILL", START_MS, rows.of("start_ms"), " ms")


def memory(rows):
    for sink in dict.fromkeys(rows.of("sink")):
        what = f"most memory under a backlog, while InfluxDB {sink}"
        yield at_most(what, MEMORY_MB, rows.where(sink=sink).of("memory_mb"), " MB")


def size(rows):
    (ours,) = rows.where(program="bridge").of("bytes")
    yield at_most("size of the program", SIZE_MB, [ours / 1e6], " MB")


def growth(rows):
    worst = max((ratio, axis, step) for axis, steps in growing(rows).items() for step, ratio in steps)
    yield at_most(f"worst step of growth ({worst[1]}, {worst[2]:,})", STEP, [worst[0]])


def stages(rows):
    for kind, shape, most in MAP_NS:
        values = rows.where(stage="map", what=f"{kind}, {shape}").of("median_ns")
        yield at_most(f"record to line, {kind}, {shape}", most, values, " ns")


def growing(rows):
    """For each thing that grows, each step's cost over that of the step before: a record's, or a byte's where records grow."""
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
    """The median, and the smallest and largest where there are several."""
    middle = digits(median(values)) + unit
    return middle if len(values) == 1 else f"{middle} ({digits(min(values))}–{digits(max(values))})"


def digits(value):
    """Three of them that mean something."""
    if value >= 1_000:
        return f"{round(value, 3 - len(str(int(value)))):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def words(compression):
    return {"none": "not compressed"}.get(compression, compression)
