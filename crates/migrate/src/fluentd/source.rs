//! Migrates `<source>` of `kafka_group`, `kafka` and `rdkafka_group` to `[kafka]`.

use super::syntax::Section;
use super::text::Text;
use super::time;
use crate::draft_tables::{DraftTables, set_once};
use crate::plugin::{Options, Setting};
use crate::values::{MatchedPart, topic_pattern};
use crate::{Note, Notes};
use configuration::draft::Table;

/// A source that reads Kafka.
pub struct Source<'a> {
    pub section: &'a Section,
    pub topics: Vec<Topic>,
    prefix: String,
    suffix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The entry of `topics`.
    pub entry: String,
    /// The tag of its records; an example if the topic is a pattern.
    pub tag: String,
    pub is_pattern: bool,
}

/// The time options of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTime {
    pub key: String,
    /// None for a number of seconds, or if there is no counterpart.
    pub format: Option<String>,
}

pub fn reads_kafka(section: &Section) -> bool {
    section.name == "source" && matches!(section.plugin(), "kafka" | "kafka_group" | "rdkafka_group")
}

impl<'a> Source<'a> {
    pub fn read(section: &'a Section, notes: &mut Notes) -> Self {
        let part = |name: &str| section.option(name).map(|option| option.value.text.clone());
        let prefix = part("add_prefix").map(|prefix| prefix + ".").unwrap_or_default();
        let suffix = part("add_suffix").map(|suffix| format!(".{suffix}")).unwrap_or_default();
        let mut source = Self { section, topics: Vec::new(), prefix, suffix };
        if let Some(setting) = section.option("topics") {
            for entry in setting.value.list() {
                match source.topic(&entry) {
                    Ok(topic) => source.topics.push(topic),
                    Err(why) => notes.add(setting.place.note("topics", why)),
                }
            }
        }
        for option in section.children("topic").filter_map(|topic| topic.option("topic")) {
            source.topics.extend(source.topic(&option.value.text));
        }
        source
    }

    fn topic(&self, entry: &str) -> Result<Topic, String> {
        let regex = entry.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let is_rdkafka = self.section.plugin() == "rdkafka_group";
        let extent = if is_rdkafka { MatchedPart::Beginning } else { MatchedPart::Anywhere };
        let (entry, like) = match regex {
            Some(regex) => (topic_pattern(&regex.replace("$$", "$"), extent)?, like(regex)),
            None => (entry.to_owned(), entry.to_owned()),
        };
        let tag = format!("{}{like}{}", self.prefix, self.suffix);
        Ok(Topic { entry, tag, is_pattern: regex.is_some() })
    }

    /// The tag of its records in the notation of `measurement`.
    pub fn tag(&self) -> String {
        format!("{}{{topic}}{}", self.prefix, self.suffix)
    }

    pub fn has_affixes(&self) -> bool {
        !self.prefix.is_empty() || !self.suffix.is_empty()
    }

    /// `[kafka]` of a bridge that reads `topics`, and the time key of the records if the source names one.
    pub fn draft(&self, topics: &[&str], notes: &mut Notes) -> (DraftTables, Option<SourceTime>) {
        let mut draft = DraftTables::default();
        let mut options = Options::new(self.section.plugin(), &self.section.options);
        for name in ["@type", "type", "topics", "add_prefix", "add_suffix"] {
            options.take(name);
        }
        self.group(&mut options, topics, &mut draft, notes);
        security(&mut options, &mut draft, notes);
        if let Some(setting) = options.take("kafka_message_key") {
            let why = format!(
                "the bridge makes the record's key a tag: key_tag = {:?} in [[mapping]]",
                setting.value.text
            );
            notes.add(setting.place.note("kafka_message_key", why));
        }
        let time = times(&mut options, notes);
        options.finish(WITHOUT_COUNTERPART, IGNORED, notes);
        self.parsing(notes);
        (draft, time)
    }

