//! Finds keys of the configuration that no record of a sample has.

use base::suggest::nearest;
use base::text::counted;
use mapping::decode::{Scanner, SyntaxError, Token, find, select};
use mapping::{Format, Globs, KeySelector, PivotList, Rules, Schemas, flattened_of_dots};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bound for topics whose keys are always new.
const KEYS_MAX: usize = 5_000;

/// A key that no record has, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnseenKey {
    pub what: String,
    pub remedy: String,
}

/// Keys, paths and headers in the sampled records of one mapping.
#[derive(Debug, Default)]
pub struct SampledKeys {
    records: usize,
    /// Flattened keys of the selected objects.
    keys: BTreeSet<String>,
    /// Paths of the mapping that were found.
    paths: BTreeSet<String>,
    headers: BTreeSet<String>,
}

impl SampledKeys {
    /// Looks through a record. One that is no JSON is the mapper's to tell of.
    pub fn add(
        &mut self,
        rules: &Rules,
        schemas: Option<&Arc<dyn Schemas>>,
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
        let json = rules.read_text(schemas, value).unwrap_or_default().json;
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

    /// Describes each key that no record has. `records` is the word for one of the records.
    pub fn unseen(&self, rules: &Rules, records: &str) -> Vec<UnseenKey> {
        if self.records == 0 || self.keys.len() >= KEYS_MAX {
            return Vec::new();
        }
        let mut unseen = Vec::new();
        let mut add = |option: &str, key: &str, nearest: Option<&str>| {
            unseen.push(self.describe(option, key, nearest, records));
        };
        // The keys of rearranged elements are not those of the records.
        let is_rearranged = rules.reshape.renames_keys() || !rules.parse_json.patterns().is_empty();
        let globs = [
            ("tag_keys", &rules.tag_keys),
            ("string_fields", &rules.string_fields),
            ("number_fields", &rules.number_fields),
        ];
        for (option, globs) in globs.into_iter().filter(|_| !is_rearranged) {
            for pattern in self.unmatched(globs) {
                add(option, pattern, self.nearest(pattern));
            }
        }
        for (option, selector) in rules.selectors() {
            match selector {
                KeySelector::Flattened(_) | KeySelector::Element(_) if is_rearranged => {}
                KeySelector::Flattened(key) if !self.keys.contains(key) => {
                    add(option, key, self.nearest(key));
                }
                KeySelector::Element(path) if !self.keys.contains(&path.flattened()) => {
                    add(option, &selector.to_string(), None);
                }
                KeySelector::Root(path) if !self.paths.contains(&path.to_string()) => {
                    add(option, &selector.to_string(), None);
                }
                _ => {}
            }
        }
        for (option, pattern) in field_names(rules).filter(|_| !is_rearranged) {
            if !self.has(pattern) && !is_added(rules, pattern) {
                add(option, pattern, self.nearest(pattern));
            }
        }
        for (option, key) in lists(rules).into_iter().filter(|(_, key)| !self.has_list(key)) {
            add(option, key, self.nearest_list(key));
        }
        unseen
    }

    /// Describes each header that no record has.
    pub fn unseen_headers(&self, rules: &Rules, records: &str) -> Vec<UnseenKey> {
        let unseen = rules.headers().filter(|(_, name)| !self.headers.contains(*name));
        let describe = |(option, name): (&str, &str)| {
            let nearest = nearest(name, self.headers.iter().map(String::as_str));
            self.describe(option, name, nearest, records)
        };
        if self.records == 0 { Vec::new() } else { unseen.map(describe).collect() }
    }

    fn describe(&self, option: &str, key: &str, nearest: Option<&str>, records: &str) -> UnseenKey {
        let joined = flattened_of_dots(key).filter(|joined| self.has(joined));
        let remedy = match (joined, nearest) {
            (Some(joined), _) => format!("write `{joined}`: keys of nested objects are joined with \"_\""),
            (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
            (None, None) => format!("remove it from `{option}` or correct it, unless the key is rare"),
        };
        let what = match self.records {
            1 => format!("`{key}` of `{option}` is not in the only {records}"),
            count => format!("`{key}` of `{option}` is in none of {}", counted(count, records)),
        };
        UnseenKey { what, remedy }
    }

    /// The most similar key of an array.
    fn nearest_list(&self, key: &str) -> Option<&str> {
        nearest(key, self.keys.iter().filter_map(|seen| seen.split_once("_0").map(|(list, _)| list)))
    }

    /// Whether there is a value under a key, or in the array or object under it.
    fn has_list(&self, key: &str) -> bool {
        let within = format!("{key}_");
        self.keys.contains(key)
            || self.keys.range(within.clone()..).next().is_some_and(|seen| seen.starts_with(&within))
    }

    /// Whether a key or glob matches a key that was seen.
    fn has(&self, pattern: &str) -> bool {
        Globs::compile(&[pattern]).is_ok_and(|globs| self.keys.iter().any(|key| globs.is_match(key)))
    }

    fn unmatched<'g>(&self, globs: &'g Globs) -> Vec<&'g str> {
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

/// The arrays of the records that options rearrange. After `columns` and `parse_json`, and after `explode` for the options behind
/// it, they are not those of the records.
fn lists(rules: &Rules) -> Vec<(&'static str, &str)> {
    let reshape = &rules.reshape;
    if !reshape.columns.is_empty() || !rules.parse_json.patterns().is_empty() {
        return Vec::new();
    }
    if !reshape.explode.is_empty() {
        return reshape.explode.iter().map(|key| ("explode", key.as_str())).collect();
    }
    let pivots = reshape.pivot.iter().filter_map(|pivot| match &pivot.list {
        PivotList::Key(key) => Some(("pivot", key.as_str())),
        PivotList::Element => None,
    });
    let zips = reshape.zip.iter().flat_map(|zip| [("zip", zip.names.as_str()), ("zip", zip.values.as_str())]);
    pivots.chain(zips).collect()
}

/// The names and globs by which options change fields.
fn field_names(rules: &Rules) -> impl Iterator<Item = (&'static str, &str)> {
    let types = rules.types.entries().map(|(pattern, _)| ("types", pattern));
    types.chain(rules.values.patterns().map(|pattern| ("values", pattern)))
}

/// Whether a name is that of a tag or field that the mapping adds to those of the element.
fn is_added(rules: &Rules, name: &str) -> bool {
    let fields = rules.fields.iter().map(|(name, _)| name);
    let added =
        fields.chain(rules.tags.iter().map(|(name, _)| name)).chain(&rules.topic_tag).chain(&rules.key_tag);
    added.chain(&rules.partition_tag).chain(&rules.offset_field).any(|added| added == name)
        // A selector's value has the last name of its path.
        || rules.selectors().any(|(_, selector)| selector.to_string().ends_with(name))
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
            let (rules, mut seen) = (rules(mapping), SampledKeys::default());
            seen.add(&rules, None, record.as_bytes(), &[("Trace-Id", b"1")]);
            let headers = seen.unseen_headers(&rules, "sampled record");
            let unseen = seen.unseen(&rules, "sampled record").into_iter().chain(headers);
            let got: Vec<String> = unseen.map(|key| format!("{}: {}", key.what, key.remedy)).collect();
            assert_eq!(got, want, "{mapping}");
        };
        let record = r#"{"host":"a","deep":{"id":["x"]},"v":1,"t":5}"#;
        f("tag_keys = ['host', 'deep_id_0', 'deep_*']\ntime_key = 't'\ntime_format = 'unix'", record, &[]);
        f(
            "tag_keys = ['hots', 'id_*']",
            record,
            &[
                "`hots` of `tag_keys` is not in the only sampled record: did you mean `host`?",
                "`id_*` of `tag_keys` is not in the only sampled record: remove it from `tag_keys` or correct it, unless the \
                 key is rare",
            ],
        );
        f(
            "name_key = 'id_0'\nstring_fields = ['w']",
            record,
            &[
                "`w` of `string_fields` is not in the only sampled record: remove it from `string_fields` or correct it, \
                 unless the key is rare",
                "`id_0` of `name_key` is not in the only sampled record: did you mean `deep_id_0`?",
            ],
        );
        f(
            "tag_keys = ['deep.id[0]', 'deep.*']\ntime_key = 'no.time'\ntime_format = 'unix'",
            record,
            &[
                "`deep.id[0]` of `tag_keys` is not in the only sampled record: write `deep_id_0`: keys of nested objects are joined \
                 with \"_\"",
                "`deep.*` of `tag_keys` is not in the only sampled record: write `deep_*`: keys of nested objects are joined with \"_\"",
                "`no.time` of `time_key` is not in the only sampled record: remove it from `time_key` or correct it, unless the key \
                 is rare",
            ],
        );
        f("tag_keys = ['host.name']", r#"{"host.name":"a","v":1}"#, &[]);
        f(
            "types = { w = 'int', v = 'int', made = 'int' }\nvalues = { hots = { a = 'b' } }\nfields = { made = '$.t' }",
            record,
            &[
                "`w` of `types` is not in the only sampled record: remove it from `types` or correct it, unless the key is rare",
                "`hots` of `values` is not in the only sampled record: did you mean `host`?",
            ],
        );
        let arrays = r#"{"deep":{"names":["a"],"vals":[1]}}"#;
        f(
            "explode = ['deep_vals', 'vlas']",
            arrays,
            &[
                "`vlas` of `explode` is not in the only sampled record: remove it from `explode` or correct it, unless the key is rare",
            ],
        );
        f(
            "zip = [{ names = 'deep_names', values = 'deep_val' }]",
            arrays,
            &["`deep_val` of `zip` is not in the only sampled record: did you mean `deep_vals`?"],
        );
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
                "`$.sites` of `tag_keys` is not in the only sampled record: remove it from `tag_keys` or correct it, unless the key is \
                 rare",
                "`trace-id` of `header_tags` is not in the only sampled record: did you mean `Trace-Id`?",
            ],
        );
        f(
            "format = 'influx'\nheader_tags = ['trace-id']",
            "m v=1",
            &["`trace-id` of `header_tags` is not in the only sampled record: did you mean `Trace-Id`?"],
        );
        f("tag_keys = ['hots']", "not JSON", &[]);
        f("format = 'json_lines'\ntag_keys = ['a', 'b']", "{\"a\":1}\n{\"b\":1}\n", &[]);
    }
}
