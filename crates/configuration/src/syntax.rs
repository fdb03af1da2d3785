//! Explains syntax errors of the TOML, one message per cause.

use super::source::{Source, Span};
use base::text::printable;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

/// The syntax errors, and the parts of the file that they make unreliable.
#[derive(Debug, Default)]
pub struct Syntax {
    pub errors: Vec<(Span, String)>,
    pub broken_lines: Vec<usize>,
    /// Everything after a broken table header or an open bracket or quote may be in the wrong table.
    pub misplaced: bool,
    /// Tables whose header occurred before: the parser leaves out their keys.
    pub repeated: Vec<Repeated>,
}

/// A table under a header that occurred before.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeated {
    /// From its header up to the next header.
    pub span: Span,
    /// The tables of the same name.
    pub others: Vec<Span>,
}

/// A header with its keys.
struct HeadedTable<'t> {
    /// Its name without brackets.
    name: &'t str,
    is_double: bool,
    /// From the header up to the next header.
    span: Span,
}

/// All tables with a header of their own line. A line inside of a string or list can look the same: then places of errors are
/// less exact, and none is lost.
fn headed_tables(text: &str) -> Vec<HeadedTable<'_>> {
    let mut tables: Vec<HeadedTable<'_>> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((name, is_double)) = header(line) {
            if let Some(last) = tables.last_mut() {
                last.span.end = start;
            }
            tables.push(HeadedTable { name, is_double, span: start..text.len() });
        }
        start += line.len();
    }
    tables
}

/// The name in a header, and whether it has double brackets.
fn header(line: &str) -> Option<(&str, bool)> {
    let line = line.split('#').next()?.trim();
    let inside = line.strip_prefix('[')?.strip_suffix(']')?;
    let double = inside.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
    let name = double.unwrap_or(inside).trim();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, double.is_some()))
}

