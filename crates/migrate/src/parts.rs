//! The tables of a new bridge.toml while plugins fill them.

use super::Bridge;
use super::plugin::Place;
use configuration::draft::{Draft, Table};

#[derive(Clone, Debug)]
pub struct Parts {
    pub comments: Vec<String>,
    pub kafka: Table,
    pub tls: Option<Table>,
    pub sasl: Option<Table>,
    pub librdkafka: Option<Table>,
    pub mappings: Vec<Table>,
    pub influx: Table,
    pub influx_tls: Option<Table>,
    pub batch: Option<Table>,
    pub fill_in: Vec<String>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            comments: Vec::new(),
            kafka: Table::new("[kafka]"),
            tls: None,
            sasl: None,
            librdkafka: None,
            mappings: Vec::new(),
            influx: Table::new("[influx]"),
            influx_tls: None,
            batch: None,
            fill_in: Vec::new(),
        }
    }
}

impl Parts {
    pub fn tls(&mut self) -> &mut Table {
        self.tls.get_or_insert_with(|| Table::new("[kafka.tls]"))
    }

    pub fn sasl(&mut self) -> &mut Table {
        self.sasl.get_or_insert_with(|| Table::new("[kafka.sasl]"))
    }

    pub fn librdkafka(&mut self) -> &mut Table {
        self.librdkafka.get_or_insert_with(|| Table::new("[kafka.librdkafka]"))
    }

    pub fn influx_tls(&mut self) -> &mut Table {
        self.influx_tls.get_or_insert_with(|| Table::new("[influx.tls]"))
    }

    /// A secret for the new file. A reference stays a reference, without its default. A plain secret becomes a variable
    /// to set, because terminals show the new file.
    pub fn secret(&mut self, key: &str, variable: &str, text: &str, place: &Place) -> String {
        let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match inside.filter(|inside| !inside.contains("${")).map(|inside| inside.split_once(":-")) {
            Some(None) => return text.to_owned(),
            Some(Some((name, _))) => {
                self.fill_in.push(format!("{key}: set {name}; its default stays in {}", place.shown()));
                return format!("${{{name}}}");
            }
            None => {}
        }
        self.fill_in.push(format!("{key}: set {variable} to the value in {}", place.shown()));
        format!("${{{variable}}}")
    }

    /// Adds an `[influx]` to fill in, because the old file does not write to InfluxDB.
    pub fn influx_to_fill_in(&mut self) {
        self.influx
            .comment("To fill in: the migrated file does not write to InfluxDB.")
            .set("url", "http://localhost:8086")
            .set("org", "${INFLUX_ORG}")
            .set("bucket", "${INFLUX_BUCKET}")
            .set("token", "${INFLUX_TOKEN}");
        self.fill_in.push("influx: write url, org, bucket and token of your InfluxDB, or set INFLUX_ORG, INFLUX_BUCKET and INFLUX_TOKEN".to_owned());
    }

    pub fn bridge(self) -> Bridge {
        let mut tables = vec![self.kafka];
        tables.extend(self.tls.into_iter().chain(self.sasl).chain(self.librdkafka));
        tables.extend(self.mappings);
        tables.push(self.influx);
        tables.extend(self.influx_tls.into_iter().chain(self.batch));
        Bridge { draft: Draft { comments: self.comments, tables }, fill_in: self.fill_in }
    }
}

/// Sets a key that is not set yet: two options of a plugin may have the same counterpart.
pub fn set_once(table: &mut Table, key: &str, value: impl Into<toml::Value>) {
    if table.get(key).is_none() {
        table.set(key, value);
    }
}

/// A string value of bridge.toml that means `text`, with each "$" escaped.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$'
            && chars.peek().is_some_and(|&next| next == '{' || next == '_' || next.is_ascii_alphabetic())
        {
            out.push('$');
        }
    }
    out
}

