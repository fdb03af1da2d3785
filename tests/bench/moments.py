"""Latency: from a record to its response, and from a start to the first record."""

import signal
import time

import programs
from stage import POLL_S, START_S, Child, Failed, Receiver, flags, tail

PER_SECOND = 1_000
WARM = 1_000
STARTS = 10
KILLED_S = 0.2  # what a killed program sent is read until then


def latency(stage):
    """Each record contains its production time; the receiver compares it with the time of its response."""
    seconds = 3 if stage.smoke else 30
    for round_number in range(min(stage.rounds, 2)):
        topic = stage.topic(WARM, "timed")
        yield {"round": round_number} | one_latency(stage, topic, PER_SECOND * seconds)
        stage.drop_topics(topic)


def one_latency(stage, topic, records):
    command = programs.bridge(stage, "timed", topic, batch='age_max = "50ms"')
    with Receiver(stage, keep=True) as receiver, Child(stage, command(receiver), stage.next_name()) as child:
        await_lines(child, receiver, WARM)
        receiver.ask("forget")
        options = {"kind": "timed", "records": records, "per_second": PER_SECOND, "topic": topic.name}
        stage.tool("produce", *flags(options))
        await_lines(child, receiver, records)
        return receiver.ask("latencies")


def await_lines(child, receiver, lines):
    deadline = time.monotonic() + START_S
    while (there := receiver.ask("count")["lines"]) < lines:
        child.check()
        if time.monotonic() > deadline:
            raise Failed(f"{there} of {lines} records arrived: {tail(child.log)}")
        time.sleep(POLL_S)


def start(stage):
    """Kills a static member under load, and starts it again."""
    topic = stage.topic(stage.count(4_000_000))
    with Receiver(stage) as receiver:
        command = programs.bridge(stage, "ec2", topic, kafka=f'instance_id = "{stage.name}"')(receiver)
        for number in range(3 if stage.smoke else STARTS + 1):
            time.sleep(KILLED_S)
            receiver.ask("forget")
            begin_ns = time.time_ns()
            with Child(stage, command, stage.next_name()) as child:
                await_lines(child, receiver, 1)
                first_ns = receiver.ask("count")["first_ns"]
                child.end(signal.SIGKILL)
            # The first start joins as a new member, without assigned partitions.
            if number:
                yield {"start_ms": (first_ns - begin_ns) / 1e6}
