//! Tests of known keys with wrong values.

use super::errors::{check, one, replaced};

#[test]
fn wrong_kinds() {
    let f = one;
    f("batch", "lines_max = \"5000\"", "`lines_max` must be a whole number, not a string");
    f("batch", "lines_max = 1.5", "not a number with a fraction");
    f("batch", "lines_max = -1", "can't be negative");
    f("batch", "lines_max = 99999999999999999999", "is too large");
    f("batch", "lines_max = \"${EMPTY}\"", "must be a whole number once its variables are replaced");
    f("batch", "age_max = \"10\"", "`age_max` has no unit: write \"10s\" for seconds");
    f("batch", "bytes_max = true", "must be a size such as \"4MB\" or a number of bytes, not true or false");
    f("mapping", "strict = 'no'", "must be true or false, without quotes, not a string");
    f(
        "mapping",
        "tag_keys = 'host'",
        "`tag_keys` must be a list of strings, such as [\"a\", \"b\"], not a string",
    );
    f("mapping", "tag_keys = [1]", "`tag_keys` must be a string, not a whole number");
    f("mapping", "tags = ['a']", "`tags` must be a table such as { region = \"seoul\" }");
    f("mapping", "name_key = ''", "`name_key` is empty");
    f(
        "mapping",
        "time_min = 'soon'",
        "`time_min` must be a time from 1677-09-22 to 2262-04-11, such as \"2020-01-01\"",
    );
    f("mapping", "time_max = '9999-01-01'", "`time_max` must be a time from 1677");
    f("mapping", "time_max = 5", "`time_max` must be a string, not a whole number");
    f("mapping", "time_min = '2020-01-01'\ntime_max = '2019-01-01'", "`time_max` lies before `time_min`");
    f("mapping", "name_key = \"${EMPTY}\"", "`name_key` is empty once ${EMPTY} is replaced");
    f("", "log = 'debug'", "`log` must be a table of its own, [log], not a string");
    f("", "mapping = 5", "`mapping` must be tables, not a whole number");
}

#[test]
fn wrong_values_of_kafka() {
    let f = one;
    f("kafka", "consumers = 0", "`consumers` must be from 1 to 64, not 0");
    f(
        "kafka",
        "record_bytes_max = \"2GB\"",
        "`record_bytes_max` must be from 1B to 1GB, not 2GB: librdkafka",
    );
    f("kafka", "offset_reset = 'newest'", "did you mean \"latest\"?");
    f("kafka.sasl", "mechanism = 'PLAN'\nusername = 'u'\npassword = 'p'", "did you mean \"PLAIN\"?");
    f(
        "kafka.sasl",
        "mechanism = 'GSSAPI'\nusername = 'u'\npassword = 'p'",
        "Kerberos (GSSAPI) is not built in",
    );
    f("kafka.sasl", "mechanism = 'GSSAPI'", "Kerberos (GSSAPI) is not built in");
    f("kafka.sasl", "mechanism = 'OAUTHBEARERR'\ntoken = 't'", "did you mean \"OAUTHBEARER\"?");
    for kerberos in
        ["'sasl.mechanisms' = 'GSSAPI'", "'sasl.mechanism' = 'gssapi'", "'sasl.kerberos.keytab' = '/k'"]
    {
        f("kafka", &format!("librdkafka.{kerberos}"), "Kerberos (GSSAPI) is not built in: log in with PLAIN");
    }
    f("kafka", "group_protocol = 'eager'", "`group_protocol` must be one of \"classic\", \"consumer\"");
    f("kafka", "librdkafka.'group.protocol' = 'consumer'", "write `group_protocol` in [kafka]");
    for (property, advice) in [
        ("'session.timeout.ms' = 9000", "the brokers define it, as group.consumer.session.timeout.ms"),
        ("'heartbeat.interval.ms' = 900", "the brokers define it, as group.consumer.heartbeat.interval.ms"),
        (
            "'partition.assignment.strategy' = 'range'",
            "the brokers assign the partitions: take it out, or name one of their assignors with \"group.remote.assignor\"",
        ),
        ("'group.protocol.type' = 'consumer'", "take it out"),
    ] {
        let lines = format!("group_protocol = 'consumer'\nlibrdkafka.{property}");
        f("kafka", &lines, &format!("has no meaning with group_protocol = \"consumer\": {advice}"));
    }
    f(
        "kafka",
        "librdkafka.'group.remote.assignor' = 'range'",
        "has no meaning with group_protocol = \"classic\": write \"partition.assignment.strategy\" instead",
    );
    f("kafka.tls", "ca_file = 'nowhere.pem'", "`ca_file`: nowhere.pem can't be read");
    f(
        "kafka.librdkafka",
        "fetch.min.byts = 1",
        "librdkafka has no property \"fetch.min.byts\"; did you mean \"fetch.min.bytes\"?",
    );
    f("kafka.librdkafka", "fetch.min.bytes = 'many'", "librdkafka says: ");
    f("kafka.librdkafka", "fetch.min.bytes = 0", "librdkafka says: ");
    f(
        "kafka.librdkafka",
        "group.id = 'x'",
        "\"group.id\" belongs to the bridge: write `group_id` in [kafka]",
    );
    f("kafka.librdkafka", "enable.auto.offset.store = true", "offsets are stored only of settled records");
    f("kafka.librdkafka", "\"max.poll.records\" = 5", "it is not needed");
    f("kafka.librdkafka", "a = [1]", "`a` must be a string, a number or true or false");
    let f = replaced;
    f("\"localhost:9092\"", "\"http://localhost\"", "without a scheme");
    f("\"localhost:9092\"", "[]", "names none");
    f("\"metrics\"", "[]", "name at least one topic");
    f("\"metrics\"", "\"a,b\"", "write a list, such as [\"a\", \"b\"]");
    f("\"metrics\"", "\"metrics-*\"", "as a regular expression it is '^metrics-.*'");
}

