//! Reads the keys of a `[[mapping]]` that rearrange elements: `columns`, `explode`, `where`, `pivot` and `zip`.

use super::declaration::{Kind, title};
use super::section::{Section, Text};
use super::selectors::check_flattened;
use base::suggest::nearest;
use mapping::decode::{Filter, PathError};
use mapping::{Pivot, PivotList, Reshape, Zip};
use toml::de::{DeTable, DeValue};

/// The text of `list` that means the selected value itself.
const ELEMENT: &str = "@";

/// The options that rearrange elements. A refused value is reported and left out.
pub fn read(section: Section<'_>) -> Reshape {
    let reshape = Reshape {
        columns: distinct(section, "columns", |_| ()),
        explode: distinct(section, "explode", |key| check_flattened(section, "explode", key)),
        filter: filter(section),
        pivot: tables(section, "pivot").iter().filter_map(|table| pivot(section, table)).collect(),
        zip: tables(section, "zip").iter().filter_map(|table| zip(section, table)).collect(),
    };
    let takes_arrays = |pivot: &Pivot| pivot.list == PivotList::Element;
    if !reshape.columns.is_empty() && reshape.pivot.iter().any(takes_arrays) {
        section.error(
            "pivot",
            "a selected array is either a row of `columns` or the list of `pivot`: leave one of them out",
        );
    }
    check_lists(section, &reshape);
    reshape
}

/// A list of keys, each of which stands there once and is checked.
fn distinct(section: Section<'_>, key: &str, check: impl Fn(&Text)) -> Vec<String> {
    let texts = section.texts(key).unwrap_or_default();
    for (place, text) in texts.iter().enumerate() {
        check(text);
        if texts.iter().take(place).any(|earlier| earlier.value == text.value) {
            section.refuse(text, format!("`{key}` has {:?} twice: write each key once", text.shown()));
        }
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn filter(section: Section<'_>) -> Option<Filter> {
    let text = section.text("where")?;
    let message = match Filter::parse(&text.value) {
        Ok(filter) => return Some(filter),
        Err(error @ PathError::Function { .. }) => error.to_string(),
        Err(_) => format!(
            "{:?} is no filter of RFC 9535: write a condition such as \"@.ok == true && @.q >= 192\", with \"@\" for the element",
            text.shown()
        ),
    };
    section.refuse(&text, message);
    None
}

/// One table of a list of tables.
struct Entry<'a> {
    key: &'static str,
    table: &'a DeTable<'a>,
    span: std::ops::Range<usize>,
}

fn tables<'a>(section: Section<'a>, key: &'static str) -> Vec<Entry<'a>> {
    let Some(value) = section.value(key) else { return Vec::new() };
    let Kind::Tables { texts, lists } = section.declaration(key).kind else {
        unreachable!("`{key}` is read as a list of tables, but declared otherwise");
    };
    let wanted = || {
        let texts = texts.iter().map(|name| format!("{name} = \"key\""));
        let lists = lists.iter().map(|name| format!("{name} = [\"key\"]"));
        format!("a list of tables, such as [{{ {} }}]", texts.chain(lists).collect::<Vec<_>>().join(", "))
    };
    let DeValue::Array(values) = value.get_ref() else {
        section.wrong_kind(value, key, &wanted());
        return Vec::new();
    };
    let mut entries = Vec::new();
    for value in values {
        let DeValue::Table(table) = value.get_ref() else {
            section.wrong_kind(value, key, &wanted());
            continue;
        };
        let known = || texts.iter().chain(lists).copied();
        for (name, _) in table {
            let name = Text::plain(name);
            if !known().any(|known| known == name.value) {
                let near = nearest(&name.value, known()).map(|near| format!("; did you mean {near:?}?"));
                let known = known().collect::<Vec<_>>().join(", ");
                let message = format!(
                    "a table of `{key}` has {known}, and no {:?}{}",
                    name.value,
                    near.unwrap_or_default()
                );
                section.refuse(&name, message);
            }
        }
        entries.push(Entry { key, table, span: value.span() });
    }
    entries
}

impl Entry<'_> {
    /// The texts under a name, one or several.
    fn texts(&self, section: Section<'_>, name: &str) -> Option<Vec<String>> {
        let key = format!("{}.{name}", self.key);
        let Some(value) = self.table.get(name) else {
            let message = format!("this table of `{}` in {} has no `{name}`", self.key, title("mapping"));
            section.context.error(&self.span, message);
            return None;
        };
        let texts: Option<Vec<Text>> = match value.get_ref() {
            DeValue::Array(values) => {
                values.iter().map(|value| section.filled_text_of(&key, value)).collect()
            }
            _ => section.filled_text_of(&key, value).map(|text| vec![text]),
        };
        let texts = texts?;
        for text in &texts {
            check_flattened(section, &key, text);
        }
        let texts: Vec<String> = texts.into_iter().map(|text| text.value).collect();
        if texts.is_empty() {
            section.context.error(&value.span(), format!("`{key}` is an empty list: name a key"));
        }
        (!texts.is_empty()).then_some(texts)
    }

    fn text(&self, section: Section<'_>, name: &str) -> Option<String> {
        if let Some(value) = self.table.get(name).filter(|value| value.get_ref().is_array()) {
            section.wrong_kind(value, &format!("{}.{name}", self.key), "a string");
            return None;
        }
        self.texts(section, name)?.pop()
    }
}

fn pivot(section: Section<'_>, entry: &Entry<'_>) -> Option<Pivot> {
    let [list, name] = ["list", "name"].map(|name| entry.text(section, name));
    let value = entry.texts(section, "value");
    let list = list?;
    let list = if list == ELEMENT { PivotList::Element } else { PivotList::Key(list) };
    Some(Pivot { list, name: name?, value: value? })
}

fn zip(section: Section<'_>, entry: &Entry<'_>) -> Option<Zip> {
    let [names, values] = ["names", "values"].map(|name| entry.text(section, name));
    Some(Zip { names: names?, values: values? })
}

/// Reports a key that several options take as their list.
fn check_lists(section: Section<'_>, reshape: &Reshape) {
    let pivots = reshape.pivot.iter().map(|pivot| match &pivot.list {
        PivotList::Element => ("pivot", ELEMENT),
        PivotList::Key(key) => ("pivot", key.as_str()),
    });
    let zips = reshape.zip.iter().flat_map(|zip| [("zip", zip.names.as_str()), ("zip", zip.values.as_str())]);
    let exploded = reshape.explode.iter().map(|key| ("explode", key.as_str()));
    let lists: Vec<(&str, &str)> = exploded.chain(pivots).chain(zips).collect();
    for (place, (option, key)) in lists.iter().enumerate() {
        let mut earlier = lists.iter().take(place);
        let is_same =
            |(other, known): &&(&str, &str)| known == key && !(*other == "explode" && *option == "explode");
        if let Some((other, _)) = earlier.find(is_same) {
            let message = if other == option {
                format!("`{option}` takes the list {key:?} twice: write it once")
            } else {
                format!("`{other}` and `{option}` both take the list {key:?}: leave one of them out")
            };
            section.error(option, message);
        }
    }
}
