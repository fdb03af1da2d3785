//! Proposes `types`, and `values` for words of two states, for keys whose values have several types. InfluxDB gives each field one type.

use super::super::class::glob;
use super::super::key::{INDEX, Key};
use super::super::text::{few, joined, shown};
use super::Proposer;
use mapping::Globs;
use toml::Value;

/// Words of two states: the first is 1, the second is 0.
const STATES: [(&str, &str); 8] = [
    ("on", "off"),
    ("active", "inactive"),
    ("true", "false"),
    ("yes", "no"),
    ("open", "closed"),
    ("enabled", "disabled"),
    ("running", "stopped"),
    ("online", "offline"),
];

impl Proposer<'_> {
    /// `mixed`: keys with values of several types.
    pub(super) fn one_type(&mut self, mixed: &[&Key]) {
        let (mut left, mut types, mut values) = (Vec::new(), toml::Table::new(), toml::Table::new());
        for key in mixed {
            let name = glob(&key.pattern);
            match words(key) {
                Some(words) if !self.matches_others(key, &name) => {
                    if !words.is_empty() {
                        values.insert(name.clone(), Value::Table(words));
                    }
                    types.insert(name, Value::from("float"));
                }
                _ => left.push(shown(&key.pattern)),
            }
        }
        if !values.is_empty() {
            let why = "Words of two states beside numbers are stored as 1 and 0.".to_owned();
            self.out.add("values", values, vec![why]);
        }
        if !types.is_empty() {
            let why = "Values of several types are mixed, and a field has one: true is stored as 1, and false as 0.";
            self.out.add("types", types, vec![why.to_owned()]);
        }
        if !left.is_empty() {
            let all = few(&left);
            self.out
                .warnings
                .push(format!("Not stored: texts and booleans that are mixed with numbers: {all}."));
            self.out.notes.push(format!(
                "{}: strings, booleans and numbers are mixed. InfluxDB gives each field one type, so only the numbers are stored.",
                joined(&left)
            ));
        }
    }

    /// Whether the glob of an array's elements matches another key.
    fn matches_others(&self, key: &Key, glob: &str) -> bool {
        let Ok(globs) = Globs::compile(&[glob.to_owned()]) else { return true };
        let flattened = |other: &Key| other.pattern.replace(INDEX, "0");
        self.seen.keys.iter().any(|other| other.pattern != key.pattern && globs.is_match(&flattened(other)))
    }
}

/// The words of a key with the numbers that they mean, if it has numbers and all of its texts are words of two states, of which both occur.
fn words(key: &Key) -> Option<toml::Table> {
    let number = |text: &str| {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        STATES.iter().find_map(|(yes, no)| if is(yes) { Some(1_i64) } else { is(no).then_some(0) })
    };
    key.distinct()?;
    let is_text = |text: &&str| text.parse::<f64>().is_err();
    let texts = key.values().into_iter().filter(is_text);
    let entry = |text: &str| Some((text.to_owned(), Value::from(number(text)?)));
    let entries: Option<toml::Table> = texts.map(entry).collect();
    // One word alone says too little: "off" may stand beside the numbers of levels.
    let is_known = |words: &toml::Table| {
        let has = |number: i64| words.values().any(|value| value.as_integer() == Some(number));
        words.is_empty() || (has(0) && has(1))
    };
    entries.filter(|words| key.numbers() + key.quoted > 0 && is_known(words))
}
