//! The options of a plugin of Fluentd or Logstash. They are taken by name; the rest is reported.

use super::{Note, Notes, Weight, base_name};
use base::suggest::nearest;
use std::rc::Rc;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    pub file: Rc<str>,
    /// Counts from 1.
    pub line: usize,
}

/// The line and reason of a syntax error. The tool refuses such a file too.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub line: usize,
    pub why: String,
}

impl SourceLine {
    pub fn note(&self, what: &str, why: impl Into<String>) -> Note {
        let why = why.into();
        Note {
            weight: Weight::of(&why),
            file: self.file.to_string(),
            line: self.line,
            what: what.to_owned(),
            why,
        }
    }

    /// The place for messages: "/etc/fluent.conf:3".
    pub fn shown(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The place for comments of the new file, which may be kept elsewhere: "fluent.conf:3".
    pub fn short(&self) -> String {
        format!("{}:{}", base_name(&self.file), self.line)
    }
}

/// An option with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<V> {
    pub name: String,
    pub value: V,
    pub place: SourceLine,
}

/// The options that were not taken yet, and the names that were requested.
pub struct Options<'a, V> {
    /// The plugin's name, such as `kafka_group`.
    plugin: &'a str,
    left: Vec<&'a Setting<V>>,
    requested: Vec<&'static str>,
}

impl<'a, V> Options<'a, V> {
    pub fn new(plugin: &'a str, settings: &'a [Setting<V>]) -> Self {
        Self { plugin, left: settings.iter().collect(), requested: Vec::new() }
    }

    /// Takes the option. If it is written several times the last one counts, as in both tools.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Setting<V>> {
        self.requested.push(name);
        let found = self.left.iter().rev().find(|setting| setting.name == name).copied();
        self.left.retain(|setting| setting.name != name);
        found
    }

    /// Takes all options of this name.
    pub fn take_all(&mut self, name: &'static str) -> Vec<&'a Setting<V>> {
        self.requested.push(name);
        let (found, left) = self.left.drain(..).partition(|setting| setting.name == name);
        self.left = left;
        found
    }

    /// Reports the remaining options. `known` has options without a counterpart and the reason (empty: no note);
    /// `without_effect` says what the tool does with an unknown option.
    pub fn finish(self, known: &[(&'static str, &'static str)], without_effect: &str, notes: &mut Notes) {
        for setting in &self.left {
            match known.iter().find(|(name, _)| *name == setting.name) {
                Some((_, "")) => {}
                Some((_, why)) => notes.add(setting.place.note(&setting.name, *why)),
                None => {
                    let names = self.requested.iter().copied().chain(known.iter().map(|(name, _)| *name));
                    let near = nearest(&setting.name, names);
                    let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let why = format!("{} has no such option{without_effect}{meant}", self.plugin);
                    notes.add(setting.place.note(&setting.name, why).weighing(Weight::NoEffect));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_options_are_reported_with_the_nearest_name() {
        let setting = |name: &str, line| Setting {
            name: name.to_owned(),
            value: line,
            place: SourceLine { file: "a.conf".into(), line },
        };
        let settings = [
            setting("host", 1),
            setting("tag_kes", 2),
            setting("host", 3),
            setting("retry", 4),
            setting("@id", 5),
            setting("zzz", 6),
        ];
        let mut options = Options::new("influxdb", &settings);
        assert_eq!(options.take("host").map(|setting| setting.value), Some(3));
        assert!(options.take("tag_keys").is_none());
        let mut notes = Notes::default();
        options.finish(&[("retry", "it is not needed"), ("@id", "")], ", which it ignored", &mut notes);
        let got: Vec<String> = notes.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(
            got,
            [
                "a.conf:2: tag_kes: influxdb has no such option, which it ignored; did you mean `tag_keys`?",
                "a.conf:4: retry: it is not needed",
                "a.conf:6: zzz: influxdb has no such option, which it ignored",
            ]
        );
    }
}
