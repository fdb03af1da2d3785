//! The filters of inputs and outputs: `namepass`, `tagdrop`, `fieldinclude` and similar options.

use super::conf::Options;
use super::names::Source;
use super::rules::{Rules, is_match};
use super::variables::has_variable;
use mapping::globs_overlap;

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
    /// Whether stars of `namepass` or `namedrop` stop at some characters.
    has_separators: bool,
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

/// The known parts of the points at one stage.
pub struct Subject<'a> {
    /// None if the record decides.
    pub name: Option<&'a str>,
    /// Tags of every point, with their values.
    pub tags: Vec<(String, String)>,
    /// Names and patterns of tags whose values depend on the record.
    pub open_tags: Vec<String>,
}

impl<'a> Subject<'a> {
    /// The points that the rules make. `topics`: those of the input, if they are known.
    pub fn of(rules: &'a Rules, topics: Option<&[String]>) -> Self {
        let topic = match topics {
            Some([topic]) if !topic.starts_with('^') => Some(topic),
            _ => None,
        };
        let (mut tags, mut open_tags) = (Vec::new(), Vec::new());
        if let (Some(name), Some(topic)) = (&rules.topic_tag, topic) {
            // It replaces other tags of the name.
            tags.push((name.clone(), topic.clone()));
        }
        let is_known = |tags: &[(String, String)], name: &str| tags.iter().any(|(known, _)| known == name);
        for tag in rules.all_tags() {
            match tag.source {
                _ if is_known(&tags, &tag.name) => {}
                Source::Fixed(value) if !is_match(&open_tags, &tag.name) => tags.push((tag.name, value)),
                Source::Fixed(_) => {}
                _ => open_tags.push(tag.name),
            }
        }
        Self { name: rules.fixed_name(), tags, open_tags }
    }
}

impl Filter {
    pub fn read(options: &Options) -> Self {
        let any = |keys: &[&str]| keys.iter().flat_map(|key| options.texts(key)).collect();
        let tags = |key: &str| options.tables(key).iter().flat_map(|table| table.lists()).collect();
        let separated = |list: &str, separator: &str| options.has(list) & options.text(separator).is_some();
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
            has_separators: separated("namepass", "namepass_separator")
                | separated("namedrop", "namedrop_separator"),
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
            judge("namepass", self.name_of(subject).and_then(|subject| subject.name_is(&self.name_pass)));
        }
        if !self.name_drop.is_empty() {
            judge(
                "namedrop",
                self.name_of(subject).and_then(|subject| subject.name_is(&self.name_drop)).map(|is| !is),
            );
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

    /// The subject, unless its name can't be compared.
    fn name_of<'s>(&self, subject: &'s Subject<'s>) -> Option<&'s Subject<'s>> {
        Some(subject).filter(|_| !self.has_separators)
    }

    /// Removes fields and tags from the rules.
    pub fn modify(&self, options: &Options, rules: &mut Rules) {
        let option_of =
            |names: &[&'static str]| names.iter().copied().find(|name| options.has(name)).unwrap_or_default();
        if !self.field_include.is_empty() {
            rules.include_only(
                &self.field_include,
                (options, option_of(&["fieldinclude", "fieldpass", "pass"])),
            );
        }
        if !self.field_exclude.is_empty() {
            rules.exclude_all(
                &self.field_exclude,
                (options, option_of(&["fieldexclude", "fielddrop", "drop"])),
            );
        }
        if self.tag_include.is_empty() && self.tag_exclude.is_empty() {
            return;
        }
        let at = (options, option_of(&["taginclude", "tagexclude"]));
        let has_all = |patterns: &[String]| patterns.iter().any(|pattern| pattern == "*");
        for tag in rules.all_tags() {
            let may_stay = match &tag.source {
                Source::Glob(_) => {
                    let is_touched = |pattern: &String| globs_overlap(pattern, &tag.name);
                    (self.tag_include.is_empty() || has_all(&self.tag_include))
                        && !self.tag_exclude.iter().any(is_touched)
                }
                _ => {
                    (self.tag_include.is_empty() || is_match(&self.tag_include, &tag.name))
                        && !is_match(&self.tag_exclude, &tag.name)
                }
            };
            if !may_stay {
                rules.drop_tag(&tag, at);
            }
        }
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
                None => is_open |= is_match(&self.open_tags, key),
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
            let subject = Subject { name, tags: tags.to_vec(), open_tags: list("site_*") };
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
        filter.modify(&Options::default(), &mut rules);
        assert_eq!((rules.tag_keys, rules.exclude), (list("a g_*"), list("debug_* b")));
        assert_eq!((rules.tags.len(), rules.topic_tag), (1, None));
        assert_eq!(rules.notes, []);
    }
}