    fn group(
        &self,
        options: &mut Options<'_, Text>,
        topics: &[&str],
        draft: &mut DraftTables,
        notes: &mut Notes,
    ) {
        let own = options.take("kafka_configs").map(|setting| (setting, setting.value.pairs()));
        let (own_place, own) = own.map_or((None, Vec::new()), |(setting, pairs)| (Some(setting), pairs));
        let of_own = |names: &[&str]| {
            let pair = own.iter().find(|(name, _)| names.contains(&name.as_str()));
            pair.map(|(_, value)| value.clone())
        };
        let text = |setting: Option<&Setting<Text>>| setting.map(|setting| setting.value.text.clone());
        let brokers = options.take("brokers").map(|setting| setting.value.list());
        let listed = || of_own(&["bootstrap.servers", "metadata.broker.list"]).map(|list| split(&list));
        let host = text(options.take("host"));
        let port = text(options.take("port")).unwrap_or_else(|| "9092".to_owned());
        let brokers = brokers
            .or_else(listed)
            .or_else(|| Some(vec![format!("{}:{port}", host?)]))
            .unwrap_or_else(|| vec!["localhost:9092".to_owned()]);
        draft
            .kafka
            .set("brokers", brokers)
            .set("topics", topics.iter().map(ToString::to_string).collect::<Vec<_>>());
        if let Some(group) = text(options.take("consumer_group")).or_else(|| of_own(&["group.id"])) {
            draft.kafka.set_because(
                "group_id",
                group,
                &["Fluentd's group: the bridge continues after Fluentd's last commit."],
            );
        } else {
            let why = "it reads without a group, so the bridge can't continue where it stopped: it uses the new group \"kafka-influx-bridge\"";
            notes.add_to(&mut draft.kafka, self.section.place.note("@type", why));
        }
        if let Some(client) = text(options.take("client_id")).or_else(|| of_own(&["client.id"])) {
            draft.kafka.set("client_id", client);
        }
        let from_beginning = options.take("start_from_beginning").and_then(|setting| setting.value.flag());
        let reset = of_own(&["auto.offset.reset"]);
        let is_latest = from_beginning == Some(false)
            || matches!(reset.as_deref(), Some("latest" | "largest" | "end"))
            || self.section.plugin() == "kafka"
                && options.take("offset").is_none_or(|o| o.value.text == "-1");
        if is_latest {
            draft.kafka.set("offset_reset", "latest");
        }
        if let Some(place) = own_place {
            librdkafka(place, &own, draft, notes);
        }
    }

    /// The option `format`, if no parser replaces it.
    fn format(&self) -> Option<&'a Setting<Text>> {
        self.section.option("format").filter(|_| self.section.children("parse").next().is_none())
    }

    /// Sets the format of the records, unless it is JSON.
    pub fn set_format(&self, mapping: &mut Table) {
        let parser = self.section.children("parse").next().map(Section::plugin);
        if parser.or(self.format().map(|format| format.value.text.as_str())) == Some(MSGPACK) {
            mapping.set("format", MSGPACK);
        }
    }

    /// Notes parsers of formats that the bridge does not read.
    fn parsing(&self, notes: &mut Notes) {
        if let Some(format) = self.format().filter(|format| !is_read(&format.value.text)) {
            notes.add(format.place.note("format", not_read(&format.value.text)));
        }
        for parse in self.section.children("parse") {
            if !is_read(parse.plugin()) {
                // The note is about all its options.
                notes.add(parse.place.note("<parse>", not_read(parse.plugin())));
                continue;
            }
            let mut options = Options::new("<parse>", &parse.options);
            for name in ["@type", "type"] {
                options.take(name);
            }
            options.finish(OF_PARSER, IGNORED, notes);
        }
        for section in
            self.section.sections.iter().filter(|section| !matches!(section.name.as_str(), "parse" | "topic"))
        {
            notes.add(section.place.note(&format!("<{}>", section.name), "it has no counterpart"));
        }
        for topic in self.section.children("topic") {
            let why = "the bridge reads whole topics: it can't start at a partition or offset";
            notes.add(topic.place.note("<topic>", why));
        }
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// An example of a name that the pattern matches: its beginning and some text.
fn like(regex: &str) -> String {
    let mut name = String::new();
    let mut chars = regex.trim_start_matches("\\A").trim_start_matches('^').chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped) if !escaped.is_ascii_alphanumeric() => name.push(escaped),
                _ => break,
            },
            '.' | '*' | '+' | '?' | '[' | '(' | '{' | '|' | '$' | ')' | ']' | '}' => break,
            c => name.push(c),
        }
    }
    name + "x"
}

/// MessagePack, in Fluentd and in the bridge.
const MSGPACK: &str = "msgpack";

fn is_read(format: &str) -> bool {
    matches!(format, "json" | "" | MSGPACK)
}

fn not_read(format: &str) -> String {
    format!(
        "the bridge does not read {format:?}: let the producer write JSON, or keep these topics in Fluentd"
    )
}

