//! Collects notes and values to fill in during a migration.

use super::super::{Note, Notes, Weight};
use super::conf::Options;
use super::variables::has_variable;
use configuration::draft::Table;

/// The notes of the migration, and the values to fill in of the current bridge.
#[derive(Debug, Default)]
pub struct Report {
    pub notes: Notes,
    pub fill_in: Vec<String>,
}

impl Report {
    /// Adds a note on an option, and the same comment to the table.
    pub fn note(&mut self, table: &mut Table, options: &Options, key: &str, why: impl Into<String>) {
        self.notes.add_to(table, options.note(key, why));
    }

    /// Adds notes on the options that are set, in the order of the file.
    pub fn note_all(&mut self, table: &mut Table, options: &Options, known: &[(&str, &str)], weight: Weight) {
        let mut there: Vec<_> = known.iter().filter(|(option, _)| options.has(option)).collect();
        there.sort_by_key(|(option, _)| options.line_of(option));
        for (option, why) in there {
            self.notes.add_to(table, options.note(option, *why).weighing(weight));
        }
    }

    /// The value of an option; a variable instead of a placeholder such as `<token>`. `key` is the key of bridge.toml.
    pub fn value(&mut self, options: &Options, option: &str, key: &str, text: &str) -> (String, Vec<String>) {
        if !is_placeholder(text) {
            return (text.to_owned(), Vec::new());
        }
        self.missing(options, option, key, &format!("has the placeholder {text:?}"))
    }

    /// A variable for the user to set, and the comment with the reason, such as "has none".
    pub fn missing(
        &mut self,
        options: &Options,
        option: &str,
        key: &str,
        why: &str,
    ) -> (String, Vec<String>) {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let variable: String = "FILL_IN_".chars().chain(key.chars().map(plain)).collect();
        let place = options.place(option);
        let remark = format!("{key}: {place} {why}: write the value, or set {variable}");
        if !self.fill_in.contains(&remark) {
            self.fill_in.push(remark);
        }
        (format!("${{{variable}}}"), vec![format!("FILL IN: {place} {why}")])
    }

    /// Sets a key to the result of [`Report::value`].
    pub fn set(&mut self, table: &mut Table, options: &Options, option: &str, key: &str, text: &str) {
        let title = table.header.trim_matches(['[', ']']);
        let (value, comments) = self.value(options, option, &format!("{title}.{key}"), text);
        table.set_because(key, value, &comments.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Sets a key to the value of an option, or to a variable if the option is missing.
    pub fn require(&mut self, table: &mut Table, options: &Options, option: &str, key: &str) {
        if let Some(text) = options.text(option) {
            return self.set(table, options, option, key, &text);
        }
        let title = table.header.trim_matches(['[', ']']);
        let why = format!("has no {option}");
        let (value, comments) = self.missing(options, option, &format!("{title}.{key}"), &why);
        table.set_because(key, value, &comments.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Sets a secret key to a variable: the new file may be shown and kept in places where the old one was not.
    pub fn set_secret(
        &mut self,
        table: &mut Table,
        options: &Options,
        option: &str,
        key: &str,
        variable: &str,
    ) {
        let text = options.text(option).unwrap_or_default();
        if has_variable(&text) {
            table.set(key, text);
            return;
        }
        let title = table.header.trim_matches(['[', ']']);
        let place = options.place(option);
        let has_one = !text.is_empty() && !is_placeholder(&text);
        let (remark, comment) = if has_one {
            (
                format!("{title}.{key}: set {variable} to the {option} of {place}"),
                format!("{place} has it as plain text: set {variable} to this value"),
            )
        } else {
            (
                format!("{title}.{key}: set {variable}; {place} has none"),
                format!("FILL IN: {place} has none; set {variable}"),
            )
        };
        self.fill_in.push(remark);
        table.set_because(key, format!("${{{variable}}}"), &[&comment]);
    }

    /// Reports options that were not read, with the nearest known option.
    pub fn unread(&mut self, kind: &str, options: &Options, known: &[&str]) {
        for key in options.unread() {
            let meant = base::suggest::nearest(key, known.iter().copied());
            let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            let why = format!("{kind} has no such option in Telegraf 1.37 and 1.38: it was left out{meant}");
            self.notes.add(Note {
                weight: Weight::NoEffect,
                file: options.file.clone(),
                line: options.line_of(key),
                what: key.to_owned(),
                why,
            });
        }
    }
}

/// Whether a text has a placeholder for the user to replace, such as `{ip}` or `<token>`.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.replace("${", "");
    let between = |open: char, close: char| {
        text.split_once(open)
            .is_some_and(|(_, rest)| rest.split_once(close).is_some_and(|(inside, _)| !inside.is_empty()))
    };
    between('<', '>')
        || between('{', '}')
        || matches!(text.to_ascii_lowercase().as_str(), "changeme" | "change_me")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_placeholders() {
        for text in ["http://{ip}:8086", "<token>", "<YOUR TOKEN>", "{{ influx_token }}", "changeme"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["http://localhost:8086", "${TOKEN}", "${A:-b}", "a<b", "", "[::1]:9092", "{}"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
