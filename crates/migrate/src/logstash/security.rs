//! Migrates the login of the input `kafka` to `[kafka.tls]` and `[kafka.sasl]`.

use super::syntax::{Plugin, Value};
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting};

pub fn add(options: &mut Options<'_, Value>, input: &Plugin, draft: &mut DraftTables, notes: &mut Notes) {
    let text = |setting: Option<&Setting<Value>>| {
        setting.and_then(|setting| setting.value.text()).map(str::to_owned)
    };
    let protocol = text(options.take("security_protocol")).unwrap_or_default().to_uppercase();
    let old = options.take("ssl").and_then(|setting| setting.value.flag()) == Some(true);
    if protocol.ends_with("SSL") || old {
        draft.tls();
    }
    truststore(options, draft);
    keystore(options, draft);
    if text(options.take("ssl_endpoint_identification_algorithm")).is_some_and(|name| name.is_empty()) {
        draft.librdkafka().set("ssl.endpoint.identification.algorithm", "none");
    }
    let mechanism = options.take("sasl_mechanism");
    let jaas = options.take("sasl_jaas_config");
    if protocol.starts_with("SASL") {
        login(input, mechanism, jaas, draft, notes);
    }
    for name in ["jaas_path", "kerberos_config", "sasl_kerberos_service_name"] {
        if let Some(setting) = options.take(name) {
            let why = if name == "jaas_path" {
                "write the login of that file into username and password of [kafka.sasl]"
            } else {
                KERBEROS
            };
            notes.add(setting.place.note(name, why));
        }
    }
    for name in [
        "sasl_client_callback_handler_class",
        "sasl_login_callback_handler_class",
        "sasl_oauthbearer_token_endpoint_url",
        "sasl_oauthbearer_scope_claim_name",
        "sasl_login_connect_timeout_ms",
        "sasl_login_read_timeout_ms",
        "sasl_login_retry_backoff_ms",
        "sasl_login_retry_backoff_max_ms",
    ] {
        if let Some(setting) = options.take(name) {
            let why = "set up OAUTHBEARER with properties in [kafka.librdkafka], such as \"sasl.oauthbearer.method\"";
            notes.add(setting.place.note(name, why));
        }
    }
}

const KERBEROS: &str = "Kerberos is not built in: use SCRAM-SHA-512, PLAIN or OAUTHBEARER in [kafka.sasl]";

fn login(
    input: &Plugin,
    mechanism: Option<&Setting<Value>>,
    jaas: Option<&Setting<Value>>,
    draft: &mut DraftTables,
    notes: &mut Notes,
) {
    // Logstash's default.
    let name = mechanism.and_then(|setting| setting.value.text()).unwrap_or("GSSAPI");
    let place = mechanism.map_or(&input.place, |setting| &setting.place);
    if name == "OAUTHBEARER" {
        draft.sasl().set("mechanism", name);
        return;
    }
    if name == "GSSAPI" {
        notes.add_to(draft.sasl(), place.note("sasl_mechanism", KERBEROS));
    }
    let mechanism = if name == "GSSAPI" { "SCRAM-SHA-512" } else { name };
    draft.sasl().set("mechanism", mechanism);
    let of_jaas = |key: &str| {
        let setting = jaas?;
        Some((jaas_value(setting.value.text()?, key)?, setting))
    };
    if let (Some((username, _)), Some((password, setting))) = (of_jaas("username"), of_jaas("password")) {
        let secret = draft.secret("kafka.sasl.password", "KAFKA_PASSWORD", &password, &setting.place);
        draft.sasl().set("username", username).set("password", secret);
    } else {
        draft.sasl().set("username", "${KAFKA_USERNAME}").set("password", "${KAFKA_PASSWORD}");
        draft.fill_in.push(
            "kafka.sasl: write username and password, or set KAFKA_USERNAME and KAFKA_PASSWORD".to_owned(),
        );
    }
}

/// The value of a key in a JAAS line, such as `username="a"` or `username='a'`.
fn jaas_value(jaas: &str, key: &str) -> Option<String> {
    let behind = |at: usize| jaas.get(at + key.len()..).map(str::trim_start);
    let (_, rest) = jaas.match_indices(key).find_map(|(at, _)| {
        let is_word = jaas.get(..at)?.ends_with(|c: char| c.is_whitespace());
        Some((at, behind(at)?.strip_prefix('=')?)).filter(|_| is_word)
    })?;
    let rest = rest.trim_start().trim_start_matches('\\');
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let (value, _) = rest.get(1..)?.split_once(quote)?;
            Some(value.trim_end_matches('\\').to_owned())
        }
        None => Some(rest.split([' ', ';', '\t', '\n']).next()?.to_owned()),
    }
}