/// Copies `kafka_configs` of `rdkafka_group`, which are properties of librdkafka.
fn librdkafka(place: &Setting<Text>, own: &[(String, String)], draft: &mut DraftTables, notes: &mut Notes) {
    let protocol =
        own.iter().find(|(name, _)| name == "security.protocol").map(|(_, value)| value.to_lowercase());
    if protocol.as_deref().is_some_and(|protocol| protocol.contains("ssl")) {
        draft.tls();
    }
    for (name, value) in own {
        match name.as_str() {
            "bootstrap.servers"
            | "metadata.broker.list"
            | "group.id"
            | "client.id"
            | "auto.offset.reset"
            | "security.protocol" => {}
            "sasl.mechanism" | "sasl.mechanisms" => {
                set_once(draft.sasl(), "mechanism", value.as_str());
            }
            "sasl.username" => {
                set_once(draft.sasl(), "username", value.as_str());
            }
            "sasl.password" => {
                let password = draft.secret("kafka.sasl.password", "KAFKA_PASSWORD", value, &place.place);
                set_once(draft.sasl(), "password", password);
            }
            "ssl.ca.location" => {
                set_once(draft.tls(), "ca_file", value.as_str());
            }
            "ssl.certificate.location" => {
                set_once(draft.tls(), "cert_file", value.as_str());
            }
            "ssl.key.location" => {
                set_once(draft.tls(), "key_file", value.as_str());
            }
            "ssl.key.password" => {
                let password =
                    draft.secret("kafka.tls.key_password", "KAFKA_KEY_PASSWORD", value, &place.place);
                set_once(draft.tls(), "key_password", password);
            }
            "enable.auto.commit" | "enable.auto.offset.store" | "auto.commit.interval.ms" => {
                notes.add(place.place.note(name, COMMITS));
            }
            "group.instance.id" => {
                set_once(&mut draft.kafka, "instance_id", value.as_str());
            }
            name if name.contains("password") || name.contains("secret") => {
                let variable = name.to_uppercase().replace('.', "_");
                let secret =
                    draft.secret(&format!("kafka.librdkafka.{name:?}"), &variable, value, &place.place);
                set_once(draft.librdkafka(), name, secret);
            }
            name => {
                set_once(draft.librdkafka(), name, value.as_str());
            }
        }
    }
}

fn security(options: &mut Options<'_, Text>, draft: &mut DraftTables, notes: &mut Notes) {
    for (name, key) in
        [("ssl_ca_cert", "ca_file"), ("ssl_client_cert", "cert_file"), ("ssl_client_cert_key", "key_file")]
    {
        if let Some(setting) = options.take(name) {
            let files = setting.value.list();
            if files.len() > 1 {
                notes.add(setting.place.note(name, "only the first file is used: join the files into one"));
            }
            if let Some(file) = files.into_iter().next() {
                set_once(draft.tls(), key, file);
            }
        }
    }
    if let Some(setting) = options.take("ssl_client_cert_key_password") {
        let text = &setting.value.text;
        let password = draft.secret("kafka.tls.key_password", "KAFKA_KEY_PASSWORD", text, &setting.place);
        set_once(draft.tls(), "key_password", password);
    }
    if options.take("ssl_ca_certs_from_system").and_then(|setting| setting.value.flag()) == Some(true) {
        draft.tls();
    }
    if options.take("ssl_verify_hostname").and_then(|setting| setting.value.flag()) == Some(false) {
        set_once(draft.librdkafka(), "ssl.endpoint.identification.algorithm", "none");
    }
    let over_tls = options.take("sasl_over_ssl").is_none_or(|setting| setting.value.flag() != Some(false));
    let mechanism = options.take("scram_mechanism");
    let username = options.take("username");
    let password = options.take("password");
    if let (Some(username), Some(password)) = (username, password) {
        let mechanism = match mechanism.map(|setting| setting.value.text.as_str()) {
            None => "PLAIN",
            Some("sha256") => "SCRAM-SHA-256",
            Some(_) => "SCRAM-SHA-512",
        };
        let secret =
            draft.secret("kafka.sasl.password", "KAFKA_PASSWORD", &password.value.text, &password.place);
        set_once(draft.sasl(), "mechanism", mechanism);
        set_once(draft.sasl(), "username", username.value.text.as_str());
        set_once(draft.sasl(), "password", secret);
        if over_tls {
            draft.tls();
        }
    }
    for name in ["principal", "keytab"] {
        if let Some(setting) = options.take(name) {
            let why = "Kerberos is not built in: use SCRAM-SHA-512, PLAIN or OAUTHBEARER in [kafka.sasl]";
            notes.add(setting.place.note(name, why));
        }
    }
}

