//! Compares the points that two programs made from a record.

use line_protocol::reader::{Point, read_v2_line};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// The points differ for a known reason, and the bridge's are right.
    Better(&'static str),
    Differs,
}

/// Larger than the rounding error of present times in doubles, which is 256 ns.
const LOST_NS_MAX: u64 = 1_000;
const LOST_DIGITS: &str = "Telegraf reads numbers and times as floating-point numbers and loses their last digits, which the bridge keeps";
pub const EMPTY_NAME: &str =
    "Telegraf drops a point with an empty name, and the bridge uses the default measurement";
const BROKEN: &str = "Telegraf's line does not read back as the intended point, or InfluxDB would refuse it";

/// Compares the lines of one record. Times are ignored for lines of the bridge without a time.
pub fn compare(ours: &[String], theirs: &[String]) -> Verdict {
    let read = |lines: &[String]| {
        lines.iter().map(|line| read_v2_line(line.as_bytes()).ok()).collect::<Option<Vec<_>>>()
    };
    let Some(mut ours) = read(ours) else { return Verdict::Differs };
    let Some(mut theirs) = read(theirs) else { return Verdict::Better(BROKEN) };
    if ours.len() != theirs.len() {
        return Verdict::Differs;
    }
    for points in [&mut ours, &mut theirs] {
        points.iter_mut().for_each(normalize);
    }
    let mut verdict = Verdict::Same;
    for point in &ours {
        let Some(at) = theirs.iter().position(|other| is_same(point, other)) else { return Verdict::Differs };
        let other = theirs.swap_remove(at);
        if point.tags != other.tags || point.time.is_some() && point.time != other.time {
            verdict = Verdict::Better(LOST_DIGITS);
        }
    }
    verdict
}

/// Sorts tags and fields, whose order has no meaning.
fn normalize(point: &mut Point) {
    point.tags.sort();
    point.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
}

fn is_same(ours: &Point, theirs: &Point) -> bool {
    let same_time = match (ours.time, theirs.time) {
        // Telegraf adds the time of reading.
        (None, _) => true,
        (Some(a), Some(b)) => a.abs_diff(b) < LOST_NS_MAX,
        (Some(_), None) => false,
    };
    same_time
        && ours.measurement == theirs.measurement
        && same_tags(&ours.tags, &theirs.tags)
        && ours.fields == theirs.fields
}

/// Whether the tags are equal, apart from lost digits of numbers.
fn same_tags(ours: &[(String, String)], theirs: &[(String, String)]) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let same_value = |a: &str, b: &str| a == b || number(a).is_some_and(|a| Some(a) == number(b));
    let same =
        |((a_key, a), (b_key, b)): (&(String, String), &(String, String))| a_key == b_key && same_value(a, b);
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_points() {
        let f = |ours: &[&str], theirs: &[&str], want: Verdict| {
            let owned = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
            assert_eq!(compare(&owned(ours), &owned(theirs)), want, "{ours:?} {theirs:?}");
        };
        f(&[], &[], Verdict::Same);
        f(&["m,a=1,b=2 x=1,y=\"s\""], &["m,b=2,a=1 y=\"s\",x=1 17"], Verdict::Same);
        f(&["m x=1 5"], &["m x=1 5"], Verdict::Same);
        f(&["m x=9007199254740993"], &["m x=9007199254740992 1"], Verdict::Same);
        f(&["m x=1", "m x=2"], &["m x=2 1", "m x=1 1"], Verdict::Same);
        f(&["m x=1", "m x=1"], &["m x=1 1", "m x=2 1"], Verdict::Differs);
        f(&["m x=1"], &["m x=1i 1"], Verdict::Differs);
        f(&["m x=1"], &[], Verdict::Differs);
        f(&["m x=1 1536001411123456789"], &["m x=1 1536001411123456768"], Verdict::Better(LOST_DIGITS));
        f(&["m x=1 5"], &["m x=1 5000"], Verdict::Differs);
        f(
            &["m,i=12345678901234567890 x=1"],
            &["m,i=12345678901234567000 x=1 1"],
            Verdict::Better(LOST_DIGITS),
        );
        f(&["m,i=1 x=1"], &["m,i=2 x=1 1"], Verdict::Differs);
        f(&["m,i=a x=1"], &["m,i=b x=1 1"], Verdict::Differs);
        f(&["m x=1"], &["#m x=1 1"], Verdict::Better(BROKEN));
    }
}
