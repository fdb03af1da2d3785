"""The scenarios, one function each. Each returns the number of storable records; `stage` counts the other records."""

import signal
import time

OUTAGE_S = 8
RATE = 100  # records a second while something is wrong
DAY_MS = 24 * 3600 * 1000


def record(n, at_ms, value=None, host="h1"):
    value = n if value is None else f'"{value}"'
    return f'{{"host":"{host}","at":{at_ms},"n":{n},"value":{value}}}'


def numbered(count):
    """Each record has its own number and timestamp."""
    begin_ms = now_ms() - count
    return [record(n, begin_ms + n) for n in range(count)]


def now_ms():
    return time.time_ns() // 1_000_000


def kill(stage):
    """2,000 records, the 701st undecodable; InfluxDB down for 8 s; SIGKILL of the program; InfluxDB up; the program started again"""
    records = numbered(2_000)
    records[700] = "connection to the agent lost"
    stage.influx.signal(signal.SIGKILL)
    stage.produce(records)
    stage.start()
    time.sleep(OUTAGE_S)
    stage.kill()
    stage.influx.start()
    stage.start()
    return 1_999


def malformed(stage):
    """100 records, then 100 more; one of the first has a tag of 70,000 characters: InfluxDB accepts 65,535 (400)"""
    one_hundred_and_more(stage, lambda at_ms: record(50, at_ms, host="h" * 70_000))
    return 199


def conflict(stage):
    """100 records, then 100 more; one of the first has a string where the field is a number (422)"""
    stage.influx.write(stage.bucket, [f"m,host=h1 value=0 {now_ms() - 60_000}"])
    one_hundred_and_more(stage, lambda at_ms: record(50, at_ms, "text"))
    return 199


def one_hundred_and_more(stage, bad):
    """Produces a second batch, so that the program commits beyond the record that it skips."""
    records = numbered(200)
    records[50] = bad(now_ms())
    stage.produce(records[:100])
    stage.start()
    time.sleep(3)
    stage.produce(records[100:])


def shards(stage):
    """10 times 1,000 records of four weeks, each week a shard; in each thousand one has a string where the field is a number (422)"""
    weeks = [now_ms() - 7 * DAY_MS * week for week in range(4)]
    stage.influx.write(stage.bucket, [f"m,host=h1 value=0 {week - 60_000}" for week in weeks])
    stage.start()
    for thousand in range(0, 10_000, 1_000):
        good = [record(n, weeks[n % 3] + n) for n in range(thousand + 1, thousand + 1_000)]
        stage.produce([record(thousand, weeks[3] + thousand, "text"), *good])
        time.sleep(1)
    return 9_990


def retention(stage):
    """10 times 100 records into a bucket with a retention of one hour; in each hundred one is of yesterday (422)"""
    stage.start()
    base_ms = now_ms()
    for hundred in range(0, 1_000, 100):
        numbers = range(hundred, hundred + 100)
        stage.produce([record(n, base_ms + n - (DAY_MS if n % 100 == 50 else 0)) for n in numbers])
        time.sleep(1.2)
    return 990


def missing(stage):
    """3,000 records in 30 s; the bucket is created 8 s after the first (404)"""
    outage(stage, lambda: None, lambda: stage.influx.create_bucket(stage.bucket), after_s=0)
    return 3_000


def token(stage):
    """3,000 records in 30 s; for 8 s the token is inactive (401)"""
    set_token = lambda status: lambda: stage.influx.set_token(stage.token_id, status)
    outage(stage, set_token("inactive"), set_token("active"))
    return 3_000


def paused(stage):
    """3,000 records in 30 s; InfluxDB is paused for 8 s (SIGSTOP)"""
    outage(stage, lambda: stage.influx.signal(signal.SIGSTOP), lambda: stage.influx.signal(signal.SIGCONT))
    return 3_000


def unavailable(stage):
    """3,000 records in 30 s; for 8 s a proxy in front of InfluxDB answers 503"""
    outage(stage, lambda: stage.gate(503), lambda: stage.gate(None))
    return 3_000


def not_found(stage):
    """3,000 records in 30 s; for 8 s a proxy in front of InfluxDB answers 404"""
    outage(stage, lambda: stage.gate(404), lambda: stage.gate(None))
    return 3_000


def outage(stage, begin, end, after_s=3):
    """Produces 3,000 records at an even rate; the fault begins and ends in their midst."""
    stage.start()
    producing = stage.produce_meanwhile(numbered(3_000), RATE)
    time.sleep(after_s)
    begin()
    time.sleep(OUTAGE_S)
    end()
    producing.result()


ALL = [kill, malformed, conflict, shards, retention, missing, not_found, unavailable, token, paused]
OWN_SERVER = {kill, paused}  # the others write to the server of tests/stack, and disturb nobody
RETENTION_S = {retention: 3600}
NO_BUCKET = {missing}
