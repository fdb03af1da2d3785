//! How much a mapping would write, as comments.

use super::words::duration;
use super::{Proposal, Trial};
use base::text::grouped;

/// More series than this cost InfluxDB memory that one plans for.
const SERIES_MAX: f64 = 1_000_000.0;

/// One line each: what became of a topic's sample, and what that is in a day.
pub fn estimate(topic: &str, proposal: &Proposal, trial: &Trial) -> Vec<String> {
    let mut lines = vec![format!("{topic}: {}.", trial.words())];
    let series = trial.series();
    let points = match (trial.points_a_day(), trial.rate) {
        (Some(points), Some(rate)) => {
            let span = duration(rate.span_ms);
            format!("about {} points a day, at the rate of the sample, which spans {span}", rounded(points))
        }
        _ => "how many points a day is not known: the sample tells no rate".to_owned(),
    };
    if trial.points > 0 {
        lines.push(format!("{} series in the sample; {points}.", grouped(series)));
    }
    if proposal.combinations > SERIES_MAX {
        lines.push(format!(
            "CAUTION: the values of the tags combine to as many as {} series: are all of these tags needed?",
            rounded(proposal.combinations)
        ));
    }
    let is_growing = trial.points >= 100 && trial.late_series * 4 > trial.points;
    if is_growing {
        lines.push(
            "CAUTION: new series come up to the end of the sample, and every one costs InfluxDB memory: a tag has a value for each record or thing?"
                .to_owned(),
        );
    }
    if !proposal.growing.is_empty() {
        lines.push(format!(
            "CAUTION: new values of {} come up to the end of the sample: if they never end, it should be no tag.",
            proposal.growing.join(", ")
        ));
    }
    if trial.shared > 0 {
        lines.push(format!(
            "CAUTION: {} points have the series and the time of another, and overwrite its fields of the same name: is a tag missing that tells them apart? `distinct_times = \"always\"` keeps both.",
            grouped(trial.shared)
        ));
    }
    lines
}

/// To two digits: more would be made up.
fn rounded(number: f64) -> String {
    let magnitude = 10_f64.powf((number.max(1.0).log10().floor() - 1.0).max(0.0));
    let number = (number / magnitude).round() * magnitude;
    if number > 1e15 { format!("{number:.0e}") } else { grouped(number as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds() {
        let f = |number: f64, want: &str| assert_eq!(rounded(number), want, "{number}");
        f(0.2, "0");
        f(7.0, "7");
        f(86.6, "87");
        f(2_592_000.0, "2,600,000");
        f(1e30, "1e30");
    }
}
