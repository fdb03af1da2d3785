//! The options of a plugin, as Fluentd and Logstash have them: taken by name, and what nobody took is reported.

use super::{Note, Notes, base_name};
use base::suggest::nearest;
use std::rc::Rc;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Rc<str>,
    /// From 1.
    pub line: usize,
}

impl Place {
    pub fn note(&self, what: &str, why: impl Into<String>) -> Note {
        Note { file: self.file.to_string(), line: self.line, what: what.to_owned(), why: why.into() }
    }

    /// For people: "/etc/fluent.conf:3".
    pub fn shown(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// For comments of the new file, which may be kept elsewhere: "fluent.conf:3".
    pub fn short(&self) -> String {
        format!("{}:{}", base_name(&self.file), self.line)
    }
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<V> {
    pub name: String,
    pub value: V,
    pub place: Place,
}

/// The options that are left, and those that were asked for.
pub struct Options<'a, V> {
    /// Its name, as in `kafka_group`.
    plugin: &'a str,
    left: Vec<&'a Setting<V>>,
    asked: Vec<&'static str>,
}

impl<'a, V> Options<'a, V> {
    pub fn new(plugin: &'a str, settings: &'a [Setting<V>]) -> Self {
        Self { plugin, left: settings.iter().collect(), asked: Vec::new() }
    }

    /// The option, which is left no more. Of several the last counts, as in both tools.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Setting<V>> {
        self.asked.push(name);
        let found = self.left.iter().rev().find(|setting| setting.name == name).copied();
        self.left.retain(|setting| setting.name != name);
        found
    }

    /// All of this name.
    pub fn take_all(&mut self, name: &'static str) -> Vec<&'a Setting<V>> {
        self.asked.push(name);
        let (found, left) = self.left.drain(..).partition(|setting| setting.name == name);
        self.left = left;
        found
    }

    /// Reports what is left: `known` are options with the reason why they have no counterpart (empty: nothing to say);
    /// `without_effect` says what the tool did with one that it does not know.
    pub fn finish(self, known: &[(&'static str, &'static str)], without_effect: &str, notes: &mut Notes) {
        for setting in &self.left {
            match known.iter().find(|(name, _)| *name == setting.name) {
                Some((_, "")) => {}
                Some((_, why)) => notes.add(setting.place.note(&setting.name, *why)),
                None => {
                    let names = self.asked.iter().copied().chain(known.iter().map(|(name, _)| *name));
                    let near = nearest(&setting.name, names);
                    let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let why = format!("{} has no such option{without_effect}{meant}", self.plugin);
                    notes.add(setting.place.note(&setting.name, why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_took_is_reported_with_the_nearest() {
        let setting = |name: &str, line| Setting {
            name: name.to_owned(),
            value: line,
            place: Place { file: "a.conf".into(), line },
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
