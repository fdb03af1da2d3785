//! Translates time formats of Logstash's `date`.

use mapping::TimeFormat;

/// The time format of bridge.toml.
///
/// # Errors
/// The reason why the format has no counterpart.
pub fn format(text: &str) -> Result<String, String> {
    let pattern = match text {
        "UNIX" => "unix".to_owned(),
        "UNIX_MS" => "unix_ms".to_owned(),
        "ISO8601" => "rfc3339".to_owned(),
        "TAI64N" => return Err("TAI64N has no counterpart".to_owned()),
        _ => pattern(text)?,
    };
    match TimeFormat::parse(&pattern) {
        Ok(_) => Ok(pattern),
        Err(error) => Err(error.to_string()),
    }
}

/// Translates a pattern: a letter is a part of the time, repeated for its width; quoted text is literal.
fn pattern(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('\'') {
            let (quoted, behind) = after.split_once('\'').ok_or("a quote is not closed")?;
            // Two quotes are a literal quote.
            out.push_str(&if quoted.is_empty() { "'".to_owned() } else { quoted.replace('%', "%%") });
            rest = behind;
        } else if c.is_ascii_alphabetic() {
            let behind = rest.trim_start_matches(c);
            let count = rest.len() - behind.len();
            if c == 'S' && out.ends_with('.') {
                out.pop();
                out.push_str("%.f");
            } else {
                out.push_str(part(c, count).ok_or_else(|| {
                    let letters = rest.get(..count).unwrap_or_default();
                    format!("{letters:?} in {text:?} has no counterpart in strptime patterns")
                })?);
            }
            rest = behind;
        } else {
            out.push(c);
            if c == '%' {
                out.push('%');
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(out)
}

fn part(letter: char, count: usize) -> Option<&'static str> {
    Some(match (letter, count) {
        ('y' | 'Y' | 'u' | 'x', 2) => "%y",
        ('y' | 'Y' | 'u', _) => "%Y",
        ('M', 1 | 2) => "%m",
        ('M', 3) => "%b",
        ('M', _) => "%B",
        ('d', _) => "%d",
        ('D', _) => "%j",
        ('H', _) => "%H",
        ('h', _) => "%I",
        ('m', _) => "%M",
        ('s', _) => "%S",
        ('S', _) => "%f",
        ('a', _) => "%p",
        ('E', 1..=3) => "%a",
        ('E', _) => "%A",
        ('Z', 1) => "%z",
        ('Z', 2) => "%:z",
        ('Z', _) => "%Q",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn converts() {
        let f = |joda: &str, want: &str| assert_eq!(format(joda).as_deref(), Ok(want), "{joda}");
        f("UNIX_MS", "unix_ms");
        f("ISO8601", "rfc3339");
        f("yyyy-MM-dd HH:mm:ss", "%Y-%m-%d %H:%M:%S");
        f("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "%Y-%m-%dT%H:%M:%S%.f%:z");
        f("YYYY-MM-dd HH:mm:ss,SSS", "%Y-%m-%d %H:%M:%S,%f");
        f("dd/MMM/yyyy:HH:mm:ss Z", "%d/%b/%Y:%H:%M:%S %z");
        f("EEE, d MMMM yyyy h:mm:ss a", "%a, %d %B %Y %I:%M:%S %p");
        f("yyyy''MM'%'dd HH:mm:ss", "%Y'%m%%%d %H:%M:%S");
        for wrong in ["HH:mm:ss", "yyyy-MM-dd 'x", "yyyy-ww", "TAI64N", "z"] {
            assert!(format(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_what_logstash_reads() {
        let f = |joda: &str, text: &str, want_ms: i64| {
            let format = TimeFormat::parse(&format(joda).unwrap()).unwrap();
            assert_eq!(
                format.to_ns(text.as_bytes(), &TimeZone::UTC),
                Ok(want_ms * 1_000_000),
                "{joda} {text}"
            );
        };
        f("yyyy-MM-dd HH:mm:ss,SSS", "2026-01-01 00:00:00,250", 1_767_225_600_250);
        f("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2026-01-01T09:00:00.250+09:00", 1_767_225_600_250);
        f("dd/MMM/yyyy:HH:mm:ss Z", "01/Jan/2026:00:00:00 +0000", 1_767_225_600_000);
        f("d.M.yyyy H:m:s", "1.1.2026 0:0:0", 1_767_225_600_000);
    }
}