/// Whether `name` is a valid name of a variable.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A glob that matches only this key.
pub fn exact_glob(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A duration in the notation of bridge.toml.
pub fn duration(seconds: f64) -> Option<String> {
    let ms = (seconds * 1000.0).round();
    let is_valid = (1.0..=3_600_000.0).contains(&ms);
    let ms = if is_valid { ms as u64 } else { return None };
    Some(if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") })
}

/// The part of a topic name that a tool's regular expression must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Any part (Ruby).
    Anywhere,
    /// The beginning (librdkafka).
    Beginning,
    /// The whole name (Java's consumer).
    Whole,
}

/// Turns a tool's regular expression of topics into an entry of `topics`, which begins with "^".
pub fn topic_pattern(regex: &str, extent: Extent) -> Result<String, String> {
    let body = regex.strip_prefix("\\A").unwrap_or(regex);
    let is_anchored = body.len() < regex.len() || regex.starts_with('^');
    let body = body.strip_prefix('^').unwrap_or(body);
    let body = body.strip_suffix("\\Z").map_or_else(|| body.to_owned(), |body| format!("{body}$"));
    let has_choice = body.contains('|');
    let pattern = match extent {
        Extent::Whole if has_choice => format!("^(?:{body})$"),
        Extent::Whole if body.ends_with('$') => format!("^{body}"),
        Extent::Whole => format!("^{body}$"),
        _ if is_anchored => format!("^{body}"),
        Extent::Beginning if has_choice => format!("^(?:{body})"),
        Extent::Beginning => format!("^{body}"),
        Extent::Anywhere if has_choice => format!("^.*(?:{body})"),
        Extent::Anywhere if body.starts_with(".*") => format!("^{body}"),
        Extent::Anywhere => format!("^.*{body}"),
    };
    match regex::Regex::new(&pattern) {
        Ok(_) => Ok(literal(&pattern)),
        Err(_) => Err(format!(
            "the bridge can't read the regular expression {regex:?}: it has neither look-around nor back references"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_for_themselves() {
        let f = |text: &str, want: &str| assert_eq!(literal(text), want);
        f("a$b", "a$$b");
        f("${tag}", "$${tag}");
        f("pa$5$", "pa$5$");
        f("^a.*$", "^a.*$");
    }

    #[test]
    fn durations_are_those_of_bridge_toml() {
        let f = |seconds: f64, want: Option<&str>| assert_eq!(duration(seconds).as_deref(), want);
        f(60.0, Some("60s"));
        f(0.25, Some("250ms"));
        f(0.0, None);
        f(-1.0, None);
        f(1e300, None);
        f(f64::NAN, None);
    }

    #[test]
    fn patterns_keep_what_they_match() {
        let f =
            |regex: &str, extent, want: &str| assert_eq!(topic_pattern(regex, extent).as_deref(), Ok(want));
        f("^metrics\\..*", Extent::Anywhere, "^metrics\\..*");
        f("metrics", Extent::Anywhere, "^.*metrics");
        f(".*", Extent::Anywhere, "^.*");
        f("a|b", Extent::Anywhere, "^.*(?:a|b)");
        f("metrics", Extent::Beginning, "^metrics");
        f("a|b", Extent::Beginning, "^(?:a|b)");
        f("metrics\\..*", Extent::Whole, "^metrics\\..*$");
        f("a|b$", Extent::Whole, "^(?:a|b$)$");
        f("^a$", Extent::Whole, "^a$");
        f("\\Aa\\Z", Extent::Anywhere, "^a$");
        f("\\Aa\\z", Extent::Anywhere, "^a\\z");
        assert!(topic_pattern("(?!x)a", Extent::Whole).is_err());
    }

    #[test]
    fn globs_match_one_key() {
        let globs = mapping::Globs::compile(&[exact_glob("a[0]*{b}\\")]).unwrap();
        assert!(globs.is_match("a[0]*{b}\\") && !globs.is_match("a0b") && !globs.is_match("a[0]xx{b}\\"));
    }
}
