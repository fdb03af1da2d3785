//! Applies processors that a mapping replaces, in Telegraf's order. Each point of every input passes them.
//!
//! What has no counterpart is noted with its line: a processor that silently did nothing would change points.

use super::conf::{Conf, Options, Plugin};
use super::converter::convert;
use super::enums::enumerate;
use super::filters::{Filter, Subject, Takes};
use super::pivot::pivot;
use super::rules::{Rules, is_match};
use super::texts::{NAME_OF_RECORD, change_by_pattern, change_texts};

/// Whether a mapping replaces processors of this kind, as far as it can.
pub fn is_replaced(kind: &str) -> bool {
    const REPLACED: [&str; 7] = ["rename", "converter", "enum", "strings", "regex", "split", "pivot"];
    kind.strip_prefix("processors.").is_some_and(|name| REPLACED.contains(&name))
}

/// Applies the processors to the rules of an input.
pub fn apply(conf: &Conf, rules: &mut Rules) {
    let notes = rules.notes.len();
    apply_all(conf, rules);
    let is_left_out = |plugin: &Plugin| plugin.kind.starts_with("processors.") && !is_replaced(&plugin.kind);
    rules.is_uncertain = rules.notes.len() > notes || conf.plugins.iter().any(is_left_out);
}

fn apply_all(conf: &Conf, rules: &mut Rules) {
    let mut processors: Vec<&Plugin> =
        conf.plugins.iter().filter(|plugin| is_replaced(&plugin.kind)).collect();
    processors.sort_by_key(|plugin| {
        plugin.options.text("order").and_then(|order| order.parse::<i64>().ok()).unwrap_or_default()
    });
    for Plugin { kind, options } in processors {
        options.mark(["order", "alias", "log_level"]);
        let filter = Filter::read(options);
        match filter.takes(&Subject::of(rules, None)) {
            Takes::All => {}
            Takes::None => continue,
            Takes::Depends(filters) => {
                for filter in filters {
                    let why = format!(
                        "{kind} was left out, because its filter depends on the record: write what it does into the mappings that need it"
                    );
                    rules.note(options, filter, why);
                }
                continue;
            }
        }
        filter.modify(options, rules);
        match kind.as_str() {
            "processors.rename" => {
                for replace in options.tables("replace") {
                    replace_one(replace, rules);
                }
            }
            "processors.converter" => convert(options, rules),
            "processors.enum" => enumerate(options, rules),
            "processors.strings" => change_texts(options, rules),
            "processors.split" => split(options, rules),
            "processors.pivot" => pivot(options, rules),
            _ => change_by_pattern(options, rules),
        }
        rules.note_unread(kind, options.unread_deep());
    }
}

/// Applies one table of `processors.rename`, of which Telegraf uses the first of the three options.
fn replace_one(replace: &Options, rules: &mut Rules) {
    let names = ["measurement", "tag", "field"].map(|option| replace.text(option));
    let Some(dest) = replace.text("dest") else { return };
    match names {
        [Some(name), ..] => {
            if rules.measurement == name {
                rules.measurement.clone_from(&dest);
            }
            if rules.fixed_name().is_none() {
                rules.note(replace, "measurement", NAME_OF_RECORD);
            }
        }
        [_, Some(name), _] => rules.rename_tag(&name, &dest, (replace, "tag")),
        [.., Some(name)] => rules.rename_field(&name, &dest, (replace, "field")),
        _ => {}
    }
}

/// Applies `processors.split` with one template and without the original point: a new name, and fewer fields and tags.
fn split(options: &Options, rules: &mut Rules) {
    let templates = options.tables("template");
    let (first, others) = match &*templates {
        [template] if options.flag("drop_original") == Some(true) => (*template, &[][..]),
        [template, others @ ..] if options.flag("drop_original") == Some(true) => (*template, others),
        all => {
            options.mark(["drop_original"]);
            for template in all {
                template.mark_all();
                rules.note(template, "template", one_point(template));
            }
            return;
        }
    };
    for template in others {
        template.mark_all();
        rules.note(template, "template", one_point(template));
    }
    if let Some(name) = first.text("name") {
        rules.name_all(name);
    }
    rules.include_only(&first.texts("fields"), (first, "fields"));
    let tags = first.texts("tags");
    for tag in rules.all_tags().into_iter().filter(|tag| !is_match(&tags, &tag.name)) {
        rules.drop_tag(&tag, (first, "tags"));
    }
}

fn one_point(template: &Options) -> String {
    let name = template.text("name").unwrap_or_default();
    format!("the points {name:?} are not made: an element becomes one point")
}

#[cfg(test)]
mod tests {
    use crate::DryRun;
    use crate::golden::of_text;

