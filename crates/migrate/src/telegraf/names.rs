//! What tags and fields are called at one stage of Telegraf's pipeline.
//!
//! [`Rules`] describe the points behind the plugins that were applied before: each key of a record, with the tag or field that it
//! became. A later plugin refers to tags and fields by their names at its stage. Here it finds the keys that have these names, and
//! the notes on whatever no mapping can express.

use super::conf::Options;
use super::rules::{Rules, is_match};
use crate::values::exact_glob;
use configuration::RESERVED;
use mapping::{KeySelector, Rename, globs_overlap};

/// Where the value of a tag comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An entry of `tag_keys` that selects one key.
    Key(String),
    /// An entry of `tag_keys` that selects several keys, or the tags of line protocol.
    Glob(String),
    Header(String),
    Topic,
    Fixed(String),
}

/// A tag at this stage. The name of a glob is a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub source: Source,
}

/// The option that a plugin is applied for, for notes.
pub type At<'o> = (&'o Options, &'o str);

impl Rules {
    /// The tags of the points.
    pub fn all_tags(&self) -> Vec<Tag> {
        let tag = |name: &str, source| Tag { name: name.to_owned(), source };
        let of_record = |entry: &String| {
            let source = if is_pattern(entry) { Source::Glob } else { Source::Key };
            tag(&self.final_name(entry), source(entry.clone()))
        };
        let mut tags: Vec<Tag> = self.tag_keys.iter().map(of_record).collect();
        tags.extend(self.is_influx().then(|| tag("*", Source::Glob("*".to_owned()))));
        tags.extend(self.header_tags.iter().map(|(header, name)| tag(name, Source::Header(header.clone()))));
        tags.extend(self.topic_tag.iter().map(|name| tag(name, Source::Topic)));
        tags.extend(self.tags.iter().map(|(name, value)| tag(name, Source::Fixed(value.clone()))));
        tags
    }

    /// The tags that a pattern or name of a plugin selects. A key that a glob selects is a tag with its own key.
    pub fn tags_named(&self, pattern: &str) -> Vec<Tag> {
        let matches = |name: &str| is_match(&[pattern.to_owned()], name);
        let all = self.all_tags();
        let mut tags: Vec<Tag> = Vec::new();
        for tag in &all {
            match &tag.source {
                Source::Glob(_) if is_pattern(pattern) => {
                    tags.extend(globs_overlap(pattern, &tag.name).then(|| tag.clone()));
                }
                Source::Glob(_) => {}
                _ => tags.extend(matches(&tag.name).then(|| tag.clone())),
            }
        }
        if !is_pattern(pattern) {
            let of_globs = self.origins(pattern).into_iter().filter(|key| {
                let entry = exact_glob(key);
                let is_known = tags.iter().any(|tag| tag.source == Source::Key(entry.clone()));
                !is_known && self.is_tag(key) && self.final_name(&entry) == pattern
            });
            let of_globs: Vec<Tag> = of_globs
                .map(|key| Tag { name: pattern.to_owned(), source: Source::Key(exact_glob(&key)) })
                .collect();
            tags.extend(of_globs);
        }
        tags
    }

    /// Whether a key of the record becomes a tag.
    fn is_tag(&self, key: &str) -> bool {
        self.is_influx() || self.tag_keys.iter().any(|entry| is_match(std::slice::from_ref(entry), key))
    }

    /// Whether a key of the record becomes a field.
    pub fn is_field(&self, key: &str) -> bool {
        let is_tag = !self.is_influx() && self.is_tag(key);
        self.time_key.as_deref() != Some(key)
            && !is_tag
            && (self.include.is_empty() || is_match(&self.include, key))
            && !is_match(&self.exclude, key)
    }

