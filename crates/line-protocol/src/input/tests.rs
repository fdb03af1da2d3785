use super::*;
use crate::reader::read_v2_line;
use proptest::prelude::*;

/// The lines of a record, taken apart, with their escapes.
fn read(text: &str) -> Vec<String> {
    let (mut line, mut at, mut lines) = (RawLine::default(), 0, Vec::new());
    let bytes = text.as_bytes();
    let part = |span: Span| str::from_utf8(span.of(bytes)).unwrap().to_owned();
    while at < bytes.len() {
        let (found, end) = line.read(bytes, at);
        assert!(end > at, "{text:?}");
        at = end;
        lines.push(match found {
            Found::Blank => "blank".to_owned(),
            Found::Comment => "comment".to_owned(),
            Found::Bad(error) => format!("{}: {:?}", error.column, error.reason),
            Found::Point => {
                let tags: Vec<_> =
                    line.tags.iter().map(|tag| format!("{}={}", part(tag.key), part(tag.value))).collect();
                let value = |value: RawValue| match value {
                    RawValue::Number(span) => part(span),
                    RawValue::NotPortable(span) => {
                        let mut out = Vec::new();
                        push_portable(span.of(bytes), &mut out);
                        format!("{} ({})", part(span), str::from_utf8(&out).unwrap())
                    }
                    RawValue::Boolean(flag) => flag.to_string(),
                    RawValue::String(span) => format!("\"{}\"", part(span)),
                };
                let fields: Vec<_> = line
                    .fields
                    .iter()
                    .map(|field| format!("{}={}", part(field.key), value(field.value)))
                    .collect();
                let time = line.time.map_or(String::new(), |time| format!(" {time}"));
                format!("{} [{}] [{}]{time}", part(line.measurement), tags.join(" "), fields.join(" "))
            }
        });
    }
    lines
}

#[test]
fn takes_lines_apart_that_influxdb_2_accepts() {
    let f = |line: &str, want: &str| assert_eq!(read(line), [want], "{line:?}");
    f("m v=1", "m [] [v=1]");
    f("m,b=2,a=1 v=1i,w=2u,x=t,y=\"a b\" -5\n", "m [b=2 a=1] [v=1i w=2u x=true y=\"a b\"] -5");
    f(r"m\ x\,y=z,k\==\ ,l=C:\d v\ =1", r"m\ x\,y=z [k\==\  l=C:\d] [v\ =1]");
    f("m v=\"two\nlines\" 5\r\n", "m [] [v=\"two\nlines\"] 5");
    f("m v=\"q\\\"\\\\\" 5\r", "m [] [v=\"q\\\"\\\\\"] 5");
    f("\t\0 m,a=b \0 v=1\r\n", "m [a=b] [v=1]");
    f("m v=1   5 \t", "m [] [v=1] 5");
    f("m v=1 ", "m [] [v=1]");
    f("m a=.5,b=-1.,c=1.e5,d=007", "m [] [a=.5 (0.5) b=-1. (-1.0) c=1.e5 (1.0e5) d=007]");
    f("m v=1 007", "m [] [v=1] 7");
    f("m,a=1,a=2 v=1,v=2", "m [a=1 a=2] [v=1 v=2]");
    f("m time=1", "m [] [time=1]");
    f(" \r\n", "blank");
    f("  # m v=1", "comment");
}

#[test]
fn a_bad_line_ends_at_its_line_break() {
    let f = |text: &str, want: &[&str]| assert_eq!(read(text), want, "{text:?}");
    f("m\nm v=1\n", &["2: MissingFields", "m [] [v=1]"]);
    f("m,a v=1\nm v=1", &["4: MissingTagValue", "m [] [v=1]"]);
    f("m,a=\\\nm v=1", &["6: MissingFields", "m [] [v=1]"]);
    f(
        "m v=abc,s=\"unclosed\nm2 v=2 6\nm3 s=\"x\" 7\n",
        &["5: InvalidBoolean", "m2 [] [v=2] 6", "m3 [] [s=\"x\"] 7"],
    );
    f("m v=1 5x\nm v=1", &["8: BadTimestamp", "m [] [v=1]"]);
    f("m v=1 99999999999999999999\nm v=1", &["7: TimeRange", "m [] [v=1]"]);
    f("m v=9223372036854775808i\nm v=1", &["5: IntegerRange", "m [] [v=1]"]);
    f(
        "m v=18446744073709551615u\nm v=18446744073709551616u",
        &["m [] [v=18446744073709551615u]", "5: IntegerRange"],
    );
    f("m a\\\\ =1\nm v=1", &["6: Backslashes", "m [] [v=1]"]);
    for bad in ["1e400", "NaN", "+1", "tRue", "1f", "-1u", "0x1", ".", "1_0"] {
        assert!(read(&format!("m v={bad}\n"))[0].starts_with("5: "), "{bad}");
    }
}

