use super::*;
use proptest::prelude::*;

fn zone(name: &str) -> TimeZone {
    zone_by_name(name).unwrap()
}

#[test]
fn knows_formats() {
    let f = |text: &str, want: TimeFormat| assert_eq!(TimeFormat::parse(text).unwrap(), want, "{text}");
    f("unix", TimeFormat::Unix { unit_ns: 1_000_000_000 });
    f("unix_ms", TimeFormat::Unix { unit_ns: 1_000_000 });
    f("unix_us", TimeFormat::Unix { unit_ns: 1_000 });
    f("unix_ns", TimeFormat::Unix { unit_ns: 1 });
    f("rfc3339", TimeFormat::Rfc3339);
    for pattern in [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d",
        "%Y%m%d%H%M%S",
        "%d/%b/%Y:%T %z",
        "%A, %B %e, %Y at %I:%M %p",
        "%G-W%V-%u",
        "%Y %j",
        "%s",
        "@%s",
        "%F %T %Q",
        "%y-%m-%d 100%%",
    ] {
        f(pattern, TimeFormat::Pattern(pattern.to_owned()));
    }
}

#[test]
fn refuses_formats_with_a_remedy() {
    let f = |text: &str, want: &str| {
        let error = TimeFormat::parse(text).unwrap_err().to_string();
        assert!(error.contains(want), "{text}: {error}");
    };
    f("", "neither unix");
    f("seconds", "neither unix");
    f("yyyy-MM-dd", "strptime pattern such as");
    f("2006-01-02T15:04:05.000Z07:00", "is a Go layout; as a pattern it is \"%Y-%m-%dT%H:%M:%S%.f%:z\"");
    f("Jan _2 15:04:05", "has no year");
    f("02 Jan 06 15:04 MST", "timezone");
    f("%m-%d %H:%M:%S", "has no year");
    f("%H:%M", "has no year");
    f("%Y-%m", "needs a day");
    f("%Y-%m-%d %M", "all that is larger");
    f("%Y-%m-%d %I:%M", "add \"%p\"");
    f("%s%.f", "time_format = \"unix\"");
    f("%Y-%m-%d %Z", "have the offset written");
    f("%c", "locale");
    f("%Y-%m-%d %E", "is not a strptime pattern: found unrecognized specifier");
    f("%Y-%", "is not a strptime pattern");
    f("%Y-%m-%d %H:%M:%S.%L", "%f");
}