    /// The lines of a record with the header `sender`, and the notes.
    fn migrated(input: &str, rest: &str, record: &str) -> (String, Vec<String>) {
        let text = format!(
            "[agent]\nomit_hostname = true\n[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n{input}\n{rest}\n"
        );
        let output =
            "[[outputs.influxdb_v2]]\nurls = ['http://h']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n";
        let text = if rest.contains("[[outputs") { text } else { text + output };
        let migration = of_text("telegraf.conf", &text).unwrap();
        let mut mapping = DryRun::new(&migration.bridges[0], "t").unwrap();
        let lines = mapping.map_with_headers(record.as_bytes(), &[("sender", b"s1")]).unwrap();
        (lines.join("\n"), migration.notes.iter().map(ToString::to_string).collect())
    }

    const JSON: &str = "data_format = 'json'\ntag_keys = ['host']\njson_string_fields = ['state']";
    const RECORD: &str = r#"{"host":"a","state":"on","temp":1.5,"fld_speed":2,"b":3}"#;

    #[test]
    fn later_options_refer_to_the_names_of_their_stage() {
        let replace = |option: &str, name: &str, dest: &str| {
            format!("[[processors.rename.replace]]\n{option} = '{name}'\ndest = '{dest}'\n")
        };
        let strip = "[[processors.regex]]\n[[processors.regex.field_rename]]\npattern = '^fld_(.*)$'\nreplacement = '${1}'\n";
        let f = |rest: &str, want: &str| {
            let (lines, notes) = migrated(JSON, rest, RECORD);
            assert_eq!((lines.as_str(), notes.as_slice()), (want, [].as_slice()), "{rest}");
        };
        f(
            &format!("{strip}[[processors.rename]]\nfieldinclude = ['speed']\n"),
            "kafka_consumer,host=a speed=2",
        );
        let a = replace("field", "speed", "pace");
        f(
            &format!("{strip}[[processors.rename]]\nfieldinclude = ['sp*']\n{a}"),
            "kafka_consumer,host=a pace=2",
        );
        let chain =
            [replace("field", "temp", "c"), replace("field", "c", "d"), replace("field", "b", "temp")];
        f(
            &format!("[[processors.rename]]\n{}", chain.concat()),
            "kafka_consumer,host=a state=\"on\",d=1.5,fld_speed=2,temp=3",
        );
        // The processor with the lower order comes first.
        let (first, second) = (replace("tag", "host", "h"), replace("tag", "h", "machine"));
        f(
            &format!(
                "[[processors.rename]]\norder = 2\n{second}[[processors.rename]]\norder = 1\n{first}[[processors.rename]]\norder = 3\nfieldinclude = ['b']\ntaginclude = ['machine']\n"
            ),
            "kafka_consumer,machine=a b=3",
        );
        let named = "[[processors.strings]]\n[[processors.strings.titlecase]]\nmeasurement = '*'\n\
                     [[processors.rename]]\nnamepass = ['Kafka*']\nfieldinclude = ['b']\n[[processors.rename]]\nnamepass = ['kafka*']\nfieldinclude = ['none']\n";
        f(named, "Kafka_consumer,host=a b=3");
        let split = "[[processors.split]]\ndrop_original = true\n[[processors.split.template]]\nname = 'part'\ntags = ['host']\nfields = ['*e*']\n";
        f(split, "part,host=a state=\"on\",temp=1.5,fld_speed=2");
        let float = "[[processors.converter]]\n[processors.converter.fields]\nfloat = ['*']\n";
        f(float, "kafka_consumer,host=a temp=1.5,fld_speed=2,b=3");
    }

