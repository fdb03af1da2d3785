"""peer.py BROKERS TOPIC GROUP URL [--gzip]: a typical hand-written script, for the records of the EC2 example.

It reads 5,000 records at once, writes their points in one request, and commits.
"""

import json
import sys

from confluent_kafka import Consumer
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

BATCH = 5_000


def point(message):
    record = json.loads(message.value())
    made = Point(record["ec2Number"]).tag("host", "Cluster").tag("test", message.topic())
    for group in ("cpu", "disk", "mem"):
        for name, value in record[group].items():
            made.field(f"{group}_{name}", float(value))
    return made.time(message.timestamp()[1], WritePrecision.MS)


def main(brokers, topic, group, url, gzip=None):
    settings = {"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    consumer.subscribe([topic])
    client = InfluxDBClient(url, "t", org="o", enable_gzip=bool(gzip))
    write_api = client.write_api(write_options=SYNCHRONOUS)
    while True:
        messages = [message for message in consumer.consume(BATCH, timeout=0.5) if not message.error()]
        if messages:
            write_api.write("b", record=[point(message) for message in messages], write_precision=WritePrecision.MS)
            consumer.commit(asynchronous=False)


main(*sys.argv[1:])