/// The quote would swallow the lines behind it, here as in InfluxDB.
#[test]
fn a_quote_without_an_end_hides_no_line() {
    let f = |text: &str, want: &[&str]| assert_eq!(read(text), want, "{text:?}");
    f("m v=1\nm v=\"a\nm v=2\n", &["m [] [v=1]", "5: UnbalancedQuotes", "m [] [v=2]"]);
    f("m v=\"a\nm v=\"b\" 1\nm v=2\n", &["13: AfterString", "m [] [v=\"b\"] 1", "m [] [v=2]"]);
    f("m v=\"5\" disk\"\nm v=\"b\"\n", &["9: BadTimestamp", "m [] [v=\"b\"]"]);
    f("m v=\"\\\"\nm v=2", &["5: UnbalancedQuotes", "m [] [v=2]"]);
    f("m v=\"\\", &["5: UnbalancedQuotes"]);
}

/// Text from outside must not become a line because its producer made another mistake in the line around it.
#[test]
fn the_text_of_a_string_never_becomes_a_line() {
    let f = |text: &str, want: &[&str]| assert_eq!(read(text), want, "{text:?}");
    f("m,t= v=\"a\nevil v=1\n\" 5\nm v=2", &["5: MissingTagValue", "m [] [v=2]"]);
    f("m v=1x,w=\"a\nevil v=1\n\" 5\nm v=2", &["5: InvalidNumber", "m [] [v=2]"]);
    f("m v=\"a\nevil v=1\n\",w=1x\nm v=2", &["21: InvalidNumber", "m [] [v=2]"]);
    f("m v=\"a\\\"\nevil v=1\n\" x\nm v=2", &["21: BadTimestamp", "m [] [v=2]"]);
}

fn plain(line: &str) -> Option<PlainLine> {
    PlainReader::default().read(line.as_bytes(), 0)
}

