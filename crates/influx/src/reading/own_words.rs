//! Cuts out of a message what the server quotes of records and names.

/// How a server begins and ends a quote. The end is the last one in the message: a quoted text may hold any number of them, and
/// cutting too much can only make a message unknown.
struct Quoting {
    begin: &'static str,
    end: &'static str,
    /// Whether the quote goes to the end of the message where no end follows. Otherwise its begin is an ordinary character.
    is_open: bool,
}

const QUOTINGS: [Quoting; 6] = [
    // InfluxDB 1.6.7 and 2.7.12, once for each line: unable to parse 'm f=': missing field value
    Quoting { begin: "unable to parse '", end: "': ", is_open: true },
    // 2.7.12: - oldest point m,t=a at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound
    Quoting { begin: " - oldest point ", end: " dropped because it violates a retention", is_open: true },
    // QuestDB 9.3.4: error in line 2: table: cpu, column: v; cast error from protocol type
    Quoting { begin: "table: ", end: "; ", is_open: true },
    // Names. 1.6.7 writes them as they are, with quotation marks of their own, and 2.7.12 as Go quotes them.
    Quoting { begin: "\"", end: "\"", is_open: false },
    // InfluxDB 3.10: invalid column type for column 'v'
    Quoting { begin: "'", end: "'", is_open: false },
    // InfluxDB 3.10: Unable to parse timestamp value `1`
    Quoting { begin: "`", end: "`", is_open: false },
];

/// The server's own words, in lower case. `is_cut`: the message went on beyond what was read, so that a quote may have no end.
pub(super) fn own_words(message: &str, is_cut: bool) -> String {
    let lower = message.to_ascii_lowercase();
    let (mut own, mut rest) = (String::new(), lower.as_str());
    while let Some((at, quoting)) = first_quoting(rest) {
        let (before, after) = rest.split_at(at + quoting.begin.len());
        own.push_str(before);
        rest = match after.rfind(quoting.end) {
            // `rfind` found the end within the text.
            Some(end) => after.get(end..).unwrap_or_default(),
            None if quoting.is_open || is_cut => return own,
            None => after,
        };
        // The end may be the begin of another quote.
        let (end, beyond) = rest.split_at(if rest.starts_with(quoting.end) { quoting.end.len() } else { 0 });
        own.push_str(end);
        rest = beyond;
    }
    own.push_str(rest);
    own
}

/// The first quote; of several that begin at one place, the first of the list.
fn first_quoting(text: &str) -> Option<(usize, &'static Quoting)> {
    let found = QUOTINGS.iter().filter_map(|quoting| Some((text.find(quoting.begin)?, quoting)));
    found.min_by_key(|(at, _)| *at)
}
