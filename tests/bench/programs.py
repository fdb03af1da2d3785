"""The compared programs and their configurations."""

import json

from stage import HERE

# The mapping of each kind of record, for the bridge and for Telegraf.
MAPPINGS = {
    "ec2": 'name_key = "ec2Number"\ntopic_tag = "test"\ntags = { host = "Cluster" }',
    "wide": 'name_key = "name"\ntag_keys = ["region", "rack", "host"]\nstring_fields = ["disks_*_dev"]\n'
    'time_key = "ts"\ntime_format = "unix_ms"',
    "shaped": 'measurement = "m"\ntag_keys = ["host"]\nstring_fields = ["text"]',
    "timed": 'measurement = "m"\ntag_keys = ["host"]',
    "number": 'measurement = "m"',
    "text": 'measurement = "m"\nstring_fields = ["value"]',
}
TELEGRAF_MAPPINGS = {
    "ec2": 'topic_tag = "test"\njson_name_key = "ec2Number"\n[inputs.kafka_consumer.tags]\nhost = "Cluster"',
    "wide": 'json_name_key = "name"\ntag_keys = ["region", "rack", "host"]\njson_string_fields = ["disks_*_dev"]\n'
    'json_time_key = "ts"\njson_time_format = "unix_ms"',
    "shaped": 'name_override = "m"\ntag_keys = ["host"]',
    "timed": 'name_override = "m"\ntag_keys = ["host"]',
}
# InfluxDB's token; the receiver accepts any.
PLACE = {"org": "o", "bucket": "b", "token": "t"}


def bridge(stage, kind, topic, compression=None, kafka="", batch="", mapping=None, **place):
    """Returns a command for `measure`: the bridge with its defaults and the required settings. `mapping`: instead of that of the kind, or
    one for each topic."""

    def command(receiver):
        path = bridge_toml(stage, receiver.url, kind, topic, compression, kafka, batch, mapping, **place)
        return [stage.bridge, "run", "--config", path]

    return command


def bridge_toml(stage, url, kind, topic, compression=None, kafka="", batch="", mapping=None, **place):
    group, where, mapping = stage.next_name(), PLACE | place, mapping or MAPPINGS[kind]
    mappings = [f"[[mapping]]\n{mapping}\n"]
    if len(topic.names) > 1:
        each = mapping if isinstance(mapping, dict) else dict.fromkeys(topic.names, mapping)
        mappings = [f'[[mapping]]\ntopics = ["{name}"]\n{each[name]}\n' for name in topic.names]
    compression = f'compression = "{compression}"\n' if compression else ""
    return stage.write(
        f"{group}.toml",
        f'[kafka]\nbrokers = ["{stage.brokers}"]\ntopics = {json.dumps(topic.names)}\ngroup_id = "{group}"\n{kafka}\n'
        f"{''.join(mappings)}"
        f'[influx]\nurl = "{url}"\norg = "{where["org"]}"\nbucket = "{where["bucket"]}"\ntoken = "{where["token"]}"\n'
        f"{compression}[batch]\n{batch}\n"
        # The admin endpoint stays on, the default, but on a random port.
        '[admin]\nlisten = "127.0.0.1:0"\n',
    )


def limit(stage, kind, topic, compression):
    def command(receiver):
        path = bridge_toml(stage, receiver.url, kind, topic, compression)
        gzip = ["--gzip"] if compression == "gzip" else []
        return [stage.tools, "limit", "--config", path, "--receiver", receiver.address, "--kind", kind, *gzip]

    return command


# metric_batch_size, metric_buffer_limit, max_undelivered_messages, flush_interval: as in tests/loss/telegraf.conf, and tuned for speed.
GUIDE = (1_000, 10_000, 1_000, "1s")
TUNED = (10_000, 200_000, 200_000, "1s")


def telegraf(stage, kind, topic, compression, tuning=TUNED, program=None, parser=None, **place):
    """The options of tests/loss/telegraf.conf, except those in `tuning`. `parser`: the options of a format, instead of those of JSON.
    `program`: a Telegraf that has its plugin."""
    parser = parser or f'data_format = "json"\n{TELEGRAF_MAPPINGS[kind]}'

    def command(receiver):
        group, where = stage.next_name(), PLACE | place
        lines_max, buffered_max, undelivered_max, flush = tuning
        encoding = "gzip" if compression == "gzip" else "identity"
        path = stage.write(
            f"{group}.conf",
            f'[agent]\ninterval = "10s"\nmetric_batch_size = {lines_max}\nmetric_buffer_limit = {buffered_max}\n'
            f'flush_interval = "{flush}"\nomit_hostname = true\n'
            f'[[outputs.influxdb_v2]]\nurls = ["{receiver.url}"]\norganization = "{where["org"]}"\n'
            f'bucket = "{where["bucket"]}"\ntoken = "{where["token"]}"\ncontent_encoding = "{encoding}"\n'
            f'[[inputs.kafka_consumer]]\nbrokers = ["{stage.brokers}"]\nversion = "3.6.0"\ntopics = ["{topic.name}"]\n'
            f'consumer_group = "{group}"\noffset = "oldest"\nmax_message_len = 1000000\n'
            f"max_undelivered_messages = {undelivered_max}\n{parser}\n",
        )
        return [program or stage.telegraf, "--config", path]

    return command


def python(stage, topic, compression):
    """Supports ec2 records only."""

    def command(receiver):
        gzip = ["--gzip"] if compression == "gzip" else []
        arguments = [stage.brokers, topic.name, stage.next_name(), receiver.url, *gzip]
        return [stage.python, HERE / "peer/peer.py", *arguments]

    return command
