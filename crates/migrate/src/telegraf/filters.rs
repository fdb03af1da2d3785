//! The filters of inputs and outputs: `namepass`, `tagdrop`, `fieldinclude` and similar options.

use super::conf::Options;
use super::rules::{Rules, is_match};
use super::variables::has_variable;

/// The filter of one plugin.
#[derive(Debug, Default)]
pub struct Filter {
    name_pass: Vec<String>,
    name_drop: Vec<String>,
    field_include: Vec<String>,
    field_exclude: Vec<String>,
    tag_include: Vec<String>,
    tag_exclude: Vec<String>,
    tag_pass: Vec<(String, Vec<String>)>,
    tag_drop: Vec<(String, Vec<String>)>,
    /// A condition in CEL.
    pub expression: Option<String>,
}

/// The points that a filter passes, as far as the configuration alone decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    All,
    None,
    /// It depends on the record, because of these options.
    Depends(Vec<&'static str>),
}

/// The known parts of the points of an input.
pub struct Subject<'a> {
    /// None if the record decides.
    pub name: Option<&'a str>,
    pub tags: &'a [(String, String)],
    /// Keys of tags whose values are in the records.
    pub open_tags: &'a [String],
}

impl Filter {
    pub fn read(options: &Options) -> Self {
        let any = |keys: &[&str]| keys.iter().flat_map(|key| options.texts(key)).collect();
        let tags = |key: &str| options.tables(key).iter().flat_map(|table| table.lists()).collect();
        for separator in ["namepass_separator", "namedrop_separator"] {
            options.get(separator);
        }
        Self {
            name_pass: any(&["namepass"]),
            name_drop: any(&["namedrop"]),
            field_include: any(&["fieldinclude", "fieldpass", "pass"]),
            field_exclude: any(&["fieldexclude", "fielddrop", "drop"]),
            tag_include: any(&["taginclude"]),
            tag_exclude: any(&["tagexclude"]),
            tag_pass: tags("tagpass"),
            tag_drop: tags("tagdrop"),
            expression: options.text("metricpass"),
        }
    }

    /// Which points pass as a whole.
    pub fn takes(&self, subject: &Subject<'_>) -> Takes {
        let mut open = Vec::new();
        let mut none = false;
        let mut judge = |option: &'static str, passes: Option<bool>| match passes {
            Some(true) => {}
            Some(false) => none = true,
            None => open.push(option),
        };
        if !self.name_pass.is_empty() {
            judge("namepass", subject.name_is(&self.name_pass));
        }
        if !self.name_drop.is_empty() {
            judge("namedrop", subject.name_is(&self.name_drop).map(|is| !is));
        }
        if !self.tag_pass.is_empty() {
            judge("tagpass", subject.some_tag_is(&self.tag_pass));
        }
        if !self.tag_drop.is_empty() {
            judge("tagdrop", subject.some_tag_is(&self.tag_drop).map(|is| !is));
        }
        if self.expression.is_some() {
            judge("metricpass", None);
        }
        match (none, open.is_empty()) {
            (true, _) => Takes::None,
            (false, true) => Takes::All,
            (false, false) => Takes::Depends(open),
        }
    }

    /// Removes fields and tags from the rules. Returns the options without a counterpart, with the reason.
    pub fn modify(&self, rules: &mut Rules) -> Vec<(&'static str, &'static str)> {
        let mut left = Vec::new();
        if !self.field_include.is_empty() {
            if rules.include.is_empty() {
                rules.include = self.field_include.iter().map(|key| rules.original(key)).collect();
            } else {
                left.push((
                    "fieldinclude",
                    "`include` already has another list: shorten it to the entries of both",
                ));
            }
        }
        let excluded: Vec<String> = self.field_exclude.iter().map(|key| rules.original(key)).collect();
        rules.exclude.extend(excluded);
        if self.tag_include.is_empty() && self.tag_exclude.is_empty() {
            return left;
        }
        let stays = |key: &str| {
            (self.tag_include.is_empty() || is_match(&self.tag_include, key))
                && !is_match(&self.tag_exclude, key)
        };
        rules.tags.retain(|(key, _)| stays(key));
        rules.header_tags.retain(|key| stays(key));
        rules.topic_tag = rules.topic_tag.take().filter(|key| stays(key));
        if rules.is_influx() {
            let option = if self.tag_include.is_empty() { "tagexclude" } else { "taginclude" };
            left.push((option, "the tags of a line stay: let the producer leave them out"));
        }
        let mut kept = Vec::new();
        for key in std::mem::take(&mut rules.tag_keys) {
            let is_glob = key.contains(['*', '?', '[', '{']) && !key.starts_with('$');
            if is_glob {
                left.push((
                    if self.tag_include.is_empty() { "tagexclude" } else { "taginclude" },
                    "`tag_keys` has a pattern: list the tags to keep one by one, and the others in `exclude`",
                ));
                kept.push(key);
            } else if stays(&rules.final_name(&key)) {
                kept.push(key);
            } else {
                // Otherwise a number of this key would become a field.
                rules.exclude.push(key);
            }
        }
        rules.tag_keys = kept;
        left
    }
}