fn times(options: &mut Options<'_, Text>, notes: &mut Notes) -> Option<SourceTime> {
    let by_record = options.take("use_record_time").and_then(|setting| setting.value.flag()) == Some(true);
    let source = options.take("time_source");
    let key = options.take("record_time_key").map_or("time", |setting| setting.value.text.as_str());
    let format = options.take("time_format");
    let source_text = source.map(|setting| setting.value.text.as_str());
    if !by_record && source_text != Some("record") {
        let inert = format.filter(|_| source_text.is_none_or(|source| source != "record"));
        notes_of_inert_format(inert, notes);
        return None;
    }
    let mut time = SourceTime { key: key.to_owned(), format: Some("unix".to_owned()) };
    if let Some(setting) = format {
        time.format = match time::format(&setting.value.text) {
            Ok(format) => Some(format),
            Err(why) => {
                notes.add(setting.place.note("time_format", why));
                None
            }
        };
    }
    Some(time)
}

fn notes_of_inert_format(format: Option<&Setting<Text>>, notes: &mut Notes) {
    let note = |setting: &Setting<Text>| -> Note {
        let why = "it had no effect without `time_source record`: the points have another time";
        setting.place.note("time_format", why)
    };
    if let Some(setting) = format {
        notes.add(note(setting));
    }
}

/// Fluentd only warns about an unknown option.
pub const IGNORED: &str = ", so it had no effect";

const COMMITS: &str = "the bridge commits offsets of stored records only, by itself";
const TUNING: &str = "it is not needed: the bridge bounds its own prefetch";
pub const RETRIES: &str = "it is not needed: the bridge retries forever and loses nothing";

const NO_TIME: &str = "this source ignores the time of its parser: it has no effect";

/// Options of `<parse>` with JSON or MessagePack.
const OF_PARSER: &[(&str, &str)] = &[
    ("@id", ""),
    ("@log_level", ""),
    ("json_parser", ""),
    ("stream_buffer_size", ""),
    ("timeout", ""),
    ("timeout_checker_interval", ""),
    ("time_key", NO_TIME),
    ("time_format", NO_TIME),
    ("time_format_fallbacks", NO_TIME),
    ("time_type", NO_TIME),
    ("keep_time_key", NO_TIME),
    ("estimate_current_event", NO_TIME),
    ("timezone", NO_TIME),
    ("localtime", NO_TIME),
    ("utc", NO_TIME),
    ("types", "declare them with `types` of [[mapping]], such as types = { temp = \"float\" }"),
    ("null_value_pattern", "a text that means no value stays a text: let the producer leave its key out"),
    ("null_empty_string", "an empty text stays a text: let the producer leave its key out"),
];

const WITHOUT_COUNTERPART: &[(&str, &str)] = &[
    ("@id", ""),
    ("@label", ""),
    ("@log_level", "use `level` of [log]"),
    ("format", ""),
    ("message_key", ""),
    ("offset_commit_interval", COMMITS),
    ("offset_commit_threshold", COMMITS),
    ("max_bytes", TUNING),
    ("min_bytes", TUNING),
    ("max_wait_time", TUNING),
    ("max_wait_ms", TUNING),
    ("max_wait_time_ms", TUNING),
    ("max_batch_size", TUNING),
    ("buffer_size", TUNING),
    ("fetcher_max_queue_size", TUNING),
    ("interval", TUNING),
    ("connect_timeout", TUNING),
    ("socket_timeout", TUNING),
    ("session_timeout", "sessions have 10 s here; \"session.timeout.ms\" in [kafka.librdkafka] sets another"),
    ("refresh_topic_interval", "it is not needed: new topics are found within 10 s"),
    ("retry_emit_limit", RETRIES),
    ("retry_wait_seconds", RETRIES),
    ("disable_retry_limit", RETRIES),
    ("retry_limit", RETRIES),
    ("get_kafka_client_log", "use level = \"debug\" of [log]"),
    ("add_headers", "the bridge makes headers tags by name: header_tags = [\"NAME\"] in [[mapping]]"),
    ("add_offset_in_record", "use offset_field = \"offset\" in [[mapping]]"),
    ("offset_zookeeper", "offsets are kept in Kafka"),
    ("offset_zk_root_node", "offsets are kept in Kafka"),
    ("partition", "the bridge reads whole topics, not single partitions"),
    ("tag", "it had no effect: the tag is the topic"),
    ("tag_source", "the measurement is the topic, or a key of the record: name_key in [[mapping]]"),
    ("record_tag_key", "the measurement is the topic, or a key of the record: name_key in [[mapping]]"),
];
