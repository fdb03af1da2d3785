//! Migrates `data_format = "msgpack"`: the metrics that Telegraf's own outputs write. Telegraf has no parser for them.

use super::conf::Options;
use super::rules::Rules;

/// Sets the keys for the structure of these metrics: `{"name": …, "time": …, "tags": {…}, "fields": {…}}`.
pub fn read(input: &Options, rules: &mut Rules) {
    let why = "Telegraf writes this format and does not read it. The keys are those of Telegraf's own metrics: correct them if other \
               programs write the records";
    rules.note(input, "data_format", why);
    rules.format = Some("msgpack");
    rules.name_key = Some("name".to_owned());
    // A timestamp of MessagePack, which needs no `time_format`.
    rules.time_key = Some("time".to_owned());
    rules.tag_keys = vec!["tags_*".to_owned()];
    rules.string_fields = vec!["fields_*".to_owned()];
    rules.integers = true;
    rules.rename = ["tags_*", "fields_*"].map(|keys| (keys.to_owned(), "*".to_owned())).into();
}

#[cfg(test)]
mod tests {
    use crate::DryRun;
    use crate::golden::of_text;

    /// A metric as Telegraf's serializer writes it.
    const METRIC: &[u8] = b"\x84\xa4name\xa3cpu\xa4time\xd6\xff\x65\x53\xf1\x00\xa4tags\x81\xa4host\xa2h1\
        \xa6fields\x84\xa4load\xcb\x3f\xe0\0\0\0\0\0\0\xa1n\x03\xa2on\xc3\xa1s\xa1x";

    fn line(format: &str, record: &[u8]) -> String {
        let text = format!(
            "[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\ndata_format = '{format}'\n\
             [[outputs.influxdb_v2]]\nurls = ['http://i:8086']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n"
        );
        let migration = of_text("telegraf.conf", &text).unwrap();
        let lines = DryRun::new(&migration.bridges[0], "t").unwrap().map(record).unwrap();
        lines.concat()
    }

    #[test]
    fn records_of_each_format_become_the_points_of_telegraf() {
        assert_eq!(line("json", br#"{"load":0.5}"#), "kafka_consumer,host=machine load=0.5");
        let want = "cpu,host=h1 load=0.5,n=3i,on=true,s=\"x\" 1700000000000000000";
        assert_eq!(line("msgpack", METRIC), want);
    }

    #[test]
    fn expressions_of_xpath_are_not_translated() {
        for (format, known) in [("xpath_json", "\"json\""), ("xpath_msgpack", "\"msgpack\"")] {
            let text = format!(
                "[[inputs.kafka_consumer]]\ntopics = ['t']\ndata_format = '{format}'\n[[inputs.kafka_consumer.xpath]]\nfield_selection = '*'\n"
            );
            let error = of_text("telegraf.conf", &text).err().unwrap();
            let notes = format!("{error:?}");
            assert!(
                notes.contains("`kafka-influx-bridge init` proposes")
                    && notes.contains(known.trim_matches('"')),
                "{notes}"
            );
        }
    }
}