#[test]
fn reads_times() {
    let f = |format: &str, text: &str, zone_name: &str, want: Result<i64, TimeError>| {
        let format = TimeFormat::parse(format).unwrap();
        assert_eq!(format.to_ns(text.as_bytes(), &zone(zone_name)), want, "{format:?} {text}");
    };
    let unreadable = |as_what: &str| Err(TimeError::Unreadable(as_what.to_owned()));
    let rfc3339 = || unreadable("rfc3339, such as 2024-07-08T21:34:34.5Z");
    f("unix", "1536001411", "UTC", Ok(1_536_001_411_000_000_000));
    f("unix", " 1536001411.5\n", "UTC", Ok(1_536_001_411_500_000_000));
    f("unix", "1.5e9", "UTC", Ok(1_500_000_000_000_000_000));
    f("unix", "-1", "Asia/Seoul", Ok(-1_000_000_000));
    f("unix_ms", "1720474028903.25", "UTC", Ok(1_720_474_028_903_250_000));
    f("unix_us", "1720474028903999.9999", "UTC", Ok(1_720_474_028_903_999_999));
    f("unix_ns", "1536001411123456789", "UTC", Ok(1_536_001_411_123_456_789));
    f("unix_ns", "9223372036854775806", "UTC", Ok(9_223_372_036_854_775_806));
    f("unix_ns", "-9223372036854775806", "UTC", Ok(-9_223_372_036_854_775_806));
    f("unix_ns", "9223372036854775807", "UTC", Err(TimeError::OutOfRange));
    f("unix_ns", "-9223372036854775807", "UTC", Err(TimeError::OutOfRange));
    f("unix", "1720474028903", "UTC", Err(TimeError::OutOfRange));
    f("unix", "soon", "UTC", unreadable("a number"));
    f("unix", "", "UTC", unreadable("a number"));

    f("rfc3339", "2024-07-08T21:34:34Z", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("rfc3339", "2024-07-08T21:34:34.123456789Z", "UTC", Ok(1_720_474_474_123_456_789));
    f("rfc3339", "2024-07-09T06:34:34+09:00", "UTC", Ok(1_720_474_474_000_000_000));
    f("rfc3339", "2024-07-09T06:34:34", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("rfc3339", "2024-07-08 21:34:34", "UTC", Ok(1_720_474_474_000_000_000));
    f("rfc3339", "2024-07-08t21:34:34z", "UTC", Ok(1_720_474_474_000_000_000));
    f("rfc3339", "1677-09-21T00:12:43Z", "UTC", Err(TimeError::OutOfRange));
    for end in [
        "9999-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59",
        "9999-12-30 23:00:00-05:00",
    ] {
        f("rfc3339", end, "UTC", Err(TimeError::OutOfRange));
    }
    for text in [
        "2024-07-08",
        "20240708T213434Z",
        "2024-07-08T25:00:00Z",
        "2024-13-08T21:00:00Z",
        "1720474474",
        "어제",
    ] {
        f("rfc3339", text, "UTC", rfc3339());
    }

    f("%Y-%m-%d %H:%M:%S", "2024-07-09 06:34:34", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("%Y-%m-%d", "2024-07-09", "UTC", Ok(1_720_483_200_000_000_000));
    f("%Y%m%d%H%M%S", "20240708213434", "UTC", Ok(1_720_474_474_000_000_000));
    f("%d/%b/%Y:%T %z", "08/Jul/2024:21:34:34 +0000", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("%d/%b/%Y:%T %z", "08/Jul/2024:21:34:34 Z", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("%Y-%m-%dT%H:%M:%S%.f%:z", "2024-07-08T21:34:34.5Z", "Asia/Seoul", Ok(1_720_474_474_500_000_000));
    f("%F %T %Q", "2024-07-09 06:34:34 Asia/Seoul", "UTC", Ok(1_720_474_474_000_000_000));
    f("@%s", "@1720474474", "Asia/Seoul", Ok(1_720_474_474_000_000_000));
    f("%Y-%m-%d", "9999-01-01", "UTC", Err(TimeError::OutOfRange));
    f("%Y-%m-%d", "2024-02-30", "UTC", unreadable("%Y-%m-%d"));
    f("%Y-%m-%d", "2024-07-09 06:34", "UTC", unreadable("%Y-%m-%d"));
    f("%Y-%m-%d %%z", "2024-07-09 Z", "UTC", unreadable("%Y-%m-%d %%z"));
}

#[test]
fn reads_skipped_and_repeated_times() {
    let f = |text: &str, want_utc: &str| {
        let ns = TimeFormat::Rfc3339.to_ns(text.as_bytes(), &zone("Europe/Berlin")).unwrap();
        assert_eq!(Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string(), want_utc, "{text}");
    };
    f("2024-03-31T02:30:00", "2024-03-31T01:30:00Z");
    f("2024-10-27T02:30:00", "2024-10-27T00:30:00Z");
    f("2024-10-27T02:30:00+01:00", "2024-10-27T01:30:00Z");
}

#[test]
fn bytes_that_are_no_text_are_unreadable() {
    for format in ["unix", "rfc3339", "%Y-%m-%d"] {
        let format = TimeFormat::parse(format).unwrap();
        let error = format.to_ns(b"2024-\xff", &TimeZone::UTC).unwrap_err();
        assert!(matches!(error, TimeError::Unreadable(_)));
    }
}

#[test]
fn knows_zones_by_name() {
    for name in ["UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York"] {
        assert!(zone_by_name(name).is_some(), "{name}");
        assert!(zone_names().iter().any(|known| known == name), "{name}");
    }
    for name in ["", "Asia/Soul", "Local", "KST", "../etc/passwd"] {
        assert!(zone_by_name(name).is_none(), "{name}");
    }
}

#[test]
fn leaves_room_below_the_precision() {
    let f = |format: &str, ns: i64, want: i64| {
        assert_eq!(TimeFormat::parse(format).unwrap().room_ns(ns), want, "{format} {ns}");
    };
    f("unix", 5_000_000_000, 1_000_000_000);
    f("unix", 5_500_000_000, 1_000_000);
    f("unix_ms", -5_000_000, 1_000_000);
    f("unix_ms", 5_250_000, 1_000);
    f("unix_ns", 5_000_000_000, 1);
    f("rfc3339", 5_000_000_000, 1_000_000);
    f("rfc3339", 5_000_001_000, 1_000);
    f("%Y-%m-%d", 5_000_001_001, 1);
}

#[test]
fn takes_times_between_its_ends() {
    let end = |text: &str| TimeRange::parse_end(text).unwrap();
    let range = TimeRange { min: end("2020-01-01"), max: end("2020-12-31T23:59:59+09:00") };
    let f = |text: &str, want: &str| {
        let time = TimeFormat::Rfc3339.to_ns(text.as_bytes(), &TimeZone::UTC).unwrap();
        assert_eq!(range.check(time).map_or_else(|why| why.to_string(), |()| String::new()), want, "{text}");
    };
    f("2020-01-01T00:00:00Z", "");
    f("2020-12-31T14:59:59Z", "");
    f(
        "2019-12-31T23:59:59.999999999Z",
        "it lies before `time_min` = 2020-01-01T00:00:00Z: that is 2019-12-31T23:59:59.999999999Z",
    );
    f(
        "2020-12-31T15:00:00Z",
        "it lies after `time_max` = 2020-12-31T14:59:59Z: that is 2020-12-31T15:00:00Z",
    );
    for time in [TIME_MIN, 0, TIME_MAX] {
        assert_eq!(TimeRange::default().check(time), Ok(()));
    }
    for text in ["", "yesterday", "2020", "2020-13-01", "20200101", "9999-01-01", "1577836800"] {
        assert_eq!(TimeRange::parse_end(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn rfc3339_reads_back(ns in TIME_MIN..=TIME_MAX) {
        let text = Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string();
        prop_assert_eq!(TimeFormat::Rfc3339.to_ns(text.as_bytes(), &TimeZone::UTC), Ok(ns));
    }

    #[test]
    fn patterns_read_back(ns in TIME_MIN..=TIME_MAX) {
        let pattern = "%Y-%m-%d %H:%M:%S%.f %z";
        let zoned = Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_zoned(TimeZone::UTC);
        let text = jiff::fmt::strtime::format(pattern, &zoned).unwrap();
        prop_assert_eq!(TimeFormat::parse(pattern).unwrap().to_ns(text.as_bytes(), &zone("Asia/Seoul")), Ok(ns));
    }

    #[test]
    fn nothing_panics(text in "[-+0-9TZ:. ]{0,40}", format in 0_usize..5) {
        let format = TimeFormat::parse(["unix", "unix_ns", "rfc3339", "%Y-%m-%d %H:%M:%S", "%s"][format]).unwrap();
        let _ = format.to_ns(text.as_bytes(), &zone("Asia/Seoul"));
    }

    #[test]
    fn no_pattern_panics(text in "[%a-zA-Z0-9:. -]{0,12}") {
        let _ = TimeFormat::parse(&text);
    }
}

#[test]
fn reads_numbers_inside_a_text() {
    let f = |format: &str, text: &str, want: Option<i64>| {
        let format = TimeFormat::parse(format).unwrap();
        assert_eq!(format.to_ns(text.as_bytes(), &TimeZone::UTC).ok(), want, "{text}");
    };
    f("/Date({unix_ms})/", "/Date(1720474474500)/", Some(1_720_474_474_500_000_000));
    f("/Date({unix_ms})/", " /Date(-1)/ ", Some(-1_000_000));
    f("/Date({unix_ms})/", "/Date(1+0900)/", None);
    f("/Date({unix_ms})/", "/Date( 1)/", None);
    f("/Date({unix_ms})/", "1720474474500", None);
    f("/Date({unix_ms})/", "/Date(", None);
    f("@{unix}", "@1.5", Some(1_500_000_000));
    f("{unix_ns}Z", "7Z", Some(7));
    for format in ["{unix_sec}", "{unix}{unix}", "%Y {unix}", "{unix", "{unix} {x}", "{rfc3339} {unix}"] {
        assert!(TimeFormat::parse(format).is_err(), "{format}");
    }
    assert_eq!(TimeFormat::parse("@{unix}").unwrap().unit_ns(), Some(1_000_000_000));
}

#[test]
fn digits_below_the_nanosecond_are_cut() {
    let read = |text: &str| TimeFormat::parse("rfc3339").unwrap().to_ns(text.as_bytes(), &TimeZone::UTC).ok();
    let want = read("2024-07-08T22:21:14.123456789Z");
    assert!(want.is_some());
    for text in [
        "2024-07-08T22:21:14.1234567890Z",
        "2024-07-08 22:21:14.123456789999999999",
        "2024-07-09T00:21:14.12345678998+02:00",
    ] {
        assert_eq!(read(text), want, "{text}");
    }
    for text in ["2024-07-08T22:21:14.1234567890x", "2024-07-08T22:21:14.12345x7890Z"] {
        assert_eq!(read(text), None, "{text}");
    }
}