impl Subject<'_> {
    fn name_is(&self, patterns: &[String]) -> Option<bool> {
        let name = self.name.filter(|name| !has_variable(name))?;
        Some(is_match(patterns, name))
    }

    fn some_tag_is(&self, filters: &[(String, Vec<String>)]) -> Option<bool> {
        let of_key = |key: &str| self.tags.iter().find(|(name, _)| name == key);
        let mut is_open = false;
        for (key, patterns) in filters {
            match of_key(key) {
                Some((_, value)) if has_variable(value) => is_open = true,
                Some((_, value)) if is_match(patterns, value) => return Some(true),
                Some(_) => {}
                None => is_open |= is_match(self.open_tags, key),
            }
        }
        if is_open { None } else { Some(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn decides_from_the_configuration_alone() {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let f = |filter: Filter, name: Option<&str>, want: Takes| {
            let tags = [("dest".to_owned(), "a".to_owned())];
            let subject = Subject { name, tags: &tags, open_tags: &list("site_*") };
            assert_eq!(filter.takes(&subject), want, "{filter:?}");
        };
        let depends = |option| Takes::Depends(vec![option]);
        f(Filter::default(), None, Takes::All);
        f(filter(|f| f.name_pass = list("cpu* mem")), Some("cpu_x"), Takes::All);
        f(filter(|f| f.name_pass = list("cpu* mem")), Some("disk"), Takes::None);
        f(filter(|f| f.name_pass = list("cpu*")), None, depends("namepass"));
        f(filter(|f| f.name_drop = list("cpu*")), Some("cpu"), Takes::None);
        f(filter(|f| f.name_drop = list("cpu*")), Some("mem"), Takes::All);
        f(filter(|f| f.tag_pass = vec![("dest".to_owned(), list("a b"))]), None, Takes::All);
        f(filter(|f| f.tag_pass = vec![("dest".to_owned(), list("b"))]), None, Takes::None);
        f(filter(|f| f.tag_pass = vec![("site_x".to_owned(), list("b"))]), None, depends("tagpass"));
        f(filter(|f| f.tag_pass = vec![("other".to_owned(), list("b"))]), None, Takes::None);
        f(filter(|f| f.tag_drop = vec![("dest".to_owned(), list("a"))]), None, Takes::None);
        f(filter(|f| f.tag_drop = vec![("other".to_owned(), list("a"))]), None, Takes::All);
        f(filter(|f| f.expression = Some("fields.v > 1".to_owned())), None, depends("metricpass"));
    }

    #[test]
    fn removes_tags_and_fields() {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut rules = Rules {
            tag_keys: list("a b g_*"),
            tags: vec![("dest".to_owned(), "x".to_owned()), ("host".to_owned(), "h".to_owned())],
            topic_tag: Some("topic".to_owned()),
            ..Rules::default()
        };
        let filter = filter(|f| {
            f.tag_exclude = list("b dest top*");
            f.field_exclude = list("debug_*");
        });
        let left = filter.modify(&mut rules);
        assert_eq!((rules.tag_keys, rules.exclude), (list("a g_*"), list("debug_* b")));
        assert_eq!((rules.tags.len(), rules.topic_tag), (1, None));
        assert_eq!(left.iter().map(|(option, _)| *option).collect::<Vec<_>>(), ["tagexclude"]);
    }
}
