//! Text for comments.

use super::key::{DISTINCT_MAX, INDEX, Key};
use base::text::{grouped, printable};

/// Longer lists are cut, with the number of the others.
pub const NAMED_MAX: usize = 30;
/// Maximum width of a comment.
const WIDTH: usize = 112;

/// `, 3 values such as "a", "b"`.
pub fn values(key: &Key) -> String {
    const SHOWN_MAX: usize = 3;
    let Some(distinct) = key.distinct() else { return format!(", more than {DISTINCT_MAX} values") };
    let some: Vec<String> =
        key.values().iter().take(SHOWN_MAX).map(|value| format!("\"{}\"", printable(value, 30))).collect();
    let such = if distinct > SHOWN_MAX { " such as" } else { ":" };
    format!(", {distinct} value{}{such} {}", if distinct == 1 { "" } else { "s" }, some.join(", "))
}

/// A key in quotes, with "*" for indexes.
pub fn shown(pattern: &str) -> String {
    format!("\"{}\"", printable(&pattern.replace(INDEX, "*"), 80))
}

pub fn joined(names: &[String]) -> String {
    limited(names).join(", ")
}

/// The first names, for a line on the terminal.
pub fn few(names: &[String]) -> String {
    const FEW: usize = 5;
    let more = names.len().saturating_sub(FEW);
    let first = names.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

pub fn limited(names: &[String]) -> Vec<String> {
    let mut limited: Vec<String> = names.iter().take(NAMED_MAX).cloned().collect();
    if names.len() > NAMED_MAX {
        limited.push(format!("and {} more", names.len() - NAMED_MAX));
    }
    limited
}

pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} minutes", ms / 60_000),
        7_200_000..172_800_000 => format!("{} hours", ms / 3_600_000),
        _ => format!("{} days", grouped(ms / 86_400_000)),
    }
}

/// Wraps text at [`WIDTH`].
pub fn wrapped(text: &str) -> String {
    let (mut out, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}
