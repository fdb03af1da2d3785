//! Recognizes files that are not configurations of the bridge, which would give one error a line.

use std::path::Path;

/// What a text is instead of a configuration of the bridge, with the remedy; none for a configuration, also for one with errors.
pub fn recognized(path: &Path, text: &str) -> Option<String> {
    let lines = || text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let written = || lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    if text.trim().is_empty() {
        return Some(
            "the file is empty: `kafka-influx-bridge init` or `kafka-influx-bridge migrate` writes one"
                .to_owned(),
        );
    }
    if written().any(|line| OWN.iter().any(|table| is_header(line, table))) {
        return None;
    }
    let migrated = |what: &str| {
        format!(
            "this is {what}, and a configuration of the bridge has [kafka] and [influx]: run `kafka-influx-bridge migrate {} -o bridge.toml`",
            path.display()
        )
    };
    if written().any(|line| {
        TELEGRAF.iter().any(|start| line.trim_start_matches('[').starts_with(start) && line.starts_with('['))
    }) {
        return Some(migrated("a telegraf.conf"));
    }
    if written().any(|line| FLUENTD.iter().any(|start| line.starts_with(start))) {
        return Some(migrated("a fluent.conf"));
    }
    if is_pipeline(&written().collect::<Vec<_>>()) {
        return Some(migrated("a pipeline of Logstash"));
    }
    written().next().is_some_and(is_yaml).then(|| {
        "this is YAML, and a configuration of the bridge is TOML: [TABLE] in a line of its own, then KEY = VALUE in each line; \
         `kafka-influx-bridge init` writes one"
            .to_owned()
    })
}

/// Tables of the bridge that no other tool has.
const OWN: [&str; 3] = ["kafka", "influx", "mapping"];

/// The beginnings of Telegraf's tables.
const TELEGRAF: [&str; 7] =
    ["inputs.", "outputs.", "processors.", "aggregators.", "secretstores.", "agent]", "global_tags]"];

/// The beginnings of Fluentd's sections. No line of TOML begins with "<".
const FLUENTD: [&str; 6] = ["<source>", "<match>", "<match ", "<filter", "<label ", "<system>"];

/// Whether a line is the header of a table, or of a table inside of it.
fn is_header(line: &str, table: &str) -> bool {
    let name = line.strip_prefix('[').map(|rest| rest.trim_start_matches('[').trim_start());
    let rest = name.and_then(|name| name.strip_prefix(table));
    rest.is_some_and(|rest| rest.trim_start().starts_with([']', '.']))
}

/// Whether the lines have a section of Logstash, whose bracket may stand in the next line.
fn is_pipeline(lines: &[&str]) -> bool {
    let section = |line: &str| {
        let names = ["input", "filter", "output"];
        names.into_iter().find_map(|name| line.strip_prefix(name)).map(|rest| rest.trim_start().to_owned())
    };
    let next = lines.iter().skip(1).map(Some).chain([None]);
    lines.iter().zip(next).any(|(line, next)| {
        section(line).is_some_and(|rest| {
            rest.starts_with('{') || rest.is_empty() && next.is_some_and(|next| next.starts_with('{'))
        })
    })
}

/// Whether the first line is that of a YAML document: a marker, a list, or a key with a colon.
fn is_yaml(line: &str) -> bool {
    let key = line.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    line == "---" || line.starts_with("- ") || key.is_some_and(|(key, _)| is_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_the_files_of_other_tools() {
        let f = |text: &str, want: &[&str]| {
            let got = recognized(Path::new("/etc/x.conf"), text).unwrap_or_default();
            assert_eq!(got.is_empty(), want.is_empty(), "{text}: {got}");
            for want in want {
                assert!(got.contains(want), "{text}: {got}");
            }
        };
        let command = "run `kafka-influx-bridge migrate /etc/x.conf -o bridge.toml`";
        f("\u{feff}# x\n[agent]\ninterval = '1s'", &["this is a telegraf.conf", command]);
        f(" [[inputs.kafka_consumer]]\nbrokers = ['a']", &["this is a telegraf.conf", command]);
        f("# x\n<source>\n  @type kafka_group\n</source>", &["this is a fluent.conf", command]);
        f("<match app.**>\n</match>", &["fluent.conf"]);
        f("input {\n  kafka { }\n}", &["this is a pipeline of Logstash", command]);
        f("# x\ninput\n\n{ kafka { } }", &["Logstash"]);
        f("---\nkafka:\n  brokers: a", &["this is YAML", "`kafka-influx-bridge init` writes one"]);
        f("kafka:\n  brokers: a", &["this is YAML"]);
        f("- a: 1", &["this is YAML"]);
        f(" \n\n", &["the file is empty", "init", "migrate"]);
        // Errors of a configuration of the bridge are reported one by one.
        f("[kafka]\nbrokers: a\n[outputs.influxdb_v2]", &[]);
        f("[outputs.influxdb_v2]\n[[mapping]]", &[]);
        f("[kafka.tls]\n[agent]", &[]);
        f("# only a comment", &[]);
        f("brokers = 'a:1'\ninput = { a = 1 }", &[]);
        f("inputs = 5", &[]);
        f("[kafak]\nbrokers = 'a'", &[]);
        f("{\"kafka\": 1}", &[]);
    }
}