/// Reads file, type and password of a Java store; returns file and type.
fn store(options: &mut Options<'_, Value>, names: [&'static str; 3]) -> Option<(String, String)> {
    let [location, kind, password] = names;
    let kind = options.take(kind).and_then(|setting| setting.value.text());
    options.take(password);
    let file = options.take(location)?.value.text()?.to_owned();
    let lower = file.to_lowercase();
    let by_name = match lower.rsplit('.').next() {
        Some("p12" | "pfx") => "PKCS12",
        Some("pem" | "crt") => "PEM",
        _ => "JKS",
    };
    Some((file, kind.unwrap_or(by_name).to_uppercase()))
}

fn truststore(options: &mut Options<'_, Value>, draft: &mut DraftTables) {
    let names = ["ssl_truststore_location", "ssl_truststore_type", "ssl_truststore_password"];
    let Some((file, kind)) = store(options, names) else { return };
    if kind == "PEM" {
        draft.tls().set("ca_file", file);
        return;
    }
    let command = if kind == "PKCS12" {
        format!("openssl pkcs12 -in {file} -nokeys -out ca.pem")
    } else {
        format!("keytool -list -rfc -keystore {file} > ca.pem")
    };
    draft.tls().set_because(
        "ca_file",
        "ca.pem",
        &["From the Java store, written by:", &format!("  {command}")],
    );
    draft.fill_in.push(format!("kafka.tls.ca_file: {command}"));
}

fn keystore(options: &mut Options<'_, Value>, draft: &mut DraftTables) {
    let names = ["ssl_keystore_location", "ssl_keystore_type", "ssl_keystore_password"];
    let store = store(options, names);
    let key_password = options.take("ssl_key_password");
    let Some((file, kind)) = store else { return };
    if kind == "PEM" {
        draft.tls().set("cert_file", file.as_str()).set("key_file", file);
        if let Some(setting) = key_password {
            let text = setting.value.text().unwrap_or_default();
            let secret = draft.secret("kafka.tls.key_password", "KAFKA_KEY_PASSWORD", text, &setting.place);
            draft.tls().set("key_password", secret);
        }
        return;
    }
    let mut commands = Vec::new();
    let p12 = if kind == "PKCS12" {
        file
    } else {
        commands.push(format!(
            "keytool -importkeystore -srckeystore {file} -destkeystore client.p12 -deststoretype pkcs12"
        ));
        "client.p12".to_owned()
    };
    commands.push(format!("openssl pkcs12 -in {p12} -clcerts -nokeys -out client.pem"));
    commands.push(format!("openssl pkcs12 -in {p12} -nocerts -nodes -out client.key"));
    let shown: Vec<String> = commands.iter().map(|command| format!("  {command}")).collect();
    let lines: Vec<&str> =
        std::iter::once("From the Java store, written by:").chain(shown.iter().map(String::as_str)).collect();
    draft.tls().set_because("cert_file", "client.pem", &lines).set("key_file", "client.key");
    draft.fill_in.push(format!("kafka.tls.cert_file, kafka.tls.key_file: {}", commands.join("; ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_logins_of_jaas_lines() {
        let f = |jaas: &str, want: Option<(&str, &str)>| {
            let got = jaas_value(jaas, "username").zip(jaas_value(jaas, "password"));
            assert_eq!(got.as_ref().map(|(a, b)| (a.as_str(), b.as_str())), want, "{jaas}");
        };
        f("x.PlainLoginModule required username='a' password='b c';", Some(("a", "b c")));
        f("x.ScramLoginModule required username=\"a\" password = \"b;\" ;", Some(("a", "b;")));
        f("x required\n  username=\\\"a\\\"\n  password=\\\"b\\\";", Some(("a", "b")));
        f("x required username=a password=b;", Some(("a", "b")));
        f("x required username='${U}' password='${P}';", Some(("${U}", "${P}")));
        f("x required username='a;", None);
        f("", None);
    }
}