    #[test]
    fn a_pivoted_tag_names_the_field() {
        let input = "data_format = 'json'\ntag_keys = ['host', 'metric']";
        let pivot = "[[processors.pivot]]\ntag_key = 'metric'\nvalue_key = 'value'\n";
        let f = |input: &str, rest: &str, record: &str, want: &str, note: &str| {
            let (lines, notes) = migrated(input, rest, record);
            assert_eq!(lines, want, "{rest} {record}");
            assert!(notes.len() == 1 && notes[0].contains(note), "{rest}: {notes:#?}");
        };
        let zipped = "`zip` gives the value under \"value\" the name that \"metric\" has";
        let long = r#"{"host":"a","metric":"temp","value":21.5,"seq":1}"#;
        f(input, pivot, long, "kafka_consumer,host=a seq=1,temp=21.5", zipped);
        f(
            input,
            pivot,
            r#"{"host":"a","metric":"temp","seq":1}"#,
            "kafka_consumer,host=a,metric=temp seq=1",
            zipped,
        );
        f(input, pivot, r#"{"host":"a","value":2}"#, "kafka_consumer,host=a value=2", zipped);
        // A later option knows the new name.
        let renamed = format!(
            "{pivot}[[processors.rename]]\n[[processors.rename.replace]]\nfield = 'temp'\ndest = 'celsius'\n"
        );
        f(input, &renamed, long, "kafka_consumer,host=a seq=1,celsius=21.5", zipped);
        // No tag has the name.
        let (lines, notes) = migrated("data_format = 'json'\ntag_keys = ['host']", pivot, long);
        assert_eq!((lines.as_str(), notes.len()), ("kafka_consumer,host=a value=21.5,seq=1", 0), "{notes:?}");
        let kept = "each point keeps \"metric\" and \"value\"";
        let texts = format!("{input}\njson_string_fields = ['value']");
        f(&texts, pivot, long, "kafka_consumer,host=a,metric=temp value=21.5,seq=1", kept);
        let enumerated = "[[processors.enum]]\n[[processors.enum.mapping]]\ntags = ['metric']\n[processors.enum.mapping.value_mappings]\ntemp = 't'\n";
        f(
            input,
            &format!("{enumerated}{pivot}"),
            long,
            "kafka_consumer,host=a,metric=t value=21.5,seq=1",
            kept,
        );
        let included = format!("{input}\nfieldinclude = ['value']");
        f(&included, pivot, long, "kafka_consumer,host=a,metric=temp value=21.5", kept);
    }

    #[test]
    fn renamed_headers_are_tags() {
        let input = format!("{JSON}\nmsg_headers_as_tags = ['sender']\nfieldinclude = ['b']");
        let rename =
            "[[processors.regex]]\n[[processors.regex.tag_rename]]\npattern = '^s'\nreplacement = 'x_s'\n";
        let (lines, notes) = migrated(&input, rename, RECORD);
        assert_eq!(
            (lines.as_str(), notes.as_slice()),
            ("kafka_consumer,host=a,x_sender=s1 b=3", [].as_slice())
        );
    }

    #[test]
    fn values_of_several_mappings_follow_each_other() {
        let mapping = |from: &str, to: &str| {
            format!(
                "[[processors.enum.mapping]]\nfields = ['state']\n[processors.enum.mapping.value_mappings]\n{from} = '{to}'\n"
            )
        };
        let f = |rest: &str, want: &str| {
            let input = format!("{JSON}\nfieldinclude = ['state']");
            let (lines, notes) = migrated(&input, rest, RECORD);
            assert_eq!((lines.as_str(), notes.as_slice()), (want, [].as_slice()), "{rest}");
        };
        let [first, second] = [mapping("on", "ON"), mapping("ON", "lit")];
        f(
            &format!("[[processors.enum]]\n{first}[[processors.enum]]\n{second}"),
            "kafka_consumer,host=a state=\"lit\"",
        );
        // The mappings of one processor see the same values.
        f(&format!("[[processors.enum]]\n{first}{second}"), "kafka_consumer,host=a state=\"ON\"");
    }

    #[test]
    fn differences_are_noted_with_their_lines() {
        let f = |rest: &str, want: &str| {
            let (_, notes) = migrated(JSON, rest, RECORD);
            assert!(notes.iter().any(|note| note.starts_with(want)), "{want}: {notes:#?}");
        };
        let all = format!("{JSON}\n").replace("['state']", "['*']");
        let every = "[[processors.enum]]\n[[processors.enum.mapping]]\nfields = ['*']\n[processors.enum.mapping.value_mappings]\na = 'b'\n";
        let (_, notes) = migrated(&all, every, RECORD);
        assert!(notes.iter().any(|note| note.contains("texts of tags that \"*\" matches")), "{notes:#?}");
        for dest in ["time", r"a\\", "x*"] {
            let rest = format!(
                "[[processors.rename]]\n[[processors.rename.replace]]\nfield = 'temp'\ndest = \"{dest}\"\n"
            );
            f(&rest, "telegraf.conf:11: field: \"temp\" keeps its name");
        }
        f(
            "[[processors.enum]]\n[[processors.enum.mapping]]\nfields = ['temp']\n[processors.enum.mapping.value_mappings]\n5 = 'five'\n",
            "telegraf.conf:12: value_mappings: a number under",
        );
        f(
            "[[processors.converter]]\n[processors.converter.fields]\ninteger = ['*']\n",
            "telegraf.conf:11: integer: a number with a fraction",
        );
        f(
            "[[processors.strings]]\n[[processors.strings.uppercase]]\nfield_key = '*'\n",
            "telegraf.conf:11: field_key: fields that the mapping does not name",
        );
        f(
            "[[processors.rename]]\n[[processors.rename.replace]]\nfield = 'temp'\ndest = 'state'\n",
            "telegraf.conf:11: field: of several keys that become \"state\"",
        );
        f(
            "[[processors.split]]\n[[processors.split.template]]\nname = 'part'\nfields = ['b']\n",
            "telegraf.conf:10: template: the points \"part\" are not made",
        );
        f(
            "[[processors.unpivot]]\n",
            "telegraf.conf:9: processors.unpivot: the fields of an element stay in one point",
        );
        f(
            "[[processors.rename]]\ntagpass = { host = ['a'] }\n",
            "telegraf.conf:10: tagpass: processors.rename was left out",
        );
    }
}
