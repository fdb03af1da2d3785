//! Translates time formats of Ruby.

use mapping::TimeFormat;

/// The time format of bridge.toml.
///
/// # Errors
/// The reason why the format has no counterpart.
pub fn format(ruby: &str) -> Result<String, String> {
    let pattern = match ruby {
        "%iso8601" => "rfc3339".to_owned(),
        "%s" | "%s.%N" | "%s.%L" => "unix".to_owned(),
        "%Q" => "unix_ms".to_owned(),
        _ => {
            let pattern = ["%N", "%L", "%3N", "%6N", "%9N"].iter().fold(ruby.to_owned(), |pattern, part| {
                pattern.replace(&format!(".{part}"), "%.f").replace(part, "%f")
            });
            // Ruby's %z accepts "Z" and offsets with and without a colon.
            if pattern.ends_with("%S%z") && pattern.contains("%dT%H") || pattern.starts_with("%FT%T%") {
                "rfc3339".to_owned()
            } else {
                pattern
            }
        }
    };
    match TimeFormat::parse(&pattern) {
        Ok(_) => Ok(pattern),
        Err(error) => Err(error.to_string()),
    }
}

/// The time format of numbers in the unit of `time_precision`.
pub fn of_precision(precision: &str) -> Option<&'static str> {
    match precision {
        "s" => Some("unix"),
        "ms" => Some("unix_ms"),
        "u" | "us" => Some("unix_us"),
        "ns" | "n" => Some("unix_ns"),
        _ => None,
    }
}

/// Whether times in this format contain their zone.
pub fn has_zone(format: &str) -> bool {
    format.starts_with("unix") || format.contains("%z") || format.contains("%:z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_the_bridge() {
        let f = |ruby: &str, want: &str| assert_eq!(format(ruby).as_deref(), Ok(want), "{ruby}");
        f("%iso8601", "rfc3339");
        f("%s", "unix");
        f("%Y-%m-%dT%H:%M:%S%z", "rfc3339");
        f("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S");
        f("%Y-%m-%d %H:%M:%S.%L %z", "%Y-%m-%d %H:%M:%S%.f %z");
        f("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z");
        assert!(format("%H:%M").is_err());
        assert!(format("yyyy").is_err());
    }
}