    /// Keys of the record that the rules name.
    fn named_keys(&self) -> Vec<String> {
        let lists = [&self.tag_keys, &self.string_fields, &self.number_fields, &self.include, &self.exclude];
        let listed =
            lists.into_iter().flatten().filter(|entry| !is_pattern(entry)).map(|entry| key_of(entry));
        let typed = self.types.iter().map(|(key, _)| key).chain(self.values.iter().map(|(key, _)| key));
        let renamed = self.rename.iter().map(|(from, _)| from);
        let mut keys: Vec<String> =
            listed.chain(typed.chain(renamed).filter(|key| !is_pattern(key)).cloned()).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Keys that may have this name: the name itself, and those that a pattern of `rename` gives it.
    fn origins(&self, name: &str) -> Vec<String> {
        let mut keys = vec![name.to_owned()];
        for (from, to) in self.rename.iter().filter(|(from, _)| from.contains('*')) {
            let kept =
                to.split_once('*').and_then(|(before, after)| name.strip_prefix(before)?.strip_suffix(after));
            keys.extend(kept.map(|kept| from.replacen('*', kept, 1)));
        }
        keys
    }

    /// The keys that are a field of this name.
    pub fn fields_named(&self, name: &str) -> Vec<String> {
        let mut keys = [self.origins(name), self.named_keys()].concat();
        keys.sort();
        keys.dedup();
        keys.retain(|key| self.is_field(key) && self.final_name(&exact_glob(key)) == name);
        keys
    }

    /// Whether `fields` has a field of this name.
    pub fn is_copied(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Globs of the keys whose fields a pattern or name of a plugin selects. None if no globs select exactly these.
    pub fn field_globs(&self, pattern: &str) -> Option<Vec<String>> {
        if !is_pattern(pattern) {
            return Some(self.fields_named(pattern).iter().map(|key| exact_glob(key)).collect());
        }
        let mut globs = vec![pattern.to_owned()];
        if pattern != "*" {
            for (from, to) in self.rename.iter().filter(|(from, _)| from.contains('*')) {
                // By its old name a renamed key could be selected too.
                if globs_overlap(pattern, from) {
                    return None;
                }
                match from.split_once('*') {
                    Some((before, after)) if to == "*" => {
                        globs.push(exact_glob(before) + pattern + &exact_glob(after));
                    }
                    _ if globs_overlap(pattern, to) => return None,
                    _ => {}
                }
            }
        }
        for key in self.named_keys().iter().filter(|key| self.is_field(key)) {
            let entry = exact_glob(key);
            let is_selected = is_match(&[pattern.to_owned()], &self.final_name(&entry));
            match (is_selected, is_match(&globs, key)) {
                (true, false) => globs.push(entry),
                (false, true) => return None,
                _ => {}
            }
        }
        Some(globs)
    }

    /// Keeps only the fields of these names.
    pub fn include_only(&mut self, patterns: &[String], at: At<'_>) {
        let globs = self.globs_or_note(patterns, at);
        self.fields.retain(|(name, _)| is_match(patterns, name));
        let are_exact = |entries: &[String]| !entries.iter().any(|entry| is_pattern(entry));
        if self.include.is_empty() || are_exact(&globs) {
            // Fields that an earlier list does not have are not among exact globs.
            self.include = globs;
        } else if are_exact(&self.include) {
            self.include.retain(|entry| is_match(&globs, &key_of(entry)));
        } else if !patterns.iter().any(|pattern| pattern == "*") {
            self.note(at.0, at.1, "`include` already has another list: shorten it to the entries of both");
        }
        if self.include.is_empty() {
            self.exclude.push("*".to_owned());
        }
    }

    /// Leaves out the fields of these names.
    pub fn exclude_all(&mut self, patterns: &[String], at: At<'_>) {
        let globs = self.globs_or_note(patterns, at);
        self.exclude.extend(globs);
        self.fields.retain(|(name, _)| !is_match(patterns, name));
    }

    fn globs_or_note(&mut self, patterns: &[String], at: At<'_>) -> Vec<String> {
        let mut globs = Vec::new();
        for pattern in patterns {
            if let Some(found) = self.field_globs(pattern) {
                globs.extend(found);
            } else {
                let why = format!(
                    "{pattern:?} selects fields by names that `rename` gives them: write their keys by hand"
                );
                self.note(at.0, at.1, why);
            }
        }
        globs
    }

    /// The tag or field that an entry such as a key, selector or glob becomes.
    pub fn final_name(&self, entry: &str) -> String {
        let mut rename = Rename::default();
        for (from, to) in &self.rename {
            // A pair that the bridge refuses renames nothing.
            let _refused = rename.add(from, to);
        }
        rename.apply(&key_of(entry))
    }

    /// Gives the tag or field of an entry a name.
    fn set_name(&mut self, entry: &str, name: &str) {
        let key = key_of(entry);
        self.rename.retain(|(from, _)| *from != key);
        if self.final_name(entry) != name {
            self.rename.push((key, name.to_owned()));
        }
    }

    /// Whether `rename` can have this pair.
    fn can_rename(&mut self, name: &str, to: &str, (options, option): At<'_>) -> bool {
        let can = is_writable(to) && !name.contains('*');
        if !can {
            let why = format!("{name:?} keeps its name: `rename` can't give it the name {to:?}");
            self.note(options, option, why);
        }
        can
    }

    /// Renames a field.
    pub fn rename_field(&mut self, name: &str, to: &str, at: At<'_>) {
        if name == to || !self.can_rename(name, to, at) {
            return;
        }
        let keys = self.fields_named(name);
        let known = self.named_keys();
        let others: Vec<String> =
            self.fields_named(to).into_iter().filter(|key| known.contains(key)).collect();
        let has_copy = self.is_copied(name);
        // The keys that no option names are documented.
        let are_several = keys.iter().filter(|key| known.contains(key)).count() + usize::from(has_copy) > 1;
        if !keys.is_empty() && (are_several || !others.is_empty() || self.is_copied(to)) {
            let all: Vec<&str> = keys.iter().chain(&others).map(String::as_str).collect();
            let why = format!(
                "of several keys that become {to:?} ({}) the last one in the record counts; in Telegraf the renamed field does",
                all.join(", ")
            );
            self.note(at.0, at.1, why);
        }
        if self.is_influx() {
            self.note(at.0, at.1, format!("a tag {name:?} of a line is renamed like the field"));
        } else if !(keys.is_empty() && !has_copy || self.tags_named(to).is_empty()) {
            self.note(at.0, at.1, tag_and_field(to));
        }
        for key in keys {
            self.set_name(&exact_glob(&key), to);
        }
        if has_copy {
            self.fields.retain(|(known, _)| known != to);
            for known in self.fields.iter_mut().map(|(known, _)| known).filter(|known| *known == name) {
                to.clone_into(known);
            }
            for key in self.types.iter_mut().map(|(key, _)| key).filter(|key| *key == name) {
                to.clone_into(key);
            }
            for key in self.values.iter_mut().map(|(key, _)| key).filter(|key| *key == name) {
                to.clone_into(key);
            }
        }
    }

    /// Whether the rules name a key.
    pub fn is_named(&self, key: &str) -> bool {
        self.named_keys().iter().any(|known| known == key)
    }

    /// The names of the named keys after fields are renamed, by the exact globs of the keys. Notes fields that get one name.
    fn new_names(&mut self, is_new: impl Fn(&str) -> String, at: At<'_>) -> Vec<Pair> {
        let mut names: Vec<Pair> = Vec::new();
        for key in self.named_keys() {
            let entry = exact_glob(&key);
            let name = self.final_name(&entry);
            let new = if self.is_field(&key) { is_new(&name) } else { name.clone() };
            let is_met = names.iter().any(|(entry, other)| *other == new && self.final_name(entry) != name);
            if is_met && self.is_field(&key) {
                let why = format!("of several keys that become {new:?} the last one in the record counts");
                self.note(at.0, at.1, why);
            }
            names.push((entry, new));
        }
        names
    }

    /// Renames the fields that a pattern with a star matches. `renamed`: the new name of a name.
    pub fn rename_fields_by(
        &mut self,
        from: &str,
        to: &str,
        renamed: impl Fn(&str) -> Option<String>,
        at: At<'_>,
    ) {
        let is_new =
            |name: &str| renamed(name).filter(|new| !new.is_empty()).unwrap_or_else(|| name.to_owned());
        let mut names = self.new_names(is_new, at);
        for tag in self.all_tags() {
            match tag.source {
                // A tag keeps its name, whatever the fields get.
                Source::Key(entry) => names.push((entry, tag.name)),
                Source::Glob(_) if globs_overlap(&tag.name, from) => {
                    self.note(at.0, at.1, format!("tags of {:?} are renamed like the fields", tag.name));
                }
                _ => {}
            }
        }
        // An earlier pattern has renamed whatever the same pattern would match.
        let is_new_pattern = !self.rename.iter().any(|(before, _)| before == from);
        let mut patterns: Vec<Pair> = Vec::new();
        patterns.extend(is_new_pattern.then(|| (from.to_owned(), to.to_owned())));
        for (before, result) in self.rename.iter().filter(|(from, _)| from.contains('*')) {
            if !globs_overlap(result, from) && (before == from || !globs_overlap(before, from)) {
                continue;
            }
            if let Some((pattern, exact)) = compose((before.as_str(), result.as_str()), (from, to)) {
                patterns.push(pattern);
                names.extend(exact.into_iter().map(|(key, name)| (exact_glob(&key), name)));
            } else {
                let why = format!(
                    "of {before:?} and {from:?} only one renames a field: write a rule for names that match both"
                );
                self.notes.push(at.0.note(at.1, why));
            }
        }
        for pattern in patterns {
            if !self.rename.contains(&pattern) {
                self.rename.push(pattern);
            }
        }
        for (entry, name) in names {
            self.set_name(&entry, &name);
        }
        for (name, _) in &mut self.fields {
            *name = is_new(name);
        }
    }

    /// Renames the fields that the rules name. Others keep their names, with a note if there can be others.
    pub fn rename_known_fields(&mut self, renamed: impl Fn(&str) -> Option<String>, at: At<'_>) {
        let is_closed = !self.include.is_empty() && !self.include.iter().any(|entry| is_pattern(entry))
            || self.exclude.iter().any(|entry| entry == "*");
        if !is_closed {
            self.note(at.0, at.1, "fields that the mapping does not name keep their names: write the new names into `rename`, whose \"*\" stands for any text");
        }
        let keys = self.named_keys().into_iter().filter(|key| self.is_field(key));
        let names: Vec<String> = keys.map(|key| self.final_name(&exact_glob(&key))).collect();
        let copied = self.fields.iter().map(|(name, _)| name.clone());
        for name in names.into_iter().chain(copied.collect::<Vec<_>>()) {
            match renamed(&name) {
                Some(new) if new.is_empty() => {}
                Some(new) => self.rename_field(&name, &new, at),
                None => {
                    self.note(
                        at.0,
                        at.1,
                        format!("{name:?} keeps its name: write the new one into `rename`"),
                    );
                }
            }
        }
    }

    /// Renames a tag, which replaces a tag that has the new name.
    pub fn rename_tag(&mut self, name: &str, to: &str, at: At<'_>) {
        let tags = self.tags_named(name);
        if name == to || tags.is_empty() || !self.can_rename(name, to, at) {
            return;
        }
        let is_always_there = tags.iter().any(|tag| matches!(tag.source, Source::Fixed(_) | Source::Topic));
        for other in self.tags_named(to) {
            let is_fallback = matches!(other.source, Source::Fixed(_));
            // A tag of the record comes before a fixed tag, like the renamed one in Telegraf.
            let wins = tags.iter().all(|tag| matches!(tag.source, Source::Key(_)));
            if is_always_there {
                self.drop_tag(&other, at);
            } else if !(is_fallback && wins) {
                let why = format!(
                    "of several tags that become {to:?} the bridge takes that of the topic, of a header, of the record, then the fixed one; Telegraf takes the renamed one"
                );
                self.note(at.0, at.1, why);
            }
        }
        if self.is_influx() {
            self.note(at.0, at.1, format!("a field {name:?} of a line is renamed like the tag"));
        } else if self.is_copied(to) || self.fields_named(to).iter().any(|key| self.is_named(key)) {
            self.note(at.0, at.1, tag_and_field(to));
        }
        for tag in tags {
            match tag.source {
                Source::Key(entry) => self.set_name(&entry, to),
                Source::Glob(_) => {}
                Source::Topic => self.topic_tag = Some(to.to_owned()),
                Source::Header(header) if header.contains(['{', '}']) => {
                    self.note(
                        at.0,
                        at.1,
                        format!("the header {header:?} keeps its name: a placeholder has no braces"),
                    );
                }
                Source::Header(header) => {
                    for (_, name) in self.header_tags.iter_mut().filter(|(known, _)| *known == header) {
                        to.clone_into(name);
                    }
                }
                Source::Fixed(_) => {
                    for (known, _) in self.tags.iter_mut().filter(|(known, _)| known == name) {
                        to.clone_into(known);
                    }
                }
            }
        }
    }

    /// Leaves a tag out of the points.
    pub fn drop_tag(&mut self, tag: &Tag, at: At<'_>) {
        match &tag.source {
            Source::Key(entry) => {
                self.tag_keys.retain(|known| known != entry);
                let key = key_of(entry);
                if self.is_tag(&key) {
                    let why = format!(
                        "{:?} stays: `tag_keys` has a pattern, so list the tags to keep one by one, and the others in `exclude`",
                        tag.name
                    );
                    self.note(at.0, at.1, why);
                } else {
                    // Otherwise a number of this key would become a field.
                    self.exclude.push(exact_glob(&key));
                }
            }
            Source::Glob(_) if self.is_influx() => {
                self.note(at.0, at.1, "the tags of a line stay: let the producer leave them out");
            }
            Source::Glob(glob) => {
                let why = format!(
                    "tags of {glob:?} stay: `tag_keys` has a pattern, so list the tags to keep one by one, and the others in `exclude`"
                );
                self.note(at.0, at.1, why);
            }
            Source::Header(header) => self.header_tags.retain(|(known, _)| known != header),
            Source::Topic => self.topic_tag = None,
            Source::Fixed(_) => self.tags.retain(|(known, _)| *known != tag.name),
        }
    }

    /// Makes a field of a tag. `to`: the type of the field.
    pub fn tag_to_field(&mut self, tag: &Tag, to: &str, at: At<'_>) {
        let name = &tag.name;
        match &tag.source {
            Source::Key(entry) if !self.is_influx() => {
                self.tag_keys.retain(|known| known != entry);
                let key = key_of(entry);
                if is_selector(entry) {
                    self.types.push((name.clone(), to.to_owned()));
                    self.fields.push((name.clone(), entry.clone()));
                } else {
                    self.types.retain(|(known, _)| *known != key);
                    self.types.push((key.clone(), to.to_owned()));
                    if !self.include.is_empty() {
                        self.include.push(exact_glob(&key));
                    }
                    if !self.is_field(&key) {
                        self.note(at.0, at.1, format!("{name:?} does not become a field: patterns of `tag_keys` or `exclude` have its key"));
                    }
                }
                if to != "string" {
                    let why = format!("a boolean under {name:?} becomes 1 or 0; Telegraf drops it");
                    if to != "bool" {
                        self.note(at.0, at.1, why);
                    }
                }
            }
            Source::Key(_) | Source::Glob(_) => {
                self.note(
                    at.0,
                    at.1,
                    format!("the tag {name:?} stays a tag: write the keys that become fields one by one"),
                );
            }
            Source::Header(_) | Source::Topic | Source::Fixed(_) => {
                self.note(
                    at.0,
                    at.1,
                    format!(
                        "{name:?} is left out: a field comes from the record's value, and this tag does not"
                    ),
                );
                self.drop_tag(tag, at);
            }
        }
    }

    /// Makes a tag of the fields of a name.
    pub fn field_to_tag(&mut self, name: &str, at: At<'_>) {
        if self.cannot_have_tags() {
            return self.note(at.0, at.1, format!("{name:?} stays a field: this format has no `tag_keys`"));
        }
        let others: Vec<Tag> = self.tags_named(name);
        for key in self.fields_named(name) {
            self.note_texts(&key, name, at);
            self.types.retain(|(known, _)| *known != key);
            self.tag_keys.push(exact_glob(&key));
            if others.iter().any(|tag| !matches!(tag.source, Source::Fixed(_))) {
                self.note(at.0, at.1, format!("of several tags {name:?} the bridge takes that of the topic, of a header, then the last of the record; Telegraf takes the former field"));
            }
        }
        if self.is_copied(name) {
            self.note(at.0, at.1, format!("{name:?} stays a field: it comes from `fields`"));
        }
    }

    /// Whether the format of the records has neither `tag_keys` nor `types`.
    fn cannot_have_tags(&self) -> bool {
        self.is_influx() || self.format == Some("value")
    }

    /// Whether texts under the key of a field reach Telegraf's processors.
    pub fn keeps_texts(&self, key: &str) -> bool {
        self.is_influx() || is_match(&self.string_fields, key)
    }

    /// Those keys and globs of fields whose texts reach Telegraf's processors.
    pub fn texts_among(&self, globs: &[String]) -> Vec<String> {
        let narrower = |glob: &String| {
            let of_texts = self.string_fields.iter().filter(|entry| globs_overlap(entry, glob));
            let texts = of_texts.map(|entry| if is_pattern(entry) { glob.clone() } else { entry.clone() });
            texts.collect::<Vec<_>>()
        };
        let mut texts: Vec<String> = globs.iter().flat_map(narrower).collect();
        texts.sort();
        texts.dedup();
        texts.retain(|entry| is_pattern(entry) || self.is_field(&key_of(entry)));
        texts
    }

    /// Notes that texts of a field are used that Telegraf's parser drops.
    pub fn note_texts(&mut self, key: &str, name: &str, at: At<'_>) {
        let why = format!(
            "texts and booleans under {name:?} are used too; Telegraf drops those that json_string_fields does not name"
        );
        let note = at.0.note(at.1, why);
        if !self.keeps_texts(key) && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// A pattern or name with its new name.
type Renaming<'r> = (&'r str, &'r str);
type Pair = (String, String);

/// The pattern for names that an earlier and a later pattern both rename, one at the beginning and one at the end, and the names that
/// only seem to match both. None for other patterns.
fn compose((before, result): (&str, &str), (from, to): Renaming<'_>) -> Option<(Pair, Vec<Pair>)> {
    let sides = |text: &str| text.split_once('*').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let ((b1, a1), (r1, s1)) = (sides(before)?, sides(result)?);
    let ((b2, a2), (r2, s2)) = (sides(from)?, sides(to)?);
    let mut exact = Vec::new();
    if a1.is_empty() && s1.is_empty() && b2.is_empty() && r2.is_empty() {
        // The beginning, then the end. Where both share a part of a name, the first one takes it away.
        for (at, _) in a2.char_indices().skip(1) {
            let (head, tail) = a2.split_at(at);
            if b1.ends_with(head) {
                exact.push((format!("{b1}{tail}"), format!("{r1}{tail}")));
            }
        }
        return Some(((format!("{b1}*{a2}"), format!("{r1}*{s2}")), exact));
    }
    if b1.is_empty() && r1.is_empty() && a2.is_empty() && s2.is_empty() {
        for (at, _) in a1.char_indices().skip(1) {
            let (head, tail) = a1.split_at(at);
            if let Some(kept) = b2.strip_suffix(head) {
                exact.push((format!("{b2}{tail}"), format!("{kept}{s1}")));
            }
        }
        return Some(((format!("{b2}*{a1}"), format!("{r2}*{s1}")), exact));
    }
    None
}

/// Whether a configuration can give a tag or field this name.
pub fn is_writable(name: &str) -> bool {
    !name.is_empty()
        && !RESERVED.contains(&name)
        && !name.ends_with('\\')
        && !name.contains(|c: char| c == '*' || c.is_control())
}

/// The key of an entry of `tag_keys`, `include` or `exclude`, before `rename`.
pub fn key_of(entry: &str) -> String {
    match KeySelector::parse(entry) {
        Ok(KeySelector::Flattened(_)) | Err(_) => {
            let mut chars = entry.chars();
            let mut key = String::new();
            while let Some(c) = chars.next() {
                key.extend(if c == '\\' { chars.next() } else { Some(c) });
            }
            key
        }
        Ok(selector) => selector.flattened(),
    }
}

fn tag_and_field(name: &str) -> String {
    format!(
        "a field {name:?} is dropped and counted where the point has a tag of this name; Telegraf writes both"
    )
}

/// Whether an entry is a selector such as `$.a`, and no flattened key.
pub fn is_selector(entry: &str) -> bool {
    KeySelector::parse(entry).is_ok_and(|selector| !matches!(selector, KeySelector::Flattened(_)))
}

/// Whether a text is a glob and no selector.
pub fn is_pattern(text: &str) -> bool {
    if is_selector(text) {
        return false;
    }
    let mut is_escaped = false;
    text.chars().any(|c| {
        let is_meta = !is_escaped && matches!(c, '*' | '?' | '[' | '{');
        is_escaped = !is_escaped && c == '\\';
        is_meta
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_patterns_rename_one_name() {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let f = |first, second, pattern: (&str, &str), exact: &[(&str, &str)]| {
            let want = Some((owned(&[pattern]).remove(0), owned(exact)));
            assert_eq!(compose(first, second), want, "{first:?} {second:?}");
        };
        f(("fld_*", "*"), ("*_total", "*"), ("fld_*_total", "*"), &[("fld_total", "total")]);
        f(("*_total", "*"), ("fld_*", "*"), ("fld_*_total", "*"), &[("fld_total", "fld")]);
        f(("a_*", "b_*"), ("*ms", "*s"), ("a_*ms", "b_*s"), &[]);
        assert_eq!(compose(("a_*", "*"), ("b_*", "*")), None);
    }

    #[test]
    fn fields_are_found_by_the_names_of_a_pattern() {
        let rules = Rules {
            rename: vec![("fld_*".to_owned(), "*".to_owned()), ("t".to_owned(), "temp".to_owned())],
            tag_keys: vec!["fld_host".to_owned()],
            ..Rules::default()
        };
        assert_eq!(rules.fields_named("speed"), ["fld_speed", "speed"]);
        assert_eq!(rules.fields_named("temp"), ["fld_temp", "t", "temp"]);
        assert_eq!(rules.fields_named("host"), ["host"]);
        assert_eq!(rules.fields_named("t"), ["fld_t"]);
        assert_eq!(rules.field_globs("sp*"), Some(vec!["sp*".to_owned(), "fld_sp*".to_owned()]));
        // By its old name a renamed field could be taken for another one.
        assert_eq!(rules.field_globs("f*"), None);
    }

    #[test]
    fn a_pattern_finds_nothing_that_the_same_one_has_renamed() {
        let mut rules = Rules::default();
        let options = Options::default();
        rules.rename_fields_by("*_total", "*x", |_| None, (&options, "pattern"));
        rules.rename_fields_by("*_total", "*", |_| None, (&options, "pattern"));
        assert_eq!((rules.final_name("energy_total"), rules.notes.len()), ("energyx".to_owned(), 0));
        rules.rename_fields_by("en*", "*", |_| None, (&options, "pattern"));
        assert_eq!(rules.final_name("energy_total"), "ergyx");
    }
}
