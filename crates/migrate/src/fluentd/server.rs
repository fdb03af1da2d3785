//! Migrates the InfluxDB of an output: `[influx]`, and the destination keys of a mapping.

use super::syntax::Section;
use super::text::Text;
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting};
use configuration::draft::Table;

/// A text that is equal for outputs that one bridge can write to.
pub fn identity(section: &Section) -> String {
    let names =
        ["host", "port", "use_ssl", "verify_ssl", "user", "password", "url", "org", "token", "verify_mode"];
    let values =
        names.iter().map(|name| section.option(name).map_or("", |option| option.value.text.as_str()));
    format!("{} {}", section.plugin(), values.collect::<Vec<_>>().join("\n"))
}

pub fn add(
    options: &mut Options<'_, Text>,
    section: &Section,
    is_v2: bool,
    mapping: &mut Table,
    draft: &mut DraftTables,
    notes: &mut Notes,
) {
    let is_first = draft.mappings.is_empty();
    let mut influx = Table::new("[influx]");
    if is_v2 {
        v2(options, section, &mut influx, draft, notes);
    } else {
        v1(options, &mut influx, draft);
    }
    let own: &[&str] = if is_v2 { &["bucket"] } else { &["database", "retention_policy"] };
    if is_first {
        draft.influx = influx;
        return;
    }
    for key in own {
        let value = influx.get(key).filter(|value| draft.influx.get(key) != Some(value)).cloned();
        if let Some(value) = value {
            mapping.set(key, value);
        }
    }
}

fn v1(options: &mut Options<'_, Text>, influx: &mut Table, draft: &mut DraftTables) {
    let text = |setting: Option<&Setting<Text>>| setting.map(|setting| setting.value.text.clone());
    let hosts = options.take("host").map(|setting| setting.value.list()).unwrap_or_default();
    let port = text(options.take("port")).unwrap_or_else(|| "8086".to_owned());
    let is_tls = options.take("use_ssl").and_then(|setting| setting.value.flag()) == Some(true);
    let scheme = if is_tls { "https" } else { "http" };
    let url = |host: &str| format!("{scheme}://{host}:{port}");
    match &hosts[..] {
        [] => influx.set("url", url("localhost")),
        [host] => influx.set("url", url(host)),
        hosts => influx.set("urls", hosts.iter().map(|host| url(host)).collect::<Vec<_>>()),
    };
    influx.set("api", "v1");
    let database = text(options.take("dbname")).unwrap_or_else(|| "fluentd".to_owned());
    influx.set("database", database);
    if let Some(policy) = text(options.take("default_retention_policy")) {
        influx.set("retention_policy", policy);
    }
    let (user, password) = (text(options.take("user")), options.take("password"));
    if user.is_some() || password.is_some() {
        influx.set("username", user.unwrap_or_else(|| "root".to_owned()));
        let secret = password.map_or_else(
            || "root".to_owned(),
            |setting| draft.secret("influx.password", "INFLUX_PASSWORD", &setting.value.text, &setting.place),
        );
        influx.set("password", secret);
    }
    if options.take("verify_ssl").and_then(|setting| setting.value.flag()) == Some(false) && is_tls {
        draft.influx_tls().set("verify", false);
    }
}

fn v2(
    options: &mut Options<'_, Text>,
    section: &Section,
    influx: &mut Table,
    draft: &mut DraftTables,
    notes: &mut Notes,
) {
    let text = |setting: Option<&Setting<Text>>| setting.map(|setting| setting.value.text.clone());
    let url = text(options.take("url")).unwrap_or_else(|| "https://localhost:8086".to_owned());
    options.take("use_ssl");
    let mode = text(options.take("verify_mode"));
    if matches!(mode.as_deref(), Some("VERIFY_NONE" | "0")) && url.starts_with("https") {
        draft.influx_tls().set("verify", false);
    }
    influx.set("url", url);
    for (name, variable) in [("org", "INFLUX_ORG"), ("bucket", "INFLUX_BUCKET")] {
        let setting = options.take(name);
        match setting {
            Some(setting) if !setting.value.text.contains("$${") => {
                influx.set(name, setting.value.text.as_str());
            }
            other => {
                let (place, why) = other.map_or((&section.place, "it is missing"), |setting| {
                    (
                        &setting.place,
                        "the bridge has no placeholders: write a [[mapping]] for the topics of each bucket",
                    )
                });
                notes.add_to(influx, place.note(name, why));
                influx.set(name, format!("${{{variable}}}"));
                draft.fill_in.push(format!("influx.{name}: write it, or set {variable}"));
            }
        }
    }
    let token = options.take("token").map_or_else(
        || "${INFLUX_TOKEN}".to_owned(),
        |setting| draft.secret("influx.token", "INFLUX_TOKEN", &setting.value.text, &setting.place),
    );
    influx.set("token", token);
}