#[test]
fn wrong_values_of_logins() {
    let f = one;
    f("kafka.sasl", "mechanism = 'PLAIN'\nusername = 'u'", "has no `password`");
    f(
        "kafka.sasl",
        "mechanism = 'OAUTHBEARER'\nusername = 'u'\ntoken = 't'",
        "OAUTHBEARER has no `username`: it logs in with a `token`",
    );
    f("kafka.sasl", "mechanism = 'OAUTHBEARER'", "[kafka.sasl] has no `token`: OAUTHBEARER needs one");
    f("kafka.sasl", "mechanism = 'OAUTHBEARER'\ntoken = 'a b'", "`token` has a space");
    f(
        "kafka.sasl",
        "mechanism = 'OAUTHBEARER'\ntoken = 't'\ntoken_endpoint = 'https://h'",
        "`token` and `token_endpoint` are both here",
    );
    f(
        "kafka.sasl",
        "mechanism = 'OAUTHBEARER'\ntoken = 't'\nscope = 's'",
        "[kafka.sasl] has no `token_endpoint`",
    );
    let endpoint = "mechanism = 'OAUTHBEARER'\nclient_id = 'c'\n";
    f(
        "kafka.sasl",
        &format!("{endpoint}token_endpoint = 'https://h'"),
        "[kafka.sasl] has no `client_secret`: `token_endpoint` needs",
    );
    f(
        "kafka.sasl",
        &format!("{endpoint}client_secret = 's'\ntoken_endpoint = 'h/token'"),
        "h/token: this is not an address such as",
    );
    f(
        "kafka.sasl",
        "mechanism = 'PLAIN'\nusername = 'u'\npassword = 'p'\ntoken = 't'",
        "`token` is of mechanism = \"OAUTHBEARER\"",
    );
    f(
        "kafka.sasl",
        "mechanism = 'PLAIN'\nusername = 'u'\npassword = 'p'\nextensions = { logicalCluster = 'lkc-1' }",
        "`extensions` is of mechanism = \"OAUTHBEARER\"",
    );
    let extensions =
        |pair: &str| format!("mechanism = 'OAUTHBEARER'\ntoken = 't'\nextensions = {{ {pair} }}");
    f("kafka.sasl", &extensions("auth = 'x'"), "can't have the name \"auth\": the token itself");
    for name in ["logical_cluster", "pool1", "''", "'온'"] {
        let message = "a name has letters from A to Z and a to z only, such as logicalCluster";
        f("kafka.sasl", &extensions(&format!("{name} = 'x'")), message);
    }
    for value in ["", "온", "a\\u0001b", "a\\tb"] {
        let message = "the value of logicalCluster is empty or has a character that is not printable ASCII";
        f("kafka.sasl", &extensions(&format!("logicalCluster = \"{value}\"")), message);
    }
    f("kafka.sasl", &extensions("logicalCluster = 5"), "`extensions.logicalCluster` must be a string");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line for each wrong value")]
fn wrong_values_of_mappings() {
    let f = |lines: &str, want: &str| one("mapping", lines, want);
    f("format = 'ndjson'", "did you mean \"json_lines\"?");
    f("format = 'messagepack'", "did you mean \"msgpack\"?");
    let csv = |lines: &str, want: &str| f(&format!("format = 'csv'\n[mapping.csv]\n{lines}"), want);
    csv("delimiter = 'tab'", "`delimiter` is one ASCII character other than a quote or a line break");
    csv("delimiter = '·'", "`delimiter` is one ASCII character");
    csv("comment = '\"'", "`comment` is one ASCII character");
    csv("comment = ','", "`comment` is the same character as `delimiter`");
    csv("header = 'none'", "`header` is a list of the columns' names, or \"first line\"");
    csv("header = true", "`header` must be a list of the columns' names, or \"first line\"");
    csv("header = ['']", "`header` names no column");
    csv("header = ['a', 'b', 'a']", "`header` names the column \"a\" twice");
    f("format = 'csv'\nquery = '$.a'", "`query` has no meaning with format = \"csv\"");
    f("format = 'value'\nname_key = 'a'", "`name_key` has no meaning with format = \"value\"");
    let influx = |lines: &str, want: &str| f(&format!("format = 'influx'\n{lines}"), want);
    let no_meaning =
        |key: &str, remedy: &str| format!("`{key}` has no meaning with format = \"influx\": {remedy}");
    for (lines, key, remedy) in [
        ("name_key = 'a'", "name_key", "each line has its own measurement, and `measurement` replaces it"),
        ("tag_keys = ['a']", "tag_keys", "the tags of each line stay tags"),
        ("string_fields = ['a']", "string_fields", "each field of a line keeps its type"),
        ("number_fields = ['a']", "number_fields", "each field of a line keeps its type"),
        ("integers = 'int'", "integers", "each field of a line keeps its type"),
        ("query = '$.a'", "query", "a line is a point already"),
        ("time_key = 'a'", "time_key", "each line has its own time, in the unit of `precision`"),
        ("time_format = 'unix'", "time_format", "each line has its own time"),
        ("timezone = 'UTC'", "timezone", "each line has its own time"),
    ] {
        influx(lines, &no_meaning(key, remedy));
    }
    influx("fields = { a = '$.b' }", &no_meaning("fields", "a line is a point already"));
    influx("types = { a = 'int' }", &no_meaning("types", "each field of a line keeps its type"));
    influx("values = { a = { on = 1 } }", &no_meaning("values", "a line is a point already"));
    influx(
        "measurement = '{a}'",
        "`measurement` has the placeholder {a}, and a line has no keys to take it from",
    );
    influx("tags = { t = '{key:$.a}' }", "`tags` has the placeholder {key:$.a}, and a line has no keys");
    influx("precision = 'm'", "`precision` must be one of \"ns\", \"us\", \"ms\", \"s\"");
    for format in ["msgpack", "cbor", "avro", "protobuf"] {
        let registry = "[schema_registry]\nurl = 'http://r'";
        let registry = if ["avro", "protobuf"].contains(&format) { registry } else { "" };
        let lines = format!("format = '{format}'\nvalue_compression = 'auto'\n{registry}");
        f(&lines, "`value_compression` = \"auto\" is for text formats");
    }
    f(
        "integers = 'integer'",
        "`integers` must be one of \"float\", \"int\", not \"integer\"; did you mean \"int\"?",
    );
    f(
        "query = 'items.#.x'",
        "\"items.#.x\" is not a JSONPath (from its character 1 on); did you mean \"$.items[*].x\"?",
    );
    f("query = '$.a['", "is not a JSONPath (from its character 5 on)");
    f("name_key = '$.a[*]'", "may select several values");
    f("tag_keys = ['a', '$..b']", "may select several values");
    f("tag_keys = ['a', 'b[']", "\"b[\" is not a glob");
    f("include = []", "no field would be left");
    f("measurement = '#x'", "comment");
    f("measurement = '{name'", "\"{\" at character 1 is never closed");
    f("measurement = 'a}'", "write \"}}\" for a brace");
    f(
        "measurement = '{$..a}'",
        "{$..a} is no placeholder of `measurement`: \"$..a\" may select several values",
    );
    f("measurement = '{host_*}'", "\"host_*\" is a glob, and one value is wanted here");
    f("tags = { a = '{}' }", "{} names nothing");
    f(
        "tags = { a = '{topic:site}' }",
        "{topic:site} of `tags` is no named group of a pattern in `topics`: none has a named group",
    );
    f("time = '{topic:day}'\ntime_format = 'unix'", "{topic:day} of `time` is no named group of a pattern");
    f("topics = '^(?<site>m)etrics$'\nmeasurement = '{topic:sites}'", "did you mean {topic:site}?");
    f("topics = '^(?<site>m)etrics$'\nmeasurement = '{topic:other}'", "the groups are site");
    f("fields = { a = '^.x[*]' }", "\"^.x[*]\" may select several values");
    f("fields = { time = '^.x' }", "InfluxDB reserves \"time\"");
    f("fields = { a = '' }", "needs a name and a selector");
    f("fields = { a = 'x*' }", "is a glob");
    f("fields = { o = '$.x' }\noffset_field = 'o'", "is also the name of `offset_field`");
    f("tag_keys = ['^.a.']", "\"^.a.\" is not a JSONPath");
    f("name_key = 'key:$.a.b*'", "\"key:$.a.b*\" is not a JSONPath");
    f("measurement = 'x\\'", "can't end in a backslash");
    f("topic_tag = 'time'", "InfluxDB reserves \"time\"");
    f("tags = { _field = 'x' }", "InfluxDB reserves \"_field\"");
    f("tags = { a = '' }", "no empty tags");
    f("rename = { 'a_*' = 'b' }", "all matching keys would get one name");
    f("rename = { a = 'time' }", "reserves \"time\"");
    f(
        "types = { v = 'integer' }",
        "`types.v` must be one of \"int\", \"uint\", \"float\", \"bool\", \"string\", not \"integer\"; did you mean \"int\"?",
    );
    f("types = { 'v[' = 'int' }", "\"v[\" is not a glob");
    f(
        "types = { 'a*' = 'int', '*b' = 'float' }",
        "\"*b\" and \"a*\" in `types` can match the same key and are equally long, so neither comes first",
    );
    f("where = 'ok == true'", "\"ok == true\" is no filter of RFC 9535: write a condition such as");
    f("where = '@.a] [?@.b'", "is no filter of RFC 9535");
    f("columns = ['a', 'b', 'a']", "`columns` has \"a\" twice");
    f("explode = ['a', 'a']", "`explode` has \"a\" twice");
    f(
        "pivot = ['x']",
        "`pivot` must be a list of tables, such as [{ list = \"key\", name = \"key\", value = [\"key\"] }], not",
    );
    f("pivot = [{ list = 'a', name = 'n' }]", "this table of `pivot` in [[mapping]] has no `value`");
    f("pivot = [{ list = ['a'], name = 'n', value = 'v' }]", "`pivot.list` must be a string, not a list");
    f("pivot = [{ list = 'a', name = 'n', value = [] }]", "`pivot.value` is an empty list");
    f(
        "pivot = [{ list = 'a', name = 'n', value = 'v', vaule = 'x' }]",
        "a table of `pivot` has list, name, value, and no \"vaule\"; did you mean \"value\"?",
    );
    f("zip = [{ names = 'a', values = 'a' }]", "`zip` takes the list \"a\" twice");
    f(
        "explode = ['a']\nzip = [{ names = 'a', values = 'b' }]",
        "`explode` and `zip` both take the list \"a\": leave one of them out",
    );
    f(
        "columns = ['a']\npivot = [{ list = '@', name = 'n', value = 'v' }]",
        "a selected array is either a row of `columns` or the list of `pivot`",
    );
    f("parse_json = ['a[']", "\"a[\" is not a glob");
    f("types = 'int'", "`types` must be a table of keys and types");
    f("values = { s = 'x' }", "`values` must be a table of tables, such as { state = { ON = 1");
    f("values = { s = { a = [1] } }", "`values.s.a` must be a number, a string, true or false, not a list");
    f("values = { s = { a = nan } }", "`values.s.a` is no number that InfluxDB stores");
    f("values = { 'a*' = { x = 1 }, '*b' = { x = 2 } }", "in `values` can match the same key");
    f("time_key = ['t', 'u', 't']\ntime_format = 'unix'", "`time_key` has \"t\" twice");
    f("time_key = []\ntime_format = 'unix'", "`time_key` is an empty list");
    f("time = '{a} {b}'\ntime_key = 'a'\ntime_format = 'rfc3339'", "`time_key` and `time` are both set");
    f("time = 'noon'\ntime_format = 'rfc3339'", "`time` = \"noon\" names no key");
    f("time = '{a'\ntime_format = 'rfc3339'", "is never closed");
    f("time = '{a} {b}'", "`time` needs a `time_format`");
    f("time_nanos_key = 'n'", "`time_nanos_key` belongs to `time_key`");
    f(
        "time_key = 't'\ntime_nanos_key = 't'\ntime_format = 'unix'",
        "`time_nanos_key` has \"t\", which the time has already",
    );
    f("time_add = { n = 'ms' }", "`time_add` belongs to `time_key`");
    f("time_key = 't'\ntime_format = 'unix'\ntime_add = { n = 'min' }", "`time_add.n` must be one of");
    f("time_key = 't'\ntime_format = 'unix'\ntime_add = { 'n*' = 'ms' }", "\"n*\" is a glob");
    f("time_key = 't'\ntime_format = 'unix'\ntime_add = { t = 'ms' }", "`time_add` has \"t\"");
    f(
        "time_key = 't'\ntime_format = '/Date({unix_sec})/'",
        "has neither one of {unix}, {unix_ms}, {unix_us}, {unix_ns}",
    );
    f("time_key = 't'\ntime_format = '%Y {unix}'", "has neither one of {unix}");
    f("time_key = 't'", "`time_key` needs a `time_format`: one of unix, unix_ms");
    f("time_format = 'unix'", "belongs to `time_key`");
    f("time_key = 't'\ntime_format = 'millis'", "did you mean \"unix_ms\"?");
    f("time_key = 't'\ntime_format = 'yyyy-MM-dd'", "or a strptime pattern such as");
    f(
        "time_key = 't'\ntime_format = '2006-01-02T15:04:05.000Z07:00'",
        "as a pattern it is \"%Y-%m-%dT%H:%M:%S%.f%:z\"",
    );
    f("time_key = 't'\ntime_format = '%m-%d %H:%M'", "has no year");
    f("time_key = 't'\ntime_format = 'unix'\ntimezone = 'Asia/Soul'", "did you mean \"Asia/Seoul\"?");
    f("time_key = 't'\ntime_format = 'unix'\ntimezone = 'Seoul'", "did you mean \"Asia/Seoul\"?");
    f("time_key = 't'\ntime_format = 'unix'\ntimezone = '+09:00'", "write a name such as");
    f(
        "distinct_times = 'never'",
        "must be one of \"always\", not \"never\"; without quotes it is true or false",
    );
    f("distinct_times = 1", "must be true, false or \"always\"");
    f(
        "database = 'd'",
        "`database` belongs to api = \"v1\" or \"v3\": v2 writes into a `bucket`; if that is what you want, add api = \"v1\" or \"v3\" to [influx]",
    );
}

#[test]
fn wrong_values_of_influx() {
    let f = one;
    f("influx", "urls = ['http://h']", "`url` and `urls` are both set");
    f("influx", "api = 'v4'", "`api` must be one of \"v2\", \"v1\", \"v3\", not \"v4\"");
    f("influx", "username = 'u'", "`username` belongs to api = \"v1\": v2 logs in with a `token`");
    f("influx", "compression = 'zstd'", "must be one of \"auto\", \"gzip\", \"none\"");
    f("influx", "timeout = '0s'", "`timeout` must be from 1ms to 1h, not 0s");
    f("influx.tls", "ca_file = 'nowhere.pem'", "can't be read");
    let f = |lines: &str, want: &[(usize, usize, &str)]| {
        check(&format!("[kafka]\nbrokers = 'a:1'\ntopics = 'a'\n[influx]\nurl = 'http://h'\n{lines}"), want);
    };
    f("database = 'd'", &[(6, 12, "add api = \"v1\"")]);
    f("api = 'v1'", &[(4, 1, "no `database`: add database = \"NAME\"")]);
    f(
        "api = 'v1'\ndatabase = 'd'\nbucket = 'b'",
        &[(8, 10, "`bucket` belongs to api = \"v2\": v1 writes into a `database`")],
    );
    f("api = 'v3'", &[(4, 1, "no `database`: add database = \"NAME\"")]);
    f(
        "api = 'v3'\ndatabase = 'd'\norg = 'o'\ncreate_database = true",
        &[
            (8, 7, "`org` belongs to api = \"v2\": v3 has no organizations"),
            (9, 19, "`create_database` belongs to api = \"v1\": InfluxDB 3 creates a missing database"),
        ],
    );
    f(
        "api = 'v1'\ndatabase = 'd'\nno_sync = true",
        &[(8, 11, "`no_sync` belongs to api = \"v3\": v1 answers when")],
    );
    f("api = 'v1'\ndatabase = 'd'\nusername = 'u'", &[(4, 1, "has no `password`: `username` needs it")]);
    f("api = 'v1'\ndatabase = 'd'\nusername = 'u'\npassword = 'p'\ntoken = 't'", &[(8, 12, "both set")]);
    f("api = 'v1'\ndatabase = 'd'\nusername = 'a:b'\npassword = 'p'", &[(8, 12, "can't contain a \":\"")]);
}

#[test]
fn wrong_values_of_batch_admin_reject_dead_letter_and_log() {
    let f = one;
    f("batch", "lines_max = 0", "`lines_max` must be from 1 to 1000000, not 0");
    f(
        "batch",
        "points_per_second_max = 0",
        "without the key points are written as fast as InfluxDB takes them",
    );
    f(
        "batch",
        "memory_max = '1MB'\nbytes_max = '4MB'",
        "`memory_max` (1MB) is for all batches, so it can't be less than `bytes_max` (4MB)",
    );
    f("batch", "bytes_max = '27MB'", "`memory_max` (26MB)");
    f("admin", "listen = ':9643'", "\"0.0.0.0:9643\" for all interfaces");
    f("admin", "listen = '9643'", "an address and a port");
    f("admin", "show_records = 'yes'", "`show_records`");
    f(
        "reject",
        "rate_max = 1.5",
        "`rate_max` must be from 0.0 to 1.0, not 1.5: it is a share of a topic's records",
    );
    f("reject", "rate_max = nan", "not NaN");
    f("reject", "rate_max = '10%'", "`rate_max` must be a number such as 0.1, without quotes, not a string");
    f("dead_letter", "", "[dead_letter] has no `topic`: name a `topic` or a `file`, or remove the table");
    f("dead_letter", "topic = 'a b'", "topic names have only letters");
    f("dead_letter", "topic = ''", "`topic` is empty");
    f("dead_letter", "topic = 'a'\nfile = 'b'", "`topic` and `file` are both set");
    f("dead_letter", "topic = 'a'\nfile_bytes_max = '2MB'", "`file_bytes_max` limits `file`");
    f(
        "dead_letter",
        "file = 'a'\nfile_bytes_max = '2kB'",
        "`file_bytes_max` must be from 1MB to 100GB, not 2kB",
    );
    f("dead_letter", "files = 'a'\nfile = 'b'", "did you mean \"file\", as in file = \"...\"?");
    f("log", "level = 'warning'", "did you mean \"warn\"?");
    f("", "shutdown_max = '2h'", "`shutdown_max` must be from 0s to 1h");
}
