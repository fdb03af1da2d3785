//! Estimates the output of a mapping, as comments.

use super::text::duration;
use super::{Proposal, Trial};
use base::text::grouped;

/// Above this, plan InfluxDB's memory explicitly.
const SERIES_MAX: f64 = 1_000_000.0;

/// Comments about a topic: results of its sample, points per day, and warnings.
pub fn estimate(topic: &str, proposal: &Proposal, trial: &Trial) -> Vec<String> {
    let mut lines = vec![format!("{topic}: {}.", trial.summary())];
    let series = trial.series();
    let points = match (trial.points_per_day(), trial.rate) {
        (Some(points), Some(rate)) => {
            let span = duration(rate.span_ms);
            format!("about {} points per day, at the rate of the sample, which spans {span}", rounded(points))
        }
        _ => "the number of points per day is unknown, because the sample has no rate".to_owned(),
    };
    if trial.points > 0 {
        lines.push(format!("{} series in the sample; {points}.", grouped(series)));
    }
    lines.extend(proposal.cautions.iter().map(|caution| format!("CAUTION: {caution}")));
    if proposal.combinations > SERIES_MAX {
        lines.push(format!(
            "CAUTION: the values of the tags can combine to {} series: remove tags that are not needed.",
            rounded(proposal.combinations)
        ));
    }
    let is_growing = trial.points >= 100 && trial.late_series * 4 > trial.points;
    if is_growing {
        lines.push(
            "CAUTION: new series appear up to the end of the sample, and each needs memory in InfluxDB: check whether a tag has a value per record or entity."
                .to_owned(),
        );
    }
    if !proposal.growing.is_empty() {
        lines.push(format!(
            "CAUTION: new values of {} appear up to the end of the sample: if this never ends, remove the tag.",
            proposal.growing.join(", ")
        ));
    }
    if trial.shared > 0 {
        lines.push(format!(
            "CAUTION: {} the series and the time of another point, and {} its fields of the same name: add a tag that distinguishes them, or keep both with `distinct_times = \"always\"`.",
            if trial.shared == 1 { "1 point has".to_owned() } else { format!("{} points have", grouped(trial.shared)) },
            if trial.shared == 1 { "overwrites" } else { "overwrite" }
        ));
    }
    if trial.alike > 0 {
        lines.push(format!(
            "CAUTION: {} the series of another point of the same record, and no time of {} own: they are kept, but nothing tells them apart. Add a tag that does.",
            if trial.alike == 1 { "1 point has".to_owned() } else { format!("{} points have", grouped(trial.alike)) },
            if trial.alike == 1 { "its" } else { "their" }
        ));
    }
    lines
}

/// Rounds an estimate to two digits.
fn rounded(number: f64) -> String {
    let magnitude = 10_f64.powf((number.max(1.0).log10().floor() - 1.0).max(0.0));
    let number = (number / magnitude).round() * magnitude;
    if number > 1e15 { format!("{number:.0e}") } else { grouped(number as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_two_digits() {
        let f = |number: f64, want: &str| assert_eq!(rounded(number), want, "{number}");
        f(0.2, "0");
        f(7.0, "7");
        f(86.6, "87");
        f(2_592_000.0, "2,600,000");
        f(1e30, "1e30");
    }
}
