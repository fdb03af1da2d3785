//! Migrates the formats `xpath_json`, `xpath_msgpack`, `xpath_cbor` and `xpath_protobuf`, as far as their expressions are plain paths.

use super::conf::Options;
use super::gjson::{self, Step};
use super::json::time;
use super::rules::Rules;
use mapping::Format;

/// Options of the parser.
pub const OPTIONS: [&str; 14] = [
    "xpath",
    "xpath_json",
    "xpath_msgpack",
    "xpath_cbor",
    "xpath_protobuf",
    "xpath_print_document",
    "xpath_trace",
    "xpath_allow_empty_selection",
    "xpath_native_types",
    "xpath_protobuf_file",
    "xpath_protobuf_files",
    "xpath_protobuf_type",
    "xpath_protobuf_import_paths",
    "xpath_protobuf_skip_bytes",
];

/// Folders in which Telegraf looks up Protobuf files.
const IMPORT_PATHS: &str = "xpath_protobuf_import_paths";

/// The option that has no counterpart, with its table.
type Unsupported<'o> = (&'o Options, &'static str);

/// Reads the options of a format.
pub fn read<'o>(input: &'o Options, format: &str, rules: &mut Rules) -> Result<(), Unsupported<'o>> {
    // Older versions of Telegraf name the table after the format.
    let configs = [input.tables("xpath"), input.tables(format)].concat();
    let config = *configs.first().ok_or((input, "data_format"))?;
    read_format(input, format.trim_start_matches("xpath_"), rules)?;
    for other in configs.iter().skip(1) {
        other.mark_all();
        rules.note(other, "xpath", super::json_v2::ONE_MAPPING);
    }
    input.mark(["xpath_print_document", "xpath_trace", "xpath_allow_empty_selection"]);
    let has_own_types = input.flag("xpath_native_types") == Some(true);
    for option in ["field_selection", "tag_selection", "fields_bytes_as_hex", "fields_bytes_as_base64"] {
        if config.has(option) {
            return Err((config, option));
        }
    }
    config.mark([
        "field_name",
        "field_value",
        "tag_name",
        "tag_value",
        "field_name_expansion",
        "tag_name_expansion",
        // Without `timestamp` they have no effect, and the default format has no zone.
        "timestamp_format",
        "timezone",
    ]);
    select(config, rules)?;
    if let Some(name) = config.text("metric_name") {
        match constant(&name) {
            Some(name) => name.clone_into(&mut rules.measurement),
            None => rules.name_key = Some(selector(&name).ok_or((config, "metric_name"))?),
        }
    }
    read_tags(config, rules)?;
    read_fields(config, "fields", has_own_types, rules)?;
    read_fields(config, "fields_int", has_own_types, rules)?;
    if let Some(path) = config.text("timestamp") {
        rules.time_key = Some(selector(&path).ok_or((config, "timestamp"))?);
        if config.has("timestamp_format") {
            time(config, ["timestamp", "timestamp_format", "timezone"], rules);
        } else {
            // Telegraf's default.
            rules.time_format = Some("unix".to_owned());
        }
    }
    rules.exclude.push("*".to_owned());
    rules.because.push(("exclude", "Telegraf takes the named fields only.".to_owned()));
    Ok(())
}

/// Sets `format`, with the schema of Protobuf.
fn read_format<'o>(input: &'o Options, name: &str, rules: &mut Rules) -> Result<(), Unsupported<'o>> {
    let known = [Format::Json, Format::Msgpack, Format::Cbor, Format::Protobuf];
    let known = known.into_iter().find(|known| known.name() == name).ok_or((input, "data_format"))?;
    rules.format = Some(known.name()).filter(|_| known != Format::Json);
    if known == Format::Protobuf {
        let files = [input.texts("xpath_protobuf_files"), input.texts("xpath_protobuf_file")].concat();
        let [file] = files.as_slice() else { return Err((input, "xpath_protobuf_files")) };
        rules.schema = Some(file.clone());
        rules.message = input.text("xpath_protobuf_type");
        if input.has("xpath_protobuf_skip_bytes") {
            return Err((input, "xpath_protobuf_skip_bytes"));
        }
        if input.texts(IMPORT_PATHS).iter().any(|path| path != ".") {
            let why = "the file of `schema` is not looked up in these folders, so write its path; its imports are looked up beside it and in the folders above";
            rules.note(input, IMPORT_PATHS, why);
        }
    }
    Ok(())
}

