//! Finds keys of the configuration that no sampled record has.

use super::report::Line;
use base::suggest::nearest;
use base::text::counted;
use engine::SchemaSource;
use mapping::decode::{Scanner, SyntaxError, Token, find, select};
use mapping::{Format, Globs, KeySelector, Rules, flattened_of_dots};
use std::collections::BTreeSet;

/// Bound for topics whose keys are always new.
const KEYS_MAX: usize = 5_000;

/// Keys, paths and headers in the sampled records of one mapping.
#[derive(Debug, Default)]
pub struct SeenKeys {
    records: usize,
    /// Flattened keys of the selected objects.
    keys: BTreeSet<String>,
    /// Paths of the mapping that were found.
    paths: BTreeSet<String>,
    headers: BTreeSet<String>,
}

impl SeenKeys {
    /// Looks through a record. One that is no JSON is the mapper's to tell of.
    pub fn add(
        &mut self,
        rules: &Rules,
        schemas: Option<&SchemaSource>,
        value: &[u8],
        headers: &[(&str, &[u8])],
    ) {
        self.headers.extend(headers.iter().map(|(name, _)| (*name).to_owned()));
        if rules.format == Format::Influx {
            // The mapping names no key of a line that is certain to be there.
            self.records += 1;
            return;
        }
        // The mapper rejects a record of another format and reports why.
        let schemas = schemas.map(SchemaSource::schemas);
        let json = rules.read_text(schemas.as_ref(), value).unwrap_or_default().json;
        let documents: Vec<&[u8]> =
            if rules.format.has_lines() { json.split(|byte| *byte == b'\n').collect() } else { vec![&json] };
        let mut is_read = false;
        for document in documents {
            is_read |= self.document(rules, document).is_ok();
        }
        self.records += usize::from(is_read);
    }

    fn document(&mut self, rules: &Rules, document: &[u8]) -> Result<(), SyntaxError> {
        let scanner = Scanner::new(document);
        let mut spans = Vec::new();
        select(&rules.query, &scanner, &mut spans)?;
        for span in spans {
            self.selected(&mut scanner.within(span.start, span.end))?;
        }
        for path in paths(rules) {
            if find(path, &scanner)?.is_some() {
                self.paths.insert(path.to_string());
            }
        }
        Ok(())
    }

