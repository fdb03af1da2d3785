//! Recognizes the names of keys that tell the sources of points apart: devices, their numbers, and their parts.

use super::names::{self, words};

/// Things that measure or are measured.
const THINGS: [&str; 43] = [
    "agent",
    "asset",
    "camera",
    "charger",
    "computer",
    "container",
    "controller",
    "core",
    "device",
    "drone",
    "equipment",
    "gateway",
    "gw",
    "host",
    "instance",
    "inverter",
    "machine",
    "meter",
    "module",
    "node",
    "plc",
    "pod",
    "printer",
    "probe",
    "robot",
    "router",
    "rtu",
    "sensor",
    "serial",
    "server",
    "ship",
    "station",
    "terminal",
    "thermostat",
    "thing",
    "tracker",
    "transmitter",
    "truck",
    "turbine",
    "vehicle",
    "vessel",
    "vm",
    "workstation",
];

/// Words behind a thing that name or number it: `deviceId`, `host_name`, `meterNo`.
const ENDS: [&str; 16] = [
    "id", "uid", "uuid", "guid", "eui", "name", "no", "nr", "num", "number", "serial", "sn", "addr",
    "address", "mac", "imei",
];

/// Numbers of places, beside those of things.
const PLACES: [&str; 11] =
    ["building", "floor", "hall", "line", "plant", "rack", "room", "site", "unit", "zone", "area"];

/// Parts of a thing, which have numbers. Under some of these names others store what they measure.
const PARTS: [&str; 34] = [
    "addr", "axis", "bank", "bay", "cell", "ch", "chan", "circuit", "col", "column", "core", "fan", "group",
    "lane", "loop", "motor", "n", "num", "pack", "panel", "phase", "pos", "position", "pump", "ring", "row",
    "section", "segment", "shelf", "stage", "string", "tank", "tray", "valve",
];

/// The words of a name, without numbers at its end.
fn named(name: &str) -> Vec<String> {
    let mut words = words(name);
    while words.len() > 1 && words.last().is_some_and(|last| last.chars().all(char::is_numeric)) {
        words.pop();
    }
    words
}

/// Whether a word is a thing, alone or in one word with its end: `device`, `deviceid`, `hostname`.
fn is_thing(word: &str) -> bool {
    let without = |end: &&str| word.strip_suffix(*end).is_some_and(|thing| THINGS.contains(&thing));
    THINGS.contains(&word) || ["id", "name", "no", "number"].iter().any(without)
}

/// Whether a last word names or numbers the thing before it: `deviceId`, `meter_no`.
fn is_end_of_thing(last: &str, before: &[String]) -> bool {
    ENDS.contains(&last) && before.last().is_some_and(|thing| is_thing(thing))
}

/// Whether the values are the names of sources: `device`, `deviceId`, `hostname`, `imei`.
pub fn is_source(name: &str) -> bool {
    let words = named(name);
    let Some((last, before)) = words.split_last() else { return false };
    let is_user_agent = last == "agent" && before.last().is_some_and(|word| word == "user");
    // A core is a part more often than a thing.
    let is_alone = is_thing(last) && last != "core" && !is_user_agent;
    let is_end = is_end_of_thing(last, before);
    !names::is_record_identifier(name) && (is_alone || is_end || names::is_serial(last))
}

/// Whether the values are numbers that a manufacturer gives to a thing, which may also be a product that is made and never seen again.
pub fn is_serial_number(name: &str) -> bool {
    named(name).iter().any(|word| word.starts_with("serial") || names::is_serial(word))
}

/// Whether numbers are those of sources by their name alone: `deviceId`, `meter_no`. A `sensor` may be measured.
pub fn is_source_number(name: &str) -> bool {
    let words = named(name);
    let Some((last, before)) = words.split_last() else { return false };
    let is_end = is_end_of_thing(last, before);
    let is_one_word = last.strip_suffix("id").is_some_and(|thing| THINGS.contains(&thing));
    !names::is_record_identifier(name) && (is_end || is_one_word)
}

