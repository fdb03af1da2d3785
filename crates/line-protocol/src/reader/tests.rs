use super::*;

fn point(measurement: &str, tags: &[(&str, &str)], fields: &[(&str, Value)], time: Option<i64>) -> Point {
    Point {
        measurement: measurement.to_owned(),
        tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        fields: fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        time,
    }
}

#[test]
fn reads_lines_that_influxdb_reads() {
    let f = |line: &str, want: Point| assert_eq!(read_line(line.as_bytes()), Ok(want), "{line}");
    let v = |value: f64| vec![("v", Value::Float(value))];
    let s = |text: &str| vec![("v", Value::String(text.to_owned()))];

    f("m v=1", point("m", &[], &v(1.0), None));
    f("m v=1 5", point("m", &[], &v(1.0), Some(5)));
    f("m v=1 -5", point("m", &[], &v(1.0), Some(-5)));
    f("m,a=b v=1", point("m", &[("a", "b")], &v(1.0), None));
    f("m,b=2,a=1 v=1", point("m", &[("b", "2"), ("a", "1")], &v(1.0), None));
    f(r"m\ x\,y=z v=1", point("m x,y=z", &[], &v(1.0), None));
    f(r"m,a\=\ \,k=v\=\ \,w v=1", point("m", &[("a= ,k", "v= ,w")], &v(1.0), None));
    f(r"m,a=C:\dir v=1", point("m", &[("a", r"C:\dir")], &v(1.0), None));
    f(r"m,a=x\\y v=1", point("m", &[("a", r"x\\y")], &v(1.0), None));
    f(r"m,a=x\\\,y v=1", point("m", &[("a", r"x\\,y")], &v(1.0), None));
    f(r#"m,a="q" v=1"#, point("m", &[("a", "\"q\"")], &v(1.0), None));
    f(r#"m"x v=1"#, point("m\"x", &[], &v(1.0), None));
    f(r"m a\ b\,c\=d=1", point("m", &[], &[("a b,c=d", Value::Float(1.0))], None));
    f(r"m a\b=1", point("m", &[], &[(r"a\b", Value::Float(1.0))], None));
    f(r#"m a"b=1"#, point("m", &[], &[("a\"b", Value::Float(1.0))], None));
    // InfluxDB unescapes a quote in a field key, so a backslash before it can't be written.
    f(r#"m a\"b=1"#, point("m", &[], &[("a\"b", Value::Float(1.0))], None));
    f(
        "한글,태그=값 필드=\"😀\"",
        point("한글", &[("태그", "값")], &[("필드", Value::String("😀".into()))], None),
    );

    f("m v=0", point("m", &[], &v(0.0), None));
    f("m v=-0.5", point("m", &[], &v(-0.5), None));
    f("m v=007", point("m", &[], &v(7.0), None));
    f("m v=1e3", point("m", &[], &v(1e3), None));
    f("m v=1.5E-7", point("m", &[], &v(1.5e-7), None));
    f("m v=1e+21", point("m", &[], &v(1e21), None));
    f("m v=1i", point("m", &[], &[("v", Value::Integer(1))], None));
    f("m v=-9223372036854775808i", point("m", &[], &[("v", Value::Integer(i64::MIN))], None));
    for text in ["t", "T", "true", "True", "TRUE"] {
        f(&format!("m v={text}"), point("m", &[], &[("v", Value::Boolean(true))], None));
    }
    for text in ["f", "F", "false", "False", "FALSE"] {
        f(&format!("m v={text}"), point("m", &[], &[("v", Value::Boolean(false))], None));
    }
    f(r#"m v="""#, point("m", &[], &s(""), None));
    f(r#"m v="a b,c=d" 7"#, point("m", &[], &s("a b,c=d"), Some(7)));
    f(r#"m v="q\"\\\n\x""#, point("m", &[], &s(r#"q"\\n\x"#), None));
    f("m v=\"two\nlines\r\" 7", point("m", &[], &s("two\nlines\r"), Some(7)));
    f("m v=1,v=2", point("m", &[], &[("v", Value::Float(1.0)), ("v", Value::Float(2.0))], None));
    f("m v=1 9223372036854775806", point("m", &[], &v(1.0), Some(i64::MAX - 1)));
    f("m v=1 -9223372036854775806", point("m", &[], &v(1.0), Some(i64::MIN + 2)));
}

#[test]
fn refuses_lines_that_influxdb_refuses_or_misreads() {
    let f = |line: &str, column: usize, reason: Reason| {
        assert_eq!(read_line(line.as_bytes()), Err(LineError { column, reason }), "{line}");
    };
    f("", 1, Reason::Empty);
    f("# m v=1", 1, Reason::Comment);
    f(" m v=1", 1, Reason::Whitespace);
    f("\tm v=1", 1, Reason::Whitespace);
    f(",a=b v=1", 1, Reason::MissingMeasurement);
    f("m", 2, Reason::MissingFields);
    f("m ", 3, Reason::MissingFields);
    f("m,a=b", 6, Reason::MissingFields);
    f("m  v=1", 3, Reason::Whitespace);
    f("m v=1 ", 7, Reason::Whitespace);
    f("m v=1  5", 7, Reason::Whitespace);
    f("m v=1 5 ", 7, Reason::BadTimestamp);
    f("m\rx v=1", 2, Reason::LineBreak);
    f("m\nx v=1", 2, Reason::LineBreak);
    f("m,a=b\\\n v=1", 7, Reason::LineBreak);
    f("m v\r=1", 4, Reason::LineBreak);
    f("m v=1\r", 5, Reason::InvalidNumber);
    f("m v=1 5\r", 7, Reason::BadTimestamp);
    f(r"m\=x v=1", 1, Reason::Backslashes);
    f(r#"m\"x v=1"#, 1, Reason::Backslashes);
    f(r"m a\\=1", 6, Reason::Backslashes);

    f("m, v=1", 3, Reason::MissingTagKey);
    f("m,=b v=1", 3, Reason::MissingTagKey);
    f("m,a v=1", 4, Reason::MissingTagValue);
    f("m,a=,b=c v=1", 5, Reason::MissingTagValue);
    f("m,a= v=1", 5, Reason::MissingTagValue);
    f("m,a=b=c v=1", 6, Reason::InvalidTag);
    f("m,a==b v=1", 5, Reason::InvalidTag);
    f("m,a=1,a=2 v=1", 7, Reason::DuplicateTag);
    f("m,a=1,b=2,a=3 v=1", 11, Reason::DuplicateTag);
    f("m,time=1 v=1", 3, Reason::ReservedTag("time".into()));
    f("m,_field=1 v=1", 3, Reason::ReservedTag("_field".into()));
    f("m,_measurement=1 v=1", 3, Reason::ReservedTag("_measurement".into()));
    // A trailing backslash escapes the separator.
    f(r"m\ v=1", 7, Reason::MissingFields);
    f(r"m,a=b\ v=1", 9, Reason::InvalidTag);

    f("m =1", 3, Reason::MissingFieldKey);
    f("m v", 4, Reason::InvalidField);
    f("m v=", 5, Reason::MissingFieldValue);
    f("m v=,w=1", 5, Reason::MissingFieldValue);
    f("m v= 5", 5, Reason::MissingFieldValue);
    f("m v=1,", 7, Reason::InvalidField);
    f("m v=1,=2", 7, Reason::MissingFieldKey);
    f("m v=1,w", 8, Reason::InvalidField);
    f("m time=1", 3, Reason::TimeField);
    f("m v=1,time=2", 7, Reason::TimeField);
    f(r#"m v="a"#, 5, Reason::UnbalancedQuotes);
    f(r#"m v="a\"#, 5, Reason::UnbalancedQuotes);
    f(r#"m v="a"b"#, 8, Reason::AfterString);

    for number in ["+1", "inf", "-inf", "infinity", "yes", "tru", "fALSE"] {
        let reason = if number == "-inf" { Reason::InvalidNumber } else { Reason::InvalidBoolean };
        f(&format!("m v={number}"), 5, reason);
    }
    for number in [
        "NaN", "nan", "1.2.3", "-", ".", "--1", "1e", "1e+", "1_000", "0x10", "1f", "1.5i", "1ii", "-u", "i1",
    ] {
        let reason = if number == "i1" { Reason::InvalidBoolean } else { Reason::InvalidNumber };
        f(&format!("m v={number}"), 5, reason);
    }
    for number in [".5", "-.5", "1.", "1.e5", "1u"] {
        f(&format!("m v={number}"), 5, Reason::NotPortableNumber);
    }
    f("m v=9223372036854775808i", 5, Reason::IntegerRange);
    f("m v=1e400", 5, Reason::FloatRange);
    f("m v=-1e400", 5, Reason::FloatRange);
    f("m v=1 5s", 7, Reason::BadTimestamp);
    f("m v=1 1.5", 7, Reason::BadTimestamp);
    f("m v=1 -", 7, Reason::BadTimestamp);
    f("m v=1 +5", 7, Reason::BadTimestamp);
    f("m v=1 9223372036854775807", 7, Reason::TimeRange);
    f("m v=1 -9223372036854775807", 7, Reason::TimeRange);
    f("m v=1 92233720368547758070", 7, Reason::TimeRange);
    assert_eq!(read_line(b"m v=\"\xff\""), Err(LineError { column: 6, reason: Reason::Utf8 }));
}

#[test]
fn bounds_keys_and_strings() {
    let tag = "x".repeat(65_535 - "m,a=".len() - 4 - 1);
    assert!(read_line(format!("m,a={tag} v=1").as_bytes()).is_ok());
    let error = read_line(format!("m,a={tag} vv=1").as_bytes()).unwrap_err();
    assert_eq!(error.reason, Reason::KeyTooLong(65_536));
    let text = "x".repeat(1 << 20);
    assert!(read_line(format!("m v=\"{text}\"").as_bytes()).is_ok());
    let error = read_line(format!("m v=\"{text}x\"").as_bytes()).unwrap_err();
    assert_eq!(error.reason, Reason::StringTooLong((1 << 20) + 1));
}

#[test]
fn splits_lines_like_influxdb() {
    let f = |body: &str, want: &[&str]| {
        let lines: Vec<&str> = split_lines(body.as_bytes()).map(|l| str::from_utf8(l).unwrap()).collect();
        assert_eq!(lines, want, "{body}");
    };
    f("", &[]);
    f("a v=1", &["a v=1"]);
    f("a v=1\n", &["a v=1"]);
    f("a v=1\nb v=2\n", &["a v=1", "b v=2"]);
    f("a v=1\n\nb v=2", &["a v=1", "", "b v=2"]);
    f("a v=\"x\ny\" 1\nb v=2\n", &["a v=\"x\ny\" 1", "b v=2"]);
    f("a v=\"x\\\"\ny\" 1\nb v=2\n", &["a v=\"x\\\"\ny\" 1", "b v=2"]);
    // Quotes count only at the start of a field's value.
    f("a\" v=1\nb,t=\" v=2\nc k\"=1\n", &["a\" v=1", "b,t=\" v=2", "c k\"=1"]);
    // An unbalanced quote joins the following lines.
    f("a v=\"x\nb v=2\n", &["a v=\"x\nb v=2\n"]);
}

/// In a tag key, two backslashes before a space start the fields for one of the servers' scanners but not for the other. A later
/// quote then opens a string for one scanner only.
#[test]
fn refuses_a_line_that_a_server_would_not_split_off() {
    let error = read_line(br#"m,a\\ b=c"d v=1"#).unwrap_err();
    assert_eq!(error.reason, Reason::Backslashes);
    assert!(read_line(br"m,a\\ b=c v=1").is_ok());
}