fn read_tags<'o>(config: &'o Options, rules: &mut Rules) -> Result<(), Unsupported<'o>> {
    for (name, path) in config.tables("tags").into_iter().flat_map(Options::pairs) {
        if let Some(text) = constant(&path) {
            rules.tags.push((name, text.to_owned()));
            continue;
        }
        let key = selector(&path).ok_or((config, "tags"))?;
        let flattened = Rules::flattened(&key);
        // Two tags of one path would need two names for one key.
        if rules.tag_keys.contains(&key) {
            return Err((config, "tags"));
        }
        if flattened != name {
            rules.rename.push((flattened, name));
        }
        rules.tag_keys.push(key);
    }
    Ok(())
}

/// Reads the fields of a group, `fields` or `fields_int`.
fn read_fields<'o>(
    config: &'o Options,
    group: &'static str,
    has_own_types: bool,
    rules: &mut Rules,
) -> Result<(), Unsupported<'o>> {
    for (name, query) in config.tables(group).into_iter().flat_map(Options::pairs) {
        let number = query.trim().strip_prefix("number(").and_then(|query| query.strip_suffix(')'));
        let path = selector(number.unwrap_or(&query)).ok_or((config, group))?;
        let to = match number {
            _ if group == "fields_int" => Some("int"),
            Some(_) => Some("float"),
            None if has_own_types => None,
            None => Some("string"),
        };
        rules.types.extend(to.map(|to| (name.clone(), to.to_owned())));
        rules.fields.push((name, path));
    }
    Ok(())
}

/// Sets `query` from `metric_selection`.
fn select<'o>(config: &'o Options, rules: &mut Rules) -> Result<(), Unsupported<'o>> {
    const OPTION: &str = "metric_selection";
    let Some(selection) = config.text(OPTION).filter(|selection| selection != "/") else { return Ok(()) };
    let (path, is_children) = match selection.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (selection.as_str(), false),
    };
    let mut steps = match path {
        "" => Vec::new(),
        path => steps(path.strip_prefix('/').ok_or((config, OPTION))?).ok_or((config, OPTION))?,
    };
    if is_children {
        steps.push(Step::All);
    } else {
        rules.note(config, OPTION, "the elements of a selected list become points of their own");
    }
    rules.query = Some(gjson::to_jsonpath(&steps));
    Ok(())
}

/// The text of an expression that is one.
fn constant(expression: &str) -> Option<&str> {
    let text = expression.trim();
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(inside).filter(|inside| !inside.contains(quote))
}

/// The selector of a plain path.
fn selector(path: &str) -> Option<String> {
    let path = path.trim();
    match path.strip_prefix('/') {
        Some(from_root) => Some(gjson::to_jsonpath(&steps(from_root)?)),
        None => Some(gjson::to_element(&steps(path.strip_prefix("./").unwrap_or(path))?)),
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    path.split('/').map(|name| is_name(name).then(|| Step::Key(name.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_become_selectors() {
        let f = |path: &str, want: Option<&str>| assert_eq!(selector(path).as_deref(), want, "{path}");
        f("a", Some("@.a"));
        f("./a/b-c", Some("@.a['b-c']"));
        f(" /a/b ", Some("$.a.b"));
        for path in ["", "/", ".", "//a", "../a", "a[1]", "a/*", "@a", "string(a)", "a + 1", "a/"] {
            f(path, None);
        }
        assert_eq!(constant(" 'm' "), Some("m"));
        assert_eq!(constant("'a' or 'b'"), None);
        assert_eq!(constant("m"), None);
    }
}
