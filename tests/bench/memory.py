"""Maximum memory with a backlog for different states of InfluxDB, and the size of the executables."""

import os
import time

import programs
from servers import free_port
from stage import Child, Receiver

BACKLOG_RECORDS = 2_700_000  # 2 GB of wide ones
WATCHED_S = 15
SINKS = {"takes all": "answer 204", "answers 503": "answer 503", "does not listen": None}


def memory(stage):
    topic = stage.topic(stage.count(BACKLOG_RECORDS), "wide")
    for round_number in range(min(stage.rounds, 2)):
        for sink, command in SINKS.items():
            row = {"round": round_number, "sink": sink, "backlog_bytes": topic.bytes}
            yield row | {"memory_mb": peak(stage, topic, command)}
    stage.drop_topics(topic)


def peak(stage, topic, command):
    """Uses compression, because it needs additional buffers."""
    with Receiver(stage) as receiver:
        receiver.ask(command or "status")
        if not command:
            receiver.url = f"http://127.0.0.1:{free_port()}"
        with Child(stage, programs.bridge(stage, "wide", topic, "gzip")(receiver), stage.next_name()) as child:
            time.sleep(2 if stage.smoke else WATCHED_S)
            child.check()
            return child.memory_mb()


def size(stage):
    for name, path in (("bridge", stage.bridge), ("telegraf", stage.telegraf)):
        yield {"program": name, "bytes": os.path.getsize(path)}
