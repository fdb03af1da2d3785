"""A minimal Kafka client for the scenarios: creates a topic of one partition, produces records, reads committed offsets.

kcat makes no topics and shows no commits, and Kafka's own tools take two seconds for each; both are one request of the protocol.
"""

import socket
import struct
import subprocess
import time

CREATE_TOPICS, OFFSET_FETCH = (19, 2), (9, 3)  # key and version: the oldest that Kafka 4 understands, before tagged fields
TICK_S = 0.05


class Kafka:
    """A cluster of one broker, which is controller and coordinator, too."""

    def __init__(self, broker):
        self.broker = broker

    def create_topic(self, topic):
        one = _string(topic) + struct.pack(">ihii", 1, 1, 0, 0)  # partitions, replication; no assignments, no settings
        body = struct.pack(">i", 1) + one + struct.pack(">i?", 30_000, False)
        answer = self._ask(CREATE_TOPICS, body)
        _throttle, _count, name_length = struct.unpack_from(">iih", answer)
        (error,) = struct.unpack_from(">h", answer, 10 + name_length)
        if error:
            raise RuntimeError(f"cannot create the topic {topic}: error {error} of Kafka's protocol")

    def committed(self, topic):
        """The committed offset of the group with the topic's name; -1 if nothing is committed."""
        body = _string(topic) + struct.pack(">i", 1) + _string(topic) + struct.pack(">ii", 1, 0)
        answer = self._ask(OFFSET_FETCH, body)
        _throttle, _count, name_length = struct.unpack_from(">iih", answer)
        _count, _partition, offset = struct.unpack_from(">iiq", answer, 10 + name_length)
        return offset

    def produce(self, topic, records, per_second=None):
        """Produces records, and returns when all are in Kafka. `per_second` spreads them evenly."""
        command = ["kcat", "-P", "-b", self.broker, "-t", topic, "-p", "0", "-X", "linger.ms=5,acks=all"]
        kcat = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        step = max(1, round(per_second * TICK_S)) if per_second else len(records)
        begin = time.monotonic()
        for first in range(0, len(records), step):
            if per_second:
                time.sleep(max(0, begin + first / per_second - time.monotonic()))
            kcat.stdin.write("".join(record + "\n" for record in records[first : first + step]))
            kcat.stdin.flush()
        _, said = kcat.communicate()
        if kcat.returncode:
            raise RuntimeError(f"kcat cannot produce: {said}")

    def _ask(self, request, body):
        host, port = self.broker.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            message = struct.pack(">hhi", *request, 1) + _string("loss") + body
            connection.sendall(struct.pack(">i", len(message)) + message)
            with connection.makefile("rb") as answer:
                (length,) = struct.unpack(">i", answer.read(4))
                return answer.read(length)[4:]  # after the number of the request


def _string(text):
    return struct.pack(">h", len(text.encode())) + text.encode()