    fn selected(&mut self, scanner: &mut Scanner<'_>) -> Result<(), SyntaxError> {
        match scanner.value()? {
            Token::Object => self.object(scanner, "", 0),
            Token::Array => {
                let mut is_first = true;
                while scanner.element(std::mem::take(&mut is_first))? {
                    match scanner.value()? {
                        Token::Object => self.object(scanner, "", 1)?,
                        other => scanner.skip_rest(other, 1)?,
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn object(&mut self, scanner: &mut Scanner<'_>, before: &str, depth: usize) -> Result<(), SyntaxError> {
        let mut is_first = true;
        while let Some(key) = scanner.key(std::mem::take(&mut is_first))? {
            self.member(scanner, format!("{before}{}", key.to_string_lossy()), depth + 1)?;
        }
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: String, depth: usize) -> Result<(), SyntaxError> {
        let token = scanner.value()?;
        scanner.check_depth(token, depth)?;
        match token {
            Token::Object => self.object(scanner, &format!("{key}_"), depth)?,
            Token::Array => {
                let mut index = 0;
                while scanner.element(index == 0)? {
                    self.member(scanner, format!("{key}_{index}"), depth + 1)?;
                    index += 1;
                }
            }
            _ if self.keys.len() < KEYS_MAX => {
                self.keys.insert(key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Warns of each key that no record has. `topics` is the list of topics for messages.
    pub fn judge(&self, rules: &Rules, topics: &str) -> Vec<Line> {
        if self.records == 0 || self.keys.len() >= KEYS_MAX {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut warn = |option: &str, key: &str, nearest: Option<&str>| {
            let records = counted(self.records, "sampled record");
            let joined = flattened_of_dots(key).filter(|joined| self.has(joined));
            let remedy = match (joined, nearest) {
                (Some(joined), _) => {
                    format!("write `{joined}`: keys of nested objects are joined with \"_\"")
                }
                (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
                (None, None) => format!("remove it from `{option}` or correct it, unless the key is rare"),
            };
            lines.push(Line::warned(
                format!("{topics}: `{key}` of `{option}` is in none of {records}"),
                remedy,
            ));
        };
        // The keys of rearranged elements are not those of the records.
        let is_rearranged = rules.reshape.renames_keys() || !rules.parse_json.patterns().is_empty();
        let globs = [
            ("tag_keys", &rules.tag_keys),
            ("string_fields", &rules.string_fields),
            ("number_fields", &rules.number_fields),
        ];
        for (option, globs) in globs.into_iter().filter(|_| !is_rearranged) {
            for pattern in self.unseen(globs) {
                warn(option, pattern, self.nearest(pattern));
            }
        }
        for (option, selector) in rules.selectors() {
            match selector {
                KeySelector::Flattened(_) | KeySelector::Element(_) if is_rearranged => {}
                KeySelector::Flattened(key) if !self.keys.contains(key) => {
                    warn(option, key, self.nearest(key));
                }
                KeySelector::Element(path) if !self.keys.contains(&path.flattened()) => {
                    warn(option, &selector.to_string(), None);
                }
                KeySelector::Root(path) if !self.paths.contains(&path.to_string()) => {
                    warn(option, &selector.to_string(), None);
                }
                _ => {}
            }
        }
        for (option, name) in rules.headers().filter(|(_, name)| !self.headers.contains(*name)) {
            warn(option, name, nearest(name, self.headers.iter().map(String::as_str)));
        }
        lines
    }

    /// Whether a key or glob matches a key that was seen.
    fn has(&self, pattern: &str) -> bool {
        Globs::compile(&[pattern]).is_ok_and(|globs| self.keys.iter().any(|key| globs.is_match(key)))
    }

    fn unseen<'g>(&self, globs: &'g Globs) -> Vec<&'g str> {
        let mut open: BTreeSet<usize> = (0..globs.patterns().len()).collect();
        for key in &self.keys {
            for matching in globs.matching(key) {
                open.remove(&matching);
            }
        }
        open.into_iter().filter_map(|index| globs.patterns().get(index).map(String::as_str)).collect()
    }

    /// The most similar key; none for a pattern.
    fn nearest(&self, key: &str) -> Option<&str> {
        let is_pattern = key.contains(['*', '?', '[', '{', '\\']);
        let keys = self.keys.iter().map(String::as_str);
        if is_pattern {
            return None;
        }
        // The key may be in a nested object.
        let deeper = keys.clone().find(|seen| seen.ends_with(&format!("_{key}")));
        deeper.or_else(|| nearest(key, keys))
    }
}

/// Paths of the mapping that begin at the root of the record.
fn paths(rules: &Rules) -> impl Iterator<Item = &mapping::decode::Path> {
    rules.selectors().filter_map(|(_, selector)| match selector {
        KeySelector::Root(path) => Some(path),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn rules(mapping: &str) -> std::sync::Arc<Rules> {
        let text = format!(
            "[kafka]\nbrokers = 'b:1'\ntopics = 't'\n[[mapping]]\n{mapping}\n\
             [influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'"
        );
        let loaded = configuration::parse(Path::new("bridge.toml"), &text, &|_| None);
        loaded.map_err(|errors| errors.to_string()).unwrap().config.mappings.remove(0).rules
    }

    #[test]
    fn warns_of_keys_that_no_record_has() {
        let f = |mapping: &str, record: &str, want: &[&str]| {
            let (rules, mut seen) = (rules(mapping), SeenKeys::default());
            seen.add(&rules, None, record.as_bytes(), &[("Trace-Id", b"1")]);
            let lines: Vec<String> = seen.judge(&rules, "t").iter().map(ToString::to_string).collect();
            let want: Vec<String> = want.iter().map(|want| format!("warn    t: {want}")).collect();
            assert_eq!(lines, want, "{mapping}");
        };
        let record = r#"{"host":"a","deep":{"id":["x"]},"v":1,"t":5}"#;
        f("tag_keys = ['host', 'deep_id_0', 'deep_*']\ntime_key = 't'\ntime_format = 'unix'", record, &[]);
        f(
            "tag_keys = ['hots', 'id_*']",
            record,
            &[
                "`hots` of `tag_keys` is in none of 1 sampled record: did you mean `host`?",
                "`id_*` of `tag_keys` is in none of 1 sampled record: remove it from `tag_keys` or correct it, unless the \
                 key is rare",
            ],
        );
        f(
            "name_key = 'id_0'\nstring_fields = ['w']",
            record,
            &[
                "`w` of `string_fields` is in none of 1 sampled record: remove it from `string_fields` or correct it, \
                 unless the key is rare",
                "`id_0` of `name_key` is in none of 1 sampled record: did you mean `deep_id_0`?",
            ],
        );
        f(
            "tag_keys = ['deep.id[0]', 'deep.*']\ntime_key = 'no.time'\ntime_format = 'unix'",
            record,
            &[
                "`deep.id[0]` of `tag_keys` is in none of 1 sampled record: write `deep_id_0`: keys of nested objects are joined \
                 with \"_\"",
                "`deep.*` of `tag_keys` is in none of 1 sampled record: write `deep_*`: keys of nested objects are joined with \"_\"",
                "`no.time` of `time_key` is in none of 1 sampled record: remove it from `time_key` or correct it, unless the key \
                 is rare",
            ],
        );
        f("tag_keys = ['host.name']", r#"{"host.name":"a","v":1}"#, &[]);
        let params = r#"{"params":[{"n":"temp","v":1},{"n":"host","v":"a"}]}"#;
        let pivot = "pivot = [{ list = 'params', name = 'n', value = 'v' }]";
        f(&format!("tag_keys = ['host']\n{pivot}"), params, &[]);
        f("tag_keys = ['id']\nparse_json = ['payload']", r#"{"payload":"{\"id\":1}"}"#, &[]);
        let items = r#"{"site":"s","items":[{"host":"a","v":1}]}"#;
        f("query = '$.items'\ntag_keys = ['host', '$.site']", items, &[]);
        f(
            "query = '$.items'\ntag_keys = ['$.sites']\nheader_tags = ['trace-id']",
            items,
            &[
                "`$.sites` of `tag_keys` is in none of 1 sampled record: remove it from `tag_keys` or correct it, unless the key is \
                 rare",
                "`trace-id` of `header_tags` is in none of 1 sampled record: did you mean `Trace-Id`?",
            ],
        );
        f(
            "format = 'influx'\nheader_tags = ['trace-id']",
            "m v=1",
            &["`trace-id` of `header_tags` is in none of 1 sampled record: did you mean `Trace-Id`?"],
        );
        f("tag_keys = ['hots']", "not JSON", &[]);
        f("format = 'json_lines'\ntag_keys = ['a', 'b']", "{\"a\":1}\n{\"b\":1}\n", &[]);
    }
}
