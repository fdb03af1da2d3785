//! A server that refuses lines like InfluxDB 1.x and 2.x. The flaw of each line is known beforehand.

use crate::answer::{Answer, BODY_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// Shards of equal length, and the start of one of them.
#[derive(Clone, Copy, Debug)]
pub struct Shards {
    pub nanos: i64,
    pub first: i64,
}

impl Shards {
    pub fn of(self, time: i64) -> i64 {
        (time - self.first).div_euclid(self.nanos)
    }

    pub fn start(self, shard: i64) -> i64 {
        self.first + shard * self.nanos
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    V1,
    V2,
    /// Older 2.x, which answers a conflict with 500.
    OldV2,
}

/// The flaw of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    None,
    /// These fields are strings, but floats in this shard.
    Conflict {
        shard: i64,
        fields: Vec<usize>,
    },
    Old,
    Unparsable,
    /// A proxy refuses the line without a cause.
    Terse,
    /// A limit of the server keeps the line's series out.
    Limited,
    /// The line is longer than any request may be.
    Large,
}

/// One line of a batch, with its key.
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    pub flaw: Flaw,
    pub series: usize,
    pub time: i64,
}

pub struct Sim<'a> {
    pub dialect: Dialect,
    pub shards: Shards,
    pub batch: &'a [Line],

    /// Larger requests are answered 413.
    pub bytes_max: usize,
    /// Makes the count of dropped lines wrong, if set.
    pub miscounts: bool,
    /// The batch is written grouped by series.
    pub is_grouped: bool,
    pub rng: fastrand::Rng,
    /// The last line that was written, by key.
    pub stored: BTreeMap<(usize, i64), usize>,
    pub requests: usize,
    pub bytes: usize,
}

impl Sim<'_> {
    /// Answers one request with these lines.
    pub fn answer(&mut self, indices: &[usize], body: &[u8]) -> Answer {
        self.requests += 1;
        self.bytes += body.len();
        let want: Vec<&str> = indices.iter().flat_map(|&i| [&*self.batch[i].text, "\n"]).collect();
        assert_eq!(body, want.concat().as_bytes(), "what is sent is not what was planned");
        if body.len() > self.bytes_max {
            return reply(413, "<html>too large</html>");
        }
        if indices.iter().any(|&i| self.batch[i].flaw == Flaw::Terse) {
            return reply(422, "");
        }
        let (unparsable, parsed): (Vec<usize>, Vec<usize>) =
            indices.iter().partition(|&&i| self.batch[i].flaw == Flaw::Unparsable);
        let quotes: Vec<String> = unparsable
            .iter()
            .map(|&i| format!("unable to parse '{}': invalid boolean", self.batch[i].text))
            .collect();
        let quotes = quotes.join("\n");
        if !quotes.is_empty() && (self.dialect != Dialect::V1 || parsed.is_empty()) {
            return self.error(400, &quotes);
        }
        if let Some((reason, dropped)) = self.write(&parsed) {
            let dropped = if self.miscounts { dropped + dropped / 2 + 1 } else { dropped };
            let partial = format!("partial write: {reason} dropped={dropped}");
            return match self.dialect {
                Dialect::V1 => self.error(400, &partial),
                Dialect::V2 => self.error(422, &format!("failure writing points to database: {partial}")),
                Dialect::OldV2 => {
                    self.error(500, &format!("unexpected error writing points to database: {partial}"))
                }
            };
        }
        if !quotes.is_empty() {
            return self.error(400, &format!("partial write: {quotes} dropped=0"));
        }
        reply(204, "")
    }

    /// Writes shard by shard, in random order, until one fails.
    fn write(&mut self, indices: &[usize]) -> Option<(String, usize)> {
        let mut shards: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        let old: Vec<usize> = indices.iter().copied().filter(|&i| self.batch[i].flaw == Flaw::Old).collect();
        let limited = indices.iter().filter(|&&i| self.batch[i].flaw == Flaw::Limited).count();
        for &i in indices.iter().filter(|&&i| !matches!(self.batch[i].flaw, Flaw::Old | Flaw::Limited)) {
            shards.entry(self.shards.of(self.batch[i].time)).or_default().push(i);
        }
        let mut shards: Vec<Vec<usize>> = shards.into_values().collect();
        self.rng.shuffle(&mut shards);
        let mut failed = None;
        for points in shards {
            if failed.is_some() && self.rng.bool() {
                continue;
            }
            let (good, bad): (Vec<usize>, Vec<usize>) =
                points.into_iter().partition(|&i| !matches!(self.batch[i].flaw, Flaw::Conflict { .. }));
            for i in good {
                self.stored.insert((self.batch[i].series, self.batch[i].time), i);
            }
            if let Some(&first) = bad.first()
                && let Flaw::Conflict { fields, .. } = &self.batch[first].flaw
            {
                let field = fields[0];
                let reason = format!(
                    "field type conflict: input field \"f{field}\" on measurement \"m\" is type string, already exists as type float"
                );
                failed.get_or_insert((reason, bad.len()));
            }
        }
        let limit = || ("max-series-per-database limit exceeded: (10)".to_owned(), limited);
        failed
            .or_else(|| (limited > 0).then(limit))
            .or_else(|| (!old.is_empty()).then(|| (self.retention(&old), old.len())))
    }

    fn retention(&self, old: &[usize]) -> String {
        if self.dialect == Dialect::V1 {
            return "points beyond retention policy".to_owned();
        }
        format!(
            "dropped {} points outside retention policy of duration 1h0m0s - oldest point m at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z, newest point m at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z",
            old.len()
        )
    }

    fn error(&self, status: u16, message: &str) -> Answer {
        let body = match self.dialect {
            Dialect::V1 => serde_json::json!({ "error": message }),
            _ => serde_json::json!({ "code": "any", "message": message }),
        };
        reply(status, &body.to_string())
    }

    /// Number of lines that are refused with unknown words.
    pub fn terse_count(&self) -> usize {
        self.batch.iter().filter(|line| matches!(line.flaw, Flaw::Terse | Flaw::Large)).count()
    }

    /// Number of distinct causes for which lines of the batch are refused; it bounds the requests.
    pub fn cause_count(&self) -> usize {
        let mut causes = BTreeSet::new();
        let (mut alone, mut quoted, mut quoted_bytes) = (0, 0, 0);
        for line in self.batch {
            match line.flaw {
                Flaw::None => {}
                // If the message leads to no line, each run of lines costs as much as a cause.
                Flaw::Terse | Flaw::Large | Flaw::Limited => alone += 1,
                Flaw::Unparsable => {
                    quoted += 1;
                    quoted_bytes += line.text.len() + 60;
                }
                Flaw::Old => {
                    causes.insert((i64::MIN, 0));
                }
                Flaw::Conflict { shard, ref fields } => {
                    causes.extend(fields.iter().map(|&field| (shard, field)));
                }
            }
        }
        // An answer without a cause hides the lists of other answers.
        let lists = if alone > 0 { quoted } else { quoted_bytes.div_ceil(BODY_BYTES_MAX) };
        causes.len() + alone + lists
    }
}

fn reply(status: u16, body: &str) -> Answer {
    let cut = body.len().min(BODY_BYTES_MAX);
    Answer { status, body: body.as_bytes()[..cut].to_vec(), is_cut: cut < body.len(), ..Answer::default() }
}