/// Groups the parser's errors by cause: an open list makes errors in all lines after it.
pub fn explain(source: &Source<'_>, table: &DeTable<'_>, errors: &[Error]) -> Syntax {
    let mut values = Vec::new();
    collect_values(table, &mut values);
    let mut syntax = Syntax::default();
    let mut errors: Vec<(Span, &str)> =
        // An error without a place is shown at the beginning of the file.
        errors.iter().map(|e| (e.span().unwrap_or_default(), e.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let is_unclosed =
        |message: &str| message.starts_with("unclosed") || message.contains("invalid multi-line");
    let end = source.text().trim_end().len();
    let swallows_rest = errors.iter().any(|(span, message)| is_unclosed(message) && span.start >= end);
    let mut groups: Vec<Span> = Vec::new();
    for (span, message) in errors {
        let value = values.iter().find(|value| value.start <= span.start && span.start <= value.end);
        let line = source.line_span(span.start);
        let group = value.filter(|value| value.end > line.end || value.start < line.start).unwrap_or(&line);
        if groups.contains(group) {
            continue;
        }
        let in_open_list =
            message.contains("array") || message.contains("inline table") || is_unclosed(message);
        let unclosed = swallows_rest && in_open_list;
        let is_header =
            source.text().get(line.clone()).is_some_and(|line| line.trim_start().starts_with('['));
        if is_header && message.starts_with("duplicate key") {
            let headed = headed_tables(source.text());
            if let Some(table) = headed.iter().find(|table| table.span.contains(&span.start)) {
                let same: Vec<_> = headed.iter().filter(|other| other.name == table.name).collect();
                let others = same.iter().map(|other| other.span.clone()).filter(|other| *other != table.span);
                syntax.repeated.push(Repeated { span: table.span.clone(), others: others.collect() });
                // The reader of the table reports wrong brackets.
                if same.iter().all(|other| other.is_double == table.is_double) {
                    syntax.errors.push((span.clone(), reword(source, &span, message)));
                }
                groups.push(group.clone());
                continue;
            }
        }
        let error = match value {
            Some(value) if unclosed => (value.start..value.start + 1, NOT_CLOSED.to_owned()),
            _ => (span.clone(), reword(source, &span, message)),
        };
        syntax.broken_lines.push(source.place(span.start).line);
        syntax.errors.push(error);
        let is_comma = source.text().get(span.start..).is_some_and(|rest| rest.starts_with(','));
        syntax.misplaced |= (is_header && !is_comma) || unclosed;
        groups.push(group.clone());
        if unclosed {
            break;
        }
    }
    syntax
}

const NOT_CLOSED: &str = "this is not closed: its end bracket or end quote is missing";

/// The values of keys, not those of table headers or of the parts of dotted keys.
fn collect_values(table: &DeTable<'_>, values: &mut Vec<Span>) {
    for (key, value) in table {
        let stands_behind_key = value.span().start > key.span().start;
        match value.get_ref() {
            _ if stands_behind_key => values.push(value.span()),
            DeValue::Table(table) => collect_values(table, values),
            DeValue::Array(tables) => {
                for table in
                    tables.iter().filter_map(|value: &Spanned<DeValue<'_>>| value.get_ref().as_table())
                {
                    collect_values(table, values);
                }
            }
            _ => {}
        }
    }
}

fn reword(source: &Source<'_>, span: &Span, message: &str) -> String {
    let text = source.text().get(span.clone()).unwrap_or_default();
    let line = source.text().get(source.line_span(span.start)).unwrap_or_default();
    if source.text().trim_start().starts_with('{') {
        return "this is JSON, and a configuration is TOML: [TABLE] in a line of its own, then KEY = VALUE in each line"
            .to_owned();
    }
    if message.starts_with("string values must be quoted") {
        return if text.is_empty() {
            "there is no value after the \"=\"".to_owned()
        } else {
            needs_quotes(line)
        };
    }
    if let Some(why) = comma_or_second_key(source, span, message) {
        return why.to_owned();
    }
    if let Some(why) = unquoted(bare_value(source, span), message, line) {
        return why;
    }
    if message.starts_with("duplicate key") {
        return if line.trim_start().starts_with('[') {
            format!("{} appears twice: put its keys under one header", line.trim())
        } else {
            format!("{text:?} appears twice: keep one")
        };
    }
    if message.contains("escape") {
        return format!("{message}; in single quotes ('...') a backslash is an ordinary character");
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        return "the string has no end quote in its line".to_owned();
    }
    if text == ":" || message.starts_with("key with no value") {
        return "a key is followed by \"=\" and its value".to_owned();
    }
    if message.starts_with("invalid unquoted key") {
        return "a key with characters other than ASCII letters, digits, \"-\" and \"_\" must be quoted"
            .to_owned();
    }
    if message.starts_with("unclosed table") {
        return "the table's name has no end bracket".to_owned();
    }
    message.to_owned()
}

/// Explains commas of other formats than TOML, and several keys in a line.
fn comma_or_second_key(source: &Source<'_>, span: &Span, message: &str) -> Option<&'static str> {
    let line = source.line_span(span.start);
    let (before, rest) = source.text().get(line.clone())?.split_at_checked(span.start - line.start)?;
    if message.starts_with("extra comma") {
        return Some("there is no value before this comma: remove the comma");
    }
    let is_at_end = message.starts_with("unexpected key or value") || before.trim().is_empty();
    let after = rest
        .strip_prefix(',')
        .filter(|_| is_at_end)
        .map(|after| after.split('#').next().unwrap_or_default().trim());
    match after {
        Some("") => {
            Some("no comma stands at the end of a line, only between the values of a list: remove the comma")
        }
        Some(after) if after.contains('=') => {
            Some("each key has its own line: replace this comma with a line break")
        }
        Some(_) => Some("several values are a list in brackets, as in [\"a\", \"b\"]"),
        None if !message.starts_with("unexpected key or value") => None,
        None if rest.contains('=') => Some("each key has its own line: put a line break here"),
        None => Some("there is text after the value: remove the text, or put the whole value in quotes"),
    }
}

/// Explains a value that the parser takes for a number, date, true or false by its first letter: mostly text without quotes.
fn unquoted(value: &str, message: &str, line: &str) -> Option<String> {
    if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
        return Some("true and false are written in small letters".to_owned());
    }
    let scalars = [
        "invalid boolean",
        "invalid float",
        "invalid integer",
        "invalid date",
        "invalid time",
        "invalid hexadecimal",
    ];
    let is_scalar = scalars.iter().any(|scalar| message.starts_with(scalar))
        || message.contains("only go between digits");
    let begins_a_word =
        value.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_alphabetic() || c == '_');
    let is_address = value.contains(':') || value.matches('.').count() > 1;
    match is_scalar {
        true if begins_a_word || is_address => Some(needs_quotes(line)),
        true if value.contains(char::is_alphabetic) => {
            Some(format!("neither a number nor a date; {}", needs_quotes(line)))
        }
        _ => None,
    }
}

/// Names the key if the line has one, and not the value, which may be a secret.
fn needs_quotes(line: &str) -> String {
    let key = line.split_once('=').filter(|(_, value)| !value.trim_start().starts_with(['[', '{']));
    if line.contains(['“', '”', '„', '‘', '’', '«', '»']) {
        return "TOML knows only straight quotes, \" and ', no typographic ones".to_owned();
    }
    match key {
        Some((key, _)) => format!("text needs quotes, as in {} = \"...\"", printable(key.trim(), 60)),
        None => "text needs quotes".to_owned(),
    }
}

/// The value without quotes at the place of an error.
fn bare_value<'t>(source: &Source<'t>, span: &Span) -> &'t str {
    const ENDS: [char; 8] = ['=', ',', '[', ']', '{', '}', '#', '"'];
    let is_end = |c: char| c.is_whitespace() || ENDS.contains(&c);
    let (before, behind) = source.text().split_at_checked(span.start).unwrap_or_default();
    let start = before
        .rfind(is_end)
        .map_or(0, |at| at + before.get(at..).and_then(|b| b.chars().next()).map_or(0, char::len_utf8));
    let end = span.start + behind.find(is_end).unwrap_or(behind.len());
    source.text().get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(text: &str) -> (Vec<(usize, usize, String)>, bool) {
        let source = Source::new(text);
        let (table, errors) = DeTable::parse_recoverable(source.text());
        let syntax = explain(&source, table.get_ref(), &errors);
        let place = |(span, message): &(Span, String)| {
            let place = source.place(span.start);
            (place.line, place.column, message.clone())
        };
        (syntax.errors.iter().map(place).collect(), syntax.misplaced)
    }

    #[test]
    fn names_each_cause_once() {
        let f = |text: &str, want: &[(usize, usize, &str)], misplaced: bool| {
            let (got, got_misplaced) = run(text);
            assert_eq!(got.len(), want.len(), "{text}\n{got:?}");
            for (got, want) in got.iter().zip(want) {
                assert_eq!((got.0, got.1), (want.0, want.1), "{text}\n{got:?}");
                assert!(got.2.contains(want.2), "{text}\n{got:?}");
            }
            assert_eq!(got_misplaced, misplaced, "{text}");
        };
        f("a = 1\n", &[], false);
        f(
            "a = 5s\nb = \nc = 1 2\n",
            &[(1, 5, "text needs quotes, as in a ="), (2, 5, "no value"), (3, 5, "needs quotes")],
            false,
        );
        f("[log]\na = 1\na = 2\n", &[(3, 1, "\"a\" appears twice")], false);
        f("[log]\n[kafka]\n[log]\n", &[(3, 2, "[log] appears twice")], false);
        // The reader of the table reports wrong brackets.
        f("[mapping]\n[[mapping]]\n", &[], false);
        let comma = "remove the comma";
        f("a = 1,\nb = [1], # x\n[c],\nd = 2\n", &[(1, 6, comma), (2, 8, comma), (3, 4, comma)], false);
        f("a = [1,, 2]\nb = [, 1]\n,\n", &[(1, 8, comma), (2, 6, comma), (3, 1, comma)], false);
        f("a = 1, b = 2\n", &[(1, 6, "replace this comma with a line break")], false);
        f("a = 'x', 'y'\n", &[(1, 8, "a list in brackets")], false);
        f("a = 'x' b = 'y'\n", &[(1, 9, "put a line break here")], false);
        f("a = 'x' y\n", &[(1, 9, "text after the value")], false);
        f("a = [\"x\"\nb = 1\n[c]\nd = 'e'\n", &[(1, 5, "not closed")], true);
        f("x = 5s\na = [\"x\"\nb = 1\n", &[(1, 5, "needs quotes"), (2, 5, "not closed")], true);
        f("a = [\"x\" \"y\"]\nb = 5s\n", &[(1, 10, "missing comma"), (2, 5, "needs quotes")], false);
        f(
            "a = [\n  \"x\"\n  \"y\"\n  \"z\"\n]\nb = 5s\n",
            &[(3, 3, "missing comma"), (6, 5, "needs quotes")],
            false,
        );
        f("a = '''x\nb = 1\n", &[(1, 5, "not closed")], true);
        f("a = \"x\nb = 1\n", &[(1, 7, "no end quote")], false);
        f("a = \"^x\\d\"\n", &[(1, 9, "in single quotes")], false);
        f("a: 1\nb c\n", &[(1, 2, "followed by \"=\""), (2, 3, "followed by \"=\"")], false);
        f("온도 = 1\n", &[(1, 1, "must be quoted")], false);
        f("[kafka\na = 1\n", &[(1, 7, "no end bracket")], true);
    }

    #[test]
    fn says_that_text_needs_quotes() {
        let values = [
            "name",
            "test",
            "nan2",
            "t",
            "f",
            "info",
            "n#x",
            "inf inity",
            "-x",
            "-info",
            "_a",
            "org-1",
            "http://h",
            "5s",
            "0x5g",
            "10.0.0.1:9092",
            "1.2.3",
            "2024-01-01x",
        ];
        for value in values {
            let (errors, _) = run(&format!("name_key = {value}\n"));
            let [(1, _, message)] = &errors[..] else { panic!("{value}: {errors:?}") };
            assert!(message.contains("text needs quotes, as in name_key = \"...\""), "{value}: {message}");
            assert!(value.len() < 5 || !message.contains(value), "it may be a secret: {message}");
        }
        for text in ["a = [name, 'x']", "a = {b = nope}"] {
            let (errors, _) = run(text);
            assert!(
                errors.iter().any(|(_, _, message)| message == "text needs quotes"),
                "{text}: {errors:?}"
            );
        }
        let (errors, _) = run("a = True\n");
        assert_eq!(errors[0].2, "true and false are written in small letters");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([]\\[anft={}'\"\n ,.:#5-]|온|\r\n){0,60}") {
            run(&text);
        }
    }
}
