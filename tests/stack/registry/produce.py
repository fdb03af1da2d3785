"""Writes records with Confluent's serializers: produce.py BROKERS REGISTRY TOPIC FORMAT VERSION FIRST COUNT

FORMAT is avro, json or protobuf. VERSION 2 of the schema has one more field, and another order of fields. Prints the ids of the topic's schemas.
"""

import json
import sys
from datetime import datetime, timezone
from decimal import Decimal

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.json_format import ParseDict

brokers, registry, topic, record_format, version = sys.argv[1:6]
first, count = int(sys.argv[6]), int(sys.argv[7])

ID = {"name": "id", "type": "string"}
AT = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
LOAD = {"name": "load", "type": ["null", "double"], "default": None}
COST = {"name": "cost", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}}
COUNT = {"name": "count", "type": "long", "default": 0}
TAGS = {"name": "tags", "type": {"type": "map", "values": "string"}, "default": {}}
FIELDS = {"1": [ID, AT, LOAD, COST], "2": [COUNT, ID, TAGS, AT, LOAD, COST]}


def metric_class():
    """The message acme.Metric, whose file imports another one. It is the second message of its file."""
    kinds = {"id": "STRING", "at": ".google.protobuf.Timestamp", "load": "DOUBLE", "cost": "DOUBLE"}
    kinds |= {"count": "INT64", "tags": ".acme.Tags"} if version == "2" else {}
    files = [
        file("acme/tags.proto", [], {"Tags": {"site": "STRING"}}),
        file("metric.proto", ["acme/tags.proto", timestamp_pb2.DESCRIPTOR.name], {"Other": {}, "Metric": kinds}),
    ]
    for one in files:
        descriptor_pool.Default().AddSerializedFile(one.SerializeToString())
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("acme.Metric"))


def file(name, imports, messages):
    declared = [{"name": name, "field": [field(*of) for of in enumerate(kinds.items(), 1)]} for name, kinds in messages.items()]
    # In proto2 each field has presence.
    return ParseDict({"name": name, "package": "acme", "syntax": "proto2", "dependency": imports, "messageType": declared}, FileDescriptorProto())


def field(number, of):
    name, kind = of
    kind = {"type": "TYPE_MESSAGE", "typeName": kind} if kind.startswith(".") else {"type": f"TYPE_{kind}"}
    return {"name": name, "number": number, "label": "LABEL_OPTIONAL"} | kind


client = SchemaRegistryClient({"url": registry})
if record_format == "avro":
    schema = {"type": "record", "name": "Metric", "namespace": "acme", "fields": FIELDS[version]}
    serialize = AvroSerializer(client, json.dumps(schema))
elif record_format == "protobuf":
    Metric = metric_class()
    serialize = ProtobufSerializer(Metric, client, {"use.deprecated.format": False})
else:
    properties = {"id": {"type": "string"}, "at": {"type": "integer"}, "load": {"type": "number"}}
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Metric", "type": "object", "properties": properties}
    serialize = JSONSerializer(json.dumps(schema), client)


def value(number):
    at_ms = 1_700_000_000_000 + number
    if record_format == "json":
        return {"id": str(number), "at": at_ms, "load": number / 2}
    if record_format == "protobuf":
        return metric(number, at_ms)
    record = {
        "id": str(number),
        "at": datetime.fromtimestamp(at_ms / 1000, timezone.utc),
        "load": None if number % 10 == 3 else number / 2,
        "cost": Decimal(number) / 100,
    }
    if version == "2":
        record |= {"count": 2**60 + number, "tags": {"site": "seoul"}}
    return record


def metric(number, at_ms):
    message = Metric(id=str(number), cost=number / 100)
    message.at.FromMilliseconds(at_ms)
    if number % 10 != 3:
        message.load = number / 2
    if version == "2":
        message.count = 2**60 + number
        message.tags.site = "seoul"
    return message


producer = Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": 1_000_000})
for number in range(first, first + count):
    context = SerializationContext(topic, MessageField.VALUE)
    producer.produce(topic, serialize(value(number), context), partition=0)
producer.flush()
subject = topic + "-value"
print(*[client.get_version(subject, known).schema_id for known in client.get_versions(subject)])