#[test]
fn lines_that_every_server_reads_alike_are_plain() {
    for line in [
        "m v=1",
        "m v=1 5",
        "m v=1 -5",
        "m v=1 1700000000000000000",
        "cpu,cpu=cpu0,host=h\\ 1 usage_idle=0.5,n=-5i,on=true,off=false,s=\"a, b=\\\"c\\\" \\\\\",u=5u 1700000000000000000",
        r"m\ x\,y,a\=\ \,k=v\=\ \,w a\ b=1e-7,c=1.5E+21",
        "한글,태그=값 필드=\"😀\n\" 5",
        "m\"x,a=\"q\" a\"b=1",
        "m v=123456789012345678i,w=-9223372036854775808i,x=9223372036854775807i,y=18446744073709551615u",
        "m v=12345678901234567890123456789012345678901234567890123456789012345678901234567890",
    ] {
        for ending in ["", "\n", "\r\n"] {
            let text = format!("{line}{ending}");
            let plain = plain(&text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(plain.end, text.len());
            let whole = plain.time.map_or(plain.fields_end, |time| time.end);
            assert_eq!(&text[..whole], line);
            read_v2_line(line.as_bytes()).unwrap();
        }
    }
}

#[test]
fn other_lines_are_not_plain() {
    for line in [
        "",
        "\n",
        "# m v=1",
        " m v=1",
        "m  v=1",
        "m v=1  5",
        "m v=1 5 ",
        "m v=1 ",
        "m v=1 05",
        "m v=1 -0",
        "m v=1 9223372036854775807",
        "m v=1 99999999999999999999",
        "m v=.5",
        "m v=1.",
        "m v=T",
        "m v=True",
        "m v=1.5i",
        "m v=-1u",
        "m v=9223372036854775808i",
        "m v=1e400",
        "m v=NaN",
        "m v=\"a",
        "m v=\"a\"b",
        "m,b=1,a=2 v=1",
        "m,a=1,a=2 v=1",
        "m,a= v=1",
        "m,a=1=2 v=1",
        "m,time=1 v=1",
        "m,_field=1 v=1",
        "m _field=1,v=1",
        "m v=1,_measurement=1",
        "m v=1,v=2",
        "m,a=1 a=2",
        "m time=1",
        r"m\=x v=1",
        r"m,a=x\\y v=1",
        r"m,a=C:\dir v=1",
        r"m,a=b\ v=1",
        "m=x v=1",
        "m,a=\tb v=1",
        "m v=1\rx",
        "m v=1,",
        "m",
    ] {
        assert_eq!(plain(line), None, "{line:?}");
    }
    let long = format!("m,a={} v=1", "x".repeat(40_000));
    assert!(plain(&long).is_some());
    for length in [32_000, 70_000] {
        let line = format!("m,a={},b={} {}=1", "x".repeat(length), "x".repeat(20_000), "v".repeat(20_000));
        assert_eq!(plain(&line), None);
    }
    let string = |length| format!("m v=\"{}\"", "x".repeat(length));
    assert!(plain(&string((1 << 20) - 2)).is_some());
    assert_eq!(plain(&string((1 << 20) - 1)), None);
}

#[test]
fn repeated_keys_are_found_among_many() {
    const KEYS: usize = 400;
    let fields: Vec<String> = (0..KEYS).map(|n| format!("field_{n}=1")).collect();
    let mut reader = PlainReader::default();
    let line = format!("m {}", fields.join(","));
    assert!(reader.read(line.as_bytes(), 0).is_some());
    for at in [0, 1, 200, KEYS - 1] {
        let line = format!("{line},{}", fields[at]);
        assert_eq!(reader.read(line.as_bytes(), 0), None);
        let line = format!("m,{} {}", fields[at], fields.join(","));
        assert_eq!(reader.read(line.as_bytes(), 0), None);
    }
    // Keys of one line do not count for the next one.
    assert!(reader.read(line.as_bytes(), 0).is_some());
    let many: Vec<String> = (0..3_000).map(|n| format!("field_{n}=1")).collect();
    assert_eq!(reader.read(format!("m {}", many.join(",")).as_bytes(), 0), None);
}

#[test]
fn unescapes_only_special_bytes() {
    let f = |raw: &str, specials: &str, want: &str| {
        let mut out = Vec::new();
        push_unescaped(raw.as_bytes(), specials.as_bytes(), &mut out);
        assert_eq!(str::from_utf8(&out).unwrap(), want);
    };
    f(r"a\ b\,c\=d\\e\", ", ", r"a b,c\=d\\e\");
    f(r#"\"\\\n\"#, "\"\\", r#""\\n\"#);
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(all)
}

/// Lines with few different keys, so that shapes repeat, and values of which some are not plain.
fn line() -> impl Strategy<Value = String> {
    let name = one_of(&["m", "a\\ long\\,name\\ of\\ a\\ measurement", "m2", "#m", ""]);
    let tag = one_of(&[",a=1", ",a=x\\ y", ",b=2", ",b=", ",c\\==long value", ",time=1", ",t=v,u=w"]);
    let field = one_of(&[
        "v=1",
        "v=-2.5",
        "v=\"a b\"",
        "v=0.45938927846840494",
        "v=1e5",
        "v=-3i",
        "v=1.5i",
        "w=1i",
        "w=7u",
        "w=-7u",
        "w=01i",
        "w=t",
        "w=true",
        "a=1",
        "x\\ y=.5",
        "v =1",
    ]);
    let tail = one_of(&["", " 5", " 1700000000000000001\n", "\r\n", " 05", "  5", "\n", " ", " 5 ", "i"]);
    let tags = prop::collection::vec(tag, 0..4).prop_map(|tags| tags.concat());
    let fields = prop::collection::vec(field, 1..4).prop_map(|fields| fields.join(","));
    (name, tags, fields, tail).prop_map(|(name, tags, fields, tail)| format!("{name}{tags} {fields}{tail}"))
}

proptest! {
    #[test]
    fn a_reader_that_knows_shapes_reads_like_a_new_one(
        distinct in prop::collection::vec(line(), 1..4),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let mut reader = PlainReader::default();
        for index in order {
            let line = index.get(&distinct);
            prop_assert_eq!(reader.read(line.as_bytes(), 0), plain(line), "{:?}", line);
        }
    }
}

/// The number of these lines whose shape is known after each of them was read once.
fn known(lines: &[String]) -> usize {
    let mut reader = PlainReader::default();
    for line in lines {
        assert!(reader.read(line.as_bytes(), 0).is_some(), "{line}");
    }
    lines.iter().filter(|line| reader.knows(line.as_bytes())).count()
}

#[test]
fn measurements_share_a_shape() {
    let lines: Vec<String> = (0..100).map(|n| format!("m{n},t=x v=1,w=2 5")).collect();
    assert_eq!(known(&lines), 100);
}

#[test]
fn as_many_shapes_are_known_as_an_agent_writes() {
    let lines: Vec<String> = (0..30).map(|n| format!("m{n},t=x v{n}=1 5")).collect();
    // Two measurements may share a place.
    assert!(known(&lines) >= 25, "{}", known(&lines));
}

#[test]
fn alternating_shapes_of_a_measurement_are_known_at_times() {
    let mut reader = PlainReader::default();
    let mut known = 0;
    for line in ["m,t=x v=1 5", "m,t=x v=1,w=2 5"].repeat(1_000) {
        known += usize::from(reader.knows(line.as_bytes()));
        assert!(reader.read(line.as_bytes(), 0).is_some());
    }
    assert!(known >= 2_000 / 5, "{known}");
}

#[test]
fn shapes_are_learned_less_often_where_they_do_not_repeat() {
    let mut reader = PlainReader::default();
    let mut read = |line: String| reader.read(line.as_bytes(), 0).unwrap();
    for number in 0..2_000 {
        read(format!("m v{number}=1 5"));
    }
    // The next shape is learned within one period.
    for _ in 0..64 {
        read("m,t=1 v=1 5".to_owned());
    }
    assert!(reader.knows(b"m,t=2 v=3 5"));
    assert!(!reader.knows(b"m v1999=1 5"));
    // A shape of many bytes is not learned.
    let long = format!("n {}=1", "k".repeat(3_000));
    let (one, other) = (format!("{long} 5"), format!("{long} 6"));
    assert!(reader.read(one.as_bytes(), 0).is_some() && !reader.knows(other.as_bytes()));
}
