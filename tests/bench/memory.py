"""Maximum memory with a backlog for different states of InfluxDB, and the size of the executables."""

import os
import time

import programs
from servers import free_port
from stage import Child, Receiver

BACKLOG_RECORDS = 2_700_000  # 2 GB of wide ones
WATCHED_S = 15
# Commands for the receiver, one after another. With answers after a second batches grow, so that those that wait are large ones.
SINKS = {
    "takes all": ["answer 204"],
    "answers 503": ["answer 503"],
    "answers after 1 s, then 503": ["delay 1000", "answer 503"],
    "does not listen": [],
}


def memory(stage):
    topic = stage.topic(stage.count(BACKLOG_RECORDS), "wide")
    for round_number in range(min(stage.rounds, 2)):
        for sink, commands in SINKS.items():
            row = {"round": round_number, "sink": sink, "backlog_bytes": topic.bytes}
            yield row | {"memory_mb": peak(stage, topic, commands)}
    stage.drop_topics(topic)


def peak(stage, topic, commands):
    """Uses compression, because it needs additional buffers."""
    with Receiver(stage) as receiver:
        for command in commands[:1]:
            receiver.ask(command)
        if not commands:
            receiver.url = f"http://127.0.0.1:{free_port()}"
        with Child(stage, programs.bridge(stage, "wide", topic, "gzip")(receiver), stage.next_name()) as child:
            watch(stage, child)
            for command in commands[1:]:
                receiver.ask(command)
                watch(stage, child)
            return child.memory_mb()


def watch(stage, child):
    time.sleep(2 if stage.smoke else WATCHED_S)
    child.check()


def size(stage):
    for name, path in (("bridge", stage.bridge), ("telegraf", stage.telegraf)):
        yield {"program": name, "bytes": os.path.getsize(path)}
