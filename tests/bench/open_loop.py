"""Latency while records arrive on a schedule that does not wait for answers, at a share of the rate that InfluxDB can take."""

import bisect
import contextlib
import threading
import time
import urllib.parse

import influx as real
import programs
from moments import WARM
from stage import POLL_S, START_S, Child, Failed, Receiver, Topic, flags, tail

SECONDS = 20
# At half of InfluxDB's rate, the producer, the receiver and the queries leave the other programs less than they need on two cores: the bridge
# fell 5 s behind, and Telegraf did not answer within 30 s.
SHARE = 4
BACKLOG_RECORDS = 1_500_000  # of 42 fields: more than InfluxDB takes in this time
BACKLOG_PER_SECOND = 1_000  # records on the schedule while InfluxDB is busy with a backlog
CEILING_RECORDS = 1_000_000
BATCH = 'age_max = "50ms"'
TUNED = (*programs.TUNED[:3], "50ms")  # a flush interval like the bridge's age_max
ASK_S = 0.02
NEWEST = "SELECT last(sent) FROM m GROUP BY host"


def run(stage):
    seconds = 3 if stage.smoke else SECONDS
    for round_number in range(min(stage.rounds, 3)):
        rate = ceiling(stage) / SHARE
        for name, backlog in (("bridge", False), ("telegraf", False), ("bridge", True)):
            per_second = BACKLOG_PER_SECOND if backlog else round(rate)
            what = {"round": round_number, "program": name, "backlog": backlog, "per_second": per_second}
            # A query costs InfluxDB as much as thousands of points, so answers are measured in a run without queries.
            for asks in (False, True):
                what |= one(stage, name, backlog, per_second, per_second * seconds, asks)
            yield what


def ceiling(stage):
    """Points/s of the same records that InfluxDB takes from the bridge, which has all of them waiting in Kafka."""
    records = stage.count(CEILING_RECORDS, least=100_000)
    topic = stage.topic(records, "timed")
    with real.influxd(stage) as influx:
        return real.measure(stage, real.program(stage, "bridge", "timed", topic, records, influx), influx, records)["rate"]


def one(stage, name, backlog, per_second, records, asks):
    """Latencies to the answer, or to a query's result."""
    topic = stage.topic(WARM, "timed")
    with real.influxd(stage) as influx, Receiver(stage, keep=True, forward=influx.url.removeprefix("http://")) as receiver:
        command = program(stage, name, topic, backlog, influx, receiver)
        with Child(stage, command, stage.next_name()) as child:
            await_records(child, receiver, WARM)
            options = {"kind": "timed", "records": records, "per_second": per_second, "topic": topic.name}
            receiver.ask("forget")
            with Queries(influx) if asks else contextlib.nullcontext() as queries:
                begin_us = stage.tool("produce", *flags(options))["begin_us"]
                answered = await_records(child, receiver, records)
                time.sleep(2 * ASK_S)
    stage.drop_topics(topic)
    return queries.latencies(begin_us, per_second) if asks else answered


def program(stage, name, topic, backlog, influx, receiver):
    place = {"org": influx.org, "bucket": "first", "token": influx.token}
    if name == "telegraf":
        return programs.telegraf(stage, "timed", topic, "none", TUNED, **place)(receiver)
    if not backlog:
        return programs.bridge(stage, "timed", topic, batch=BATCH, **place)(receiver)
    other = stage.topic(stage.count(BACKLOG_RECORDS), "wide")
    both = Topic("", [topic.name, other.name])
    mappings = {name: programs.MAPPINGS[kind] for name, kind in zip(both.names, ("timed", "wide"))}
    return programs.bridge(stage, "timed", both, batch=BATCH, mapping=mappings, **place)(receiver)


def await_records(child, receiver, records):
    """Waits until the records of the schedule are answered, whatever arrives of a backlog. Returns their latencies."""
    deadline = time.monotonic() + START_S
    while (told := receiver.ask("latencies"))["records"] < records:
        child.check()
        if time.monotonic() > deadline:
            raise Failed(f"{told['records']} of {records} records were answered: {tail(child.log)}")
        time.sleep(POLL_S)
    return told


class Queries:
    """Asks InfluxDB repeatedly up to which record all can be queried."""

    def __init__(self, influx):
        self.influx, self.ended = influx, threading.Event()
        self.seen = []  # time of the answer, and time for which the newest record was due that can be queried with all before it
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        query = urllib.parse.urlencode({"db": "first", "q": NEWEST})
        while not self.ended.wait(ASK_S):
            series = self.influx.ask("GET", f"/query?{query}")["results"][0].get("series", [])
            # Each host's records are in one partition, in order.
            oldest_us = min((one["values"][0][1] for one in series), default=0)
            if not self.seen or oldest_us > self.seen[-1][1]:
                self.seen.append((time.time() * 1e6, oldest_us))

    def latencies(self, begin_us, per_second):
        """Milliseconds until a query returned the records of the schedule, each of which is due at its time."""
        dues = [due for _, due in self.seen]
        all_ms = []
        for n in range(int((dues[-1] - begin_us) / 1e6 * per_second)):
            due = begin_us + n * 1e6 / per_second
            at, _ = self.seen[bisect.bisect_left(dues, due)]
            all_ms.append((at - due) / 1e3)
        all_ms.sort()
        at = lambda share: all_ms[round((len(all_ms) - 1) * share)]
        return {"queried": len(all_ms), "queried_p50_ms": at(0.5), "queried_p99_ms": at(0.99), "queried_p999_ms": at(0.999)}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