/// Whether numbers are those of equal things if they repeat: `channel`, `slotIndex`, `id`, but neither `port_speed` nor `uv_index`.
pub fn ends_as_number(name: &str) -> bool {
    let words = named(name);
    let Some((last, before)) = words.split_last() else { return false };
    let is_entity = |word: &String| {
        is_thing(word)
            || names::is_tag(word)
            || names::identifies(word)
            || PARTS.contains(&word.as_str())
            || ["if", "item", "array", "object"].contains(&word.as_str())
    };
    let is_index = ["index", "idx"].contains(&last.as_str());
    names::identifies(name)
        && names::identifies(last)
        // A "vin" and a "sn" of few digits are measured.
        && !names::is_serial(last)
        && (!is_index || before.last().is_none_or(is_entity))
}

/// Whether numbers are those of things or places if each of them is there often: `node`, `rack`.
pub fn is_thing_or_place(name: &str) -> bool {
    named(name).last().is_some_and(|last| is_thing(last) || PLACES.contains(&last.as_str()))
        && !names::is_record_identifier(name)
}

/// Whether numbers may be those of parts: `axis`, `phase`.
pub fn is_part(name: &str) -> bool {
    named(name).last().is_some_and(|last| PARTS.contains(&last.as_str()))
}

/// Whether texts may be those of the phases of a current.
pub fn is_phase(name: &str) -> bool {
    named(name).last().is_some_and(|last| last == "phase")
}

/// Whether a text is the name of a phase of a current, such as `L1`, `A` and `L1-N`; not `Running`.
pub fn is_phase_of_current(text: &str) -> bool {
    let lower = text.to_lowercase();
    let rest = ["phase", "ph"].iter().find_map(|prefix| lower.strip_prefix(*prefix)).unwrap_or(&lower);
    let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
    let length = rest.chars().count();
    let has_digit = rest.contains(|c: char| c.is_ascii_digit());
    let is_letters = rest.chars().all(char::is_alphabetic) && !["on", "ok"].contains(&rest);
    matches!(rest, "total" | "sum" | "all")
        || (1..=5).contains(&length) && has_digit
        || (1..=2).contains(&length) && is_letters
}

/// Names of amounts, which counters of many digits have.
pub fn is_amount(name: &str) -> bool {
    const WORDS: [&str; 42] = [
        "amount",
        "available",
        "bytes",
        "capacity",
        "count",
        "counter",
        "counts",
        "double",
        "duration",
        "elapsed",
        "energy",
        "errors",
        "free",
        "frames",
        "in",
        "int",
        "kwh",
        "length",
        "limit",
        "long",
        "memory",
        "ns",
        "octets",
        "out",
        "packets",
        "received",
        "requests",
        "rx",
        "sent",
        "size",
        "sum",
        "ticks",
        "time",
        "total",
        "tx",
        "uptime",
        "us",
        "usage",
        "used",
        "value",
        "wh",
        "volume",
    ];
    words(name).iter().any(|word| WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_names_of_sources() {
        let f = |name: &str, want: &str| {
            let kinds = [
                ("source", is_source(name)),
                ("number", is_source_number(name)),
                ("repeated", ends_as_number(name)),
                ("thing", is_thing_or_place(name)),
                ("part", is_part(name)),
            ];
            let got: Vec<&str> = kinds.iter().filter(|(_, is)| *is).map(|(kind, _)| *kind).collect();
            assert_eq!(got.join(" "), want, "{name}");
        };
        f("device", "source thing");
        f("deviceId", "source number repeated");
        f("deviceid", "source number thing");
        f("device_id_2", "source number repeated");
        f("hostname", "source thing");
        f("agent", "source thing");
        f("user_agent", "thing");
        f("meterNo", "source number repeated");
        f("imei", "source");
        f("serial", "source repeated thing");
        f("deviceType", "");
        f("deviceStatus", "");
        f("host_version", "");
        f("messageId", "");
        f("traceId", "");
        f("uuid", "");
        f("id", "repeated");
        f("object_instance", "source thing");
        f("channel", "repeated");
        f("slotIndex", "repeated");
        f("uv_index", "");
        f("port_speed", "");
        f("number_of_clients", "");
        f("rack", "thing");
        f("axis", "part");
        f("phase", "part");
        f("cpu", "");
        f("temperature", "");
    }

    #[test]
    fn recognizes_phases_of_a_current() {
        for text in ["L1", "a", "AB", "L1-N", "phase 2", "Phase_A", "total"] {
            assert!(is_phase_of_current(text), "{text}");
        }
        for text in ["Running", "Pending", "on", "heat", "phase", ""] {
            assert!(!is_phase_of_current(text), "{text}");
        }
    }
}
