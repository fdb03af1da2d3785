//! Reports unknown keys and tables with the key or table that was probably meant.

use super::declaration::{Table, title};
use super::findings::Context;
use super::keys::{self, KAFKA};
use super::source::Span;
use super::synonyms::{self, Meaning};
use base::suggest::{nearest, normalized};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Reports the unknown keys and tables in `table`.
pub fn report(context: &Context<'_>, schema: &'static Table, table: &DeTable<'_>) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        if schema.has(name) {
            continue;
        }
        if is_table(value) {
            report_table(context, schema, key, value);
        } else {
            report_key(context, schema, name, &key.span());
        }
    }
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(values) => values.iter().any(|value| value.get_ref().is_table()),
        _ => false,
    }
}

fn report_key(context: &Context<'_>, schema: &'static Table, name: &str, span: &Span) {
    let advice = advise(context, schema, name);
    context.error(span, format!("unknown key {name:?} in {}{advice}", title(schema.name)));
}

/// The suggestion for an unknown key, as the end of a message. The suggested key is then not reported as missing.
fn advise(context: &Context<'_>, schema: &'static Table, name: &str) -> String {
    let did_you_mean = |key: &'static str| {
        context.meant(schema.name, key);
        format!("; did you mean {key:?}?")
    };
    let plain = normalized(name);
    if let Some(key) = schema.names().find(|key| normalized(key) == plain) {
        return did_you_mean(key);
    }
    if let Some(key) = schema.names().find(|key| differs_in_number(&normalized(key), &plain)) {
        context.meant(schema.name, key);
        let example = if key.ends_with('s') { "[\"...\"]" } else { "\"...\"" };
        return format!("; did you mean {key:?}, as in {key} = {example}?");
    }
    match synonyms::meaning(name, schema.name) {
        Some(Meaning::Key(table, key)) if table == schema.name => return did_you_mean(key),
        Some(Meaning::Key(table, key)) => {
            context.meant(table, key);
            return format!("; here it is {key:?} in {}", title(table));
        }
        Some(Meaning::Note(note)) => return format!(": {note}"),
        None => {}
    }
    if schema.name == KAFKA.name && name.contains('.') {
        return ": properties of librdkafka belong in [kafka.librdkafka]".to_owned();
    }
    let holders = keys::holders(name);
    if !holders.is_empty() {
        for (table, key) in &holders {
            context.meant(table.name, key);
        }
        let titles: Vec<String> = holders.iter().map(|(table, _)| title(table.name)).collect();
        return format!("; it belongs in {}", titles.join(" or "));
    }
    match nearest(name, schema.names()) {
        Some(key) => did_you_mean(key),
        None => format!(": it has {}", schema.names().collect::<Vec<_>>().join(", ")),
    }
}

/// Whether one is the singular and the other the plural of a noun.
fn differs_in_number(one: &str, other: &str) -> bool {
    one.strip_suffix('s') == Some(other) || other.strip_suffix('s') == Some(one)
}

fn report_table(
    context: &Context<'_>,
    schema: &'static Table,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) {
    let name: &str = key.get_ref();
    let full = if schema.name.is_empty() { name.to_owned() } else { format!("{}.{name}", schema.name) };
    let advice = match synonyms::table_meaning(&full) {
        Some((table, note)) => {
            context.meant("", table);
            format!(": {note}")
        }
        None if reported_inside(context, schema, key, value) => return,
        None => advise_table(context, schema, name),
    };
    context.error(&key.span(), format!("unknown table {}{advice}", written(&full, value)));
}

fn advise_table(context: &Context<'_>, schema: &'static Table, name: &str) -> String {
    let full = |table: &str| {
        if schema.name.is_empty() { title(table) } else { title(&format!("{}.{table}", schema.name)) }
    };
    if let Some(table) = nearest(name, schema.tables.iter().copied()) {
        context.meant(schema.name, table);
        return format!("; did you mean {}?", full(table));
    }
    if schema.tables.is_empty() {
        return format!(": {} has no tables inside", title(schema.name));
    }
    let tables: Vec<String> = schema.tables.iter().map(|table| full(table)).collect();
    format!(": there are {}", tables.join(", "))
}

/// Reports tables and keys that are known by their dotted name: `[outputs.influxdb_v2]`, `bootstrap.servers = "..."`.
fn reported_inside(
    context: &Context<'_>,
    schema: &'static Table,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) -> bool {
    let is_dotted_key = value.span() == key.span();
    match value.get_ref() {
        DeValue::Table(inside) if schema.name.is_empty() || is_dotted_key => {
            report_inside(context, schema, (key.get_ref(), key.span()), inside)
        }
        _ => false,
    }
}

/// Reports the dotted names inside a table that are known as a whole, and returns whether there were any.
fn report_inside(
    context: &Context<'_>,
    schema: &'static Table,
    (parent, parent_span): (&str, Span),
    table: &DeTable<'_>,
) -> bool {
    let mut reported = false;
    for (key, value) in table {
        let name = format!("{parent}.{}", key.get_ref());
        // Only a dot is between them: both are in one place, not under two headers.
        let is_joined = parent_span.end + 1 == key.span().start;
        let span = if is_joined { parent_span.start..key.span().end } else { key.span() };
        if let Some((table, note)) = synonyms::table_meaning(&name).filter(|_| is_table(value)) {
            context.meant("", table);
            context.error(&span, format!("unknown table {}: {note}", written(&name, value)));
            reported = true;
        } else if let Some(inside) = value.get_ref().as_table() {
            reported |= report_inside(context, schema, (&name, span), inside);
        } else if synonyms::meaning(&name, schema.name).is_some() || schema.name == KAFKA.name {
            report_key(context, schema, &name, &span);
            reported = true;
        }
    }
    reported
}

fn written(name: &str, value: &Spanned<DeValue<'_>>) -> String {
    if value.get_ref().is_array() { format!("[[{name}]]") } else { format!("[{name}]") }
}
