"""CPU time per record of each format, beside the same values as JSON, and beside Telegraf with the same format."""

import contextlib
import http.server
import json
import threading

import programs
from stage import HERE, STACK, measure, output

# Records for each program and kind. Telegraf's slowest parsers need 50 times the bridge's time.
RECORDS = {("bridge", "ec2"): 2_000_000, ("bridge", "wide"): 400_000, ("telegraf", "ec2"): 200_000, ("telegraf", "wide"): 40_000}
RECORDS |= {("bridge", kind): 4_000_000 for kind in ("number", "text")} | {("telegraf", kind): 400_000 for kind in ("number", "text")}
LEAST = 20_000  # at least two requests of Telegraf, which a rate needs
FORMATS = ("json", "influx", "csv", "msgpack", "cbor", "avro", "avro-registry", "protobuf")
# Telegraf reads Avro of a file too, but compiles the schema for each record.
OF_TELEGRAF = ("influx", "csv", "msgpack", "cbor", "avro-registry", "protobuf")
# The formats of each kind, for the bridge and for Telegraf.
KINDS = dict.fromkeys(("ec2", "wide"), (FORMATS, OF_TELEGRAF)) | dict.fromkeys(("number", "text"), (("json", "value"), ("value",)))
# Plugins that Telegraf needs besides those of the other sections.
PLUGINS = ("parsers.avro", "parsers.csv", "parsers.value", "parsers.xpath")
VALUES = HERE / "values"
ROUNDS_MAX = 3


def run(stage):
    """Returns one row for each run. The formats of a kind alternate."""
    telegraf = output([STACK / "telegraf/build", *PLUGINS])
    for kind, (formats, of_telegraf) in KINDS.items():
        # Lines are those of the JSON records.
        json_topic = stage.topic(records_of(stage, "bridge", kind), kind)
        config = programs.bridge_toml(stage, "http://127.0.0.1:1", kind, json_topic)
        runs = [(name, "bridge") for name in formats] + [(name, "telegraf") for name in of_telegraf]
        topics = {run: topic(stage, kind, *run, config) for run in runs}
        # Kinds without a format of a registry ask for no schema.
        of_registry = topics.get(("avro-registry", "bridge"))
        with registry(of_registry and of_registry.description) as url:
            for round_number in range(min(stage.rounds, ROUNDS_MAX)):
                for name, program in runs:
                    of, records = topics[name, program], records_of(stage, program, kind)
                    if program == "bridge":
                        command = programs.bridge(stage, kind, of, "none", mapping=mapping(stage, kind, name, of, url))
                    else:
                        parser = TELEGRAF[name](kind, of, url)
                        command = programs.telegraf(stage, kind, of, "none", program=telegraf, parser=parser)
                    what = {"round": round_number, "kind": kind, "format": name, "program": program}
                    yield what | {"record_bytes": of.bytes / records} | measure(stage, command, records)
        stage.drop_topics(*topics.values())


def records_of(stage, program, kind):
    return stage.count(RECORDS[program, kind], least=LEAST)


def topic(stage, kind, name, program, config):
    more = {"config": config} if name == "influx" else {}
    more |= {} if name == "json" else {"format": name}
    return stage.topic(records_of(stage, program, kind), kind, **more)


@contextlib.contextmanager
def registry(schema):
    """The address of a schema registry that has this schema under the id 1."""
    answer = json.dumps({"schema": json.dumps(schema)}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_known = self.path == "/schemas/ids/1"
            body = answer if is_known else b'{"error_code":40403,"message":"unknown"}'
            self.send_response(200 if is_known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def mapping(stage, kind, name, topic, url):
    """The bridge's mapping."""
    of_kind, head = programs.MAPPINGS[kind], f'format = "{name.removesuffix("-registry")}"\n'
    if name == "influx":
        return head
    if name == "csv":
        return f"{head}{of_kind}\n[mapping.csv]\nheader = {json.dumps(topic.description)}"
    if name == "avro":
        return f'{head}schema = "{stage.write(f"{kind}.avsc", json.dumps(topic.description))}"\n{of_kind}'
    if name == "avro-registry":
        return f'{head}{of_kind}\n[schema_registry]\nurl = "{url}"'
    if name == "protobuf":
        return f'{head}schema = "{VALUES / kind}.proto"\nmessage = "{kind.title()}"\n{of_kind}'
    return head + of_kind


# Options of Telegraf's parsers, as close to those of JSON as each has them.
TAGS = {"ec2": '[inputs.kafka_consumer.tags]\nhost = "Cluster"', "wide": ""}
NAME_KEY = {"ec2": "ec2Number", "wide": "name"}
TAG_KEYS = {"ec2": [], "wide": ["region", "rack", "host"]}


def telegraf_influx(kind, topic, url):
    return 'data_format = "influx"'


def telegraf_csv(kind, topic, url):
    time = 'csv_timestamp_column = "ts"\ncsv_timestamp_format = "unix_ms"\n' if kind == "wide" else ""
    return (
        f'data_format = "csv"\n{topic_tag(kind)}csv_header_row_count = 0\ncsv_column_names = {json.dumps(topic.description)}\n'
        f'csv_measurement_column = "{NAME_KEY[kind]}"\ncsv_tag_columns = {json.dumps(TAG_KEYS[kind])}\n{time}{TAGS[kind]}'
    )


def telegraf_avro(kind, topic, url):
    time = 'avro_timestamp = "ts"\navro_timestamp_format = "unix_ms"\n' if kind == "wide" else ""
    return (
        f'data_format = "avro"\n{topic_tag(kind)}avro_schema_registry = "{url}"\navro_measurement_field = "{NAME_KEY[kind]}"\n'
        f'avro_tags = {json.dumps(TAG_KEYS[kind])}\navro_field_separator = "_"\n{time}{TAGS[kind]}'
    )


def telegraf_xpath(data_format, more=""):
    def parser(kind, topic, url):
        time = 'timestamp = "/ts"\ntimestamp_format = "unix_ms"\n' if kind == "wide" else ""
        tags = "".join(f'{key} = "string(/{key})"\n' for key in TAG_KEYS[kind])
        return (
            f'data_format = "{data_format}"\n{topic_tag(kind)}xpath_native_types = true\n{more.format(kind=kind, message=kind.title())}'
            f'{TAGS[kind]}\n[[inputs.kafka_consumer.xpath]]\nmetric_name = "string(/{NAME_KEY[kind]})"\n{time}'
            f'field_selection = "//*[not(*)]"\nfield_name_expansion = true\n[inputs.kafka_consumer.xpath.tags]\n{tags}'
        )

    return parser


def telegraf_value(kind, topic, url):
    # Telegraf's default is "int", which refuses a number with a fraction.
    data_type = {"number": "float", "text": "string"}[kind]
    return f'data_format = "value"\ndata_type = "{data_type}"\nname_override = "m"'


def topic_tag(kind):
    return 'topic_tag = "test"\n' if kind == "ec2" else ""


OF_PROTOBUF = f'xpath_protobuf_files = ["{{kind}}.proto"]\nxpath_protobuf_type = "{{message}}"\nxpath_protobuf_import_paths = ["{VALUES}"]\n'
TELEGRAF = {
    "influx": telegraf_influx,
    "csv": telegraf_csv,
    "msgpack": telegraf_xpath("xpath_msgpack"),
    "cbor": telegraf_xpath("xpath_cbor"),
    "avro-registry": telegraf_avro,
    "protobuf": telegraf_xpath("xpath_protobuf", OF_PROTOBUF),
    "value": telegraf_value,
}
