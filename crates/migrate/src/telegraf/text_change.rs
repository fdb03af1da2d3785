//! The changes of texts of `processors.strings`, for names and fixed tags.

use super::conf::Options;

/// A table of `processors.strings`.
pub struct TextChange {
    kind: &'static str,
    prefix: String,
    suffix: String,
    old: String,
    new: String,
    cutset: Option<String>,
    width: Option<usize>,
}

impl TextChange {
    /// In the order in which Telegraf applies them.
    pub const KINDS: [&'static str; 12] = [
        "lowercase",
        "uppercase",
        "titlecase",
        "trim",
        "trim_left",
        "trim_right",
        "trim_prefix",
        "trim_suffix",
        "replace",
        "left",
        "base64decode",
        "valid_utf8",
    ];

    pub fn read(kind: &'static str, table: &Options) -> Self {
        let text = |option: &str| table.text(option).map(|text| unescaped(&text));
        Self {
            kind,
            prefix: text("prefix").unwrap_or_default(),
            suffix: text("suffix").unwrap_or_default(),
            old: text("old").unwrap_or_default(),
            new: text("new").unwrap_or_default(),
            cutset: text("cutset"),
            width: table.text("width").and_then(|width| width.parse().ok()),
        }
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The changed text. None if only Telegraf knows it.
    pub fn apply(&self, text: &str) -> Option<String> {
        if super::variables::has_variable(text) {
            return None;
        }
        let is_cut = |c: char| match &self.cutset {
            Some(cutset) => cutset.contains(c),
            None => c.is_whitespace(),
        };
        Some(match self.kind {
            "lowercase" => text.to_lowercase(),
            "uppercase" => text.to_uppercase(),
            "titlecase" => title(text)?,
            "trim" => text.trim_matches(is_cut).to_owned(),
            "trim_left" => text.trim_start_matches(is_cut).to_owned(),
            "trim_right" => text.trim_end_matches(is_cut).to_owned(),
            "trim_prefix" => text.strip_prefix(&self.prefix).unwrap_or(text).to_owned(),
            "trim_suffix" => text.strip_suffix(&self.suffix).unwrap_or(text).to_owned(),
            // Telegraf keeps a text of which nothing would be left.
            "replace" => Some(text.replace(&self.old, &self.new))
                .filter(|new| !new.is_empty())
                .unwrap_or_else(|| text.to_owned()),
            "left" => text.get(..self.width?.min(text.len()))?.to_owned(),
            "valid_utf8" => text.to_owned(),
            _ => return None,
        })
    }

    /// The change as the two sides of `rename`, if it is one of a prefix or suffix.
    pub fn pattern(&self) -> Option<(String, String)> {
        let is_plain = |text: &&String| !text.is_empty() && !text.contains('*');
        let all = "*".to_owned();
        match self.kind {
            "trim_prefix" => Some(&self.prefix).filter(is_plain).map(|prefix| (format!("{prefix}*"), all)),
            "trim_suffix" => Some(&self.suffix).filter(is_plain).map(|suffix| (format!("*{suffix}"), all)),
            _ => None,
        }
    }
}

/// The text with words that begin with a capital letter. None where the borders of words are not obvious.
fn title(text: &str) -> Option<String> {
    let is_obvious = text.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | ' '));
    let word = |word: &str| {
        let first = word.find(|c: char| c != '_').unwrap_or(word.len());
        let (marks, letters) = word.split_at(first);
        let mut letters = letters.chars();
        let capital = letters.next().map(|c| c.to_ascii_uppercase());
        marks.chars().chain(capital).chain(letters).collect::<String>()
    };
    is_obvious.then(|| text.split(' ').map(word).collect::<Vec<_>>().join(" "))
}

/// The text that Telegraf reads: "$" is escaped in bridge.toml.
pub fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}
