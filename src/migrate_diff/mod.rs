//! `migrate --diff`: compares the points of the new configuration with those of Telegraf.

mod compare;
mod telegraf;

use crate::records::Records;
use crate::terminal::report;
use base::text::{counted, printable};
use compare::Verdict;
use mapping::Format;
use migrate::telegraf::{MARK, comparison_conf};
use migrate::{Became, DryRun, DryRunError, Input, Kind, Machine, Migration};
use rdkafka::error::KafkaError;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use telegraf::TelegrafLines;
use thiserror::Error;

/// Bound for memory. Telegraf also sends a request per record.
const RECORDS_MAX: usize = 1_000;
/// Lines of unknown records that are shown.
const UNLINKED_SHOWN: usize = 10;
/// Longer lines are cut.
const CHARS_MAX: usize = 2_000;

#[derive(Debug, Error)]
pub enum DiffError {
    #[error(transparent)]
    DryRun(#[from] DryRunError),
    #[error("the embedded Kafka failed: {0}")]
    Kafka(#[from] KafkaError),
    #[error("{program} can't be run: {source}")]
    Telegraf { program: String, source: io::Error },
    #[error(
        "no points were compared, because Telegraf ended before it had read the records: run it with the same plugins as in production:\n{0}"
    )]
    Ended(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Writes the points of each record. Returns whether Telegraf gives the same points with the whole configuration; not if it did not run.
///
/// # Errors
/// If the mappings have errors, Telegraf does not run, or the output is closed.
pub fn diff(
    files: &[Input],
    machine: &Machine,
    migration: &Migration,
    records: &[u8],
    out: &mut impl Write,
) -> Result<bool, DiffError> {
    let Some(bridge) = migration.bridges.first() else { return Ok(true) };
    let topic = topic(migration);
    let mut mapping = DryRun::new(bridge, &topic)?;
    let has_key = |key: &str| bridge.draft.tables.iter().any(|table| table.get(key).is_some());
    let rules = Arc::clone(mapping.rules());
    let records: Vec<&[u8]> =
        Records::by_rules(records, &rules, None).map(|record| record.bytes).take(RECORDS_MAX).collect();
    let ours: Vec<Became> = records.iter().map(|record| mapping.map(record)).collect();
    let is_telegraf = files.iter().any(|file| Kind::of(&file.text) == Some(Kind::Telegraf));
    let conf = if is_telegraf { comparison_conf(files, machine, &topic) } else { None };
    let (Some(conf), Some(program)) = (conf, program()) else {
        show_ours(&ours, out)?;
        report!(
            "not compared: {}; these are the points of the bridge",
            if is_telegraf {
                "Telegraf is not installed: install it, or name the program in TELEGRAF"
            } else {
                "only Telegraf's configurations can be run"
            }
        );
        return Ok(false);
    };
    let wanted: Vec<usize> = ours.iter().map(|became| became.as_ref().map_or(0, Vec::len)).collect();
    let TelegrafLines { lines: mut theirs, unlinked } =
        match telegraf::run(&program, &conf.config, &topic, &records, &wanted) {
            Ok(theirs) => theirs,
            Err(error) => {
                show_ours(&ours, out)?;
                return Err(error);
            }
        };
    if !has_key("time_key") {
        drop_times_of_reading(&mut theirs, &ours, rules.format == Format::Influx);
    }
    let name_key = bridge.draft.tables.iter().find_map(|table| table.get("name_key")?.as_str());
    let pairs: Vec<Pair<'_>> = records
        .iter()
        .zip(&ours)
        .zip(&theirs)
        .map(|((record, ours), theirs)| Pair {
            has_empty_name: has_empty_name(record, name_key),
            ours,
            theirs,
        })
        .collect();
    let is_same = show_both(&pairs, out)?;
    show_uncompared(&unlinked, &conf.left_out, out)?;
    Ok(is_same && unlinked.is_empty() && conf.left_out.is_empty())
}

/// Shows Telegraf's points of unknown records, and the plugins that did not run.
fn show_uncompared(unlinked: &[String], left_out: &[String], out: &mut impl Write) -> io::Result<()> {
    for line in unlinked.iter().take(UNLINKED_SHOWN) {
        writeln!(out, "telegraf, of an unknown record: {}", printable(line, CHARS_MAX))?;
    }
    if !unlinked.is_empty() {
        report!(
            "a plugin removes the tag {MARK} from {} of Telegraf, so that they can't be compared",
            counted(unlinked.len(), "point")
        );
    }
    for plugin in left_out {
        report!("not compared: {plugin}");
    }
    Ok(())
}

/// Removes the times of points whose record has none. Such a time is that of reading, which always differs.
fn drop_times_of_reading(theirs: &mut [Vec<String>], ours: &[Became], is_influx: bool) {
    let has_time = |lines: &Vec<String>| lines.iter().any(|line| engine::time_of(line.as_bytes()).is_some());
    let untimed = |ours: &Became| !is_influx || !ours.as_ref().is_ok_and(has_time);
    let untimed = theirs.iter_mut().zip(ours).filter(|(_, ours)| untimed(ours));
    untimed.flat_map(|(theirs, _)| theirs).for_each(drop_time);
}

fn drop_time(line: &mut String) {
    if let Some((before, time)) = line.rsplit_once(' ')
        && time.bytes().all(|b| b.is_ascii_digit())
    {
        line.truncate(before.len());
    }
}

/// The points of one record from both programs.
struct Pair<'a> {
    has_empty_name: bool,
    ours: &'a Became,
    theirs: &'a [String],
}

fn has_empty_name(record: &[u8], name_key: Option<&str>) -> bool {
    let record: Option<serde_json::Value> = serde_json::from_slice(record).ok();
    let name = record.as_ref().zip(name_key).and_then(|(record, key)| record.get(key));
    name.and_then(serde_json::Value::as_str) == Some("")
}

/// A topic that the first mapping matches.
fn topic(migration: &Migration) -> String {
    let tables = migration.bridges.iter().flat_map(|bridge| &bridge.draft.tables);
    let topics = tables.filter(|table| table.header == "[kafka]").find_map(|table| table.get("topics"));
    let names = topics.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str);
    let mut plain = names.filter(|name| !name.starts_with('^') && !name.contains('$'));
    plain.next().unwrap_or("records").to_owned()
}

/// The program in the variable TELEGRAF, or on the path.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TELEGRAF") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("telegraf")).find(|program| program.is_file())
}

fn show_ours(ours: &[Became], out: &mut impl Write) -> io::Result<()> {
    for became in ours {
        match became {
            Ok(lines) => lines.iter().try_for_each(|line| writeln!(out, "{}", printable(line, CHARS_MAX)))?,
            Err(why) => writeln!(out, "(rejected: {})", printable(why, CHARS_MAX))?,
        }
    }
    out.flush()
}

fn show_both(pairs: &[Pair<'_>], out: &mut impl Write) -> Result<bool, DiffError> {
    let mut same = 0;
    let mut better: Vec<(&'static str, usize)> = Vec::new();
    for (number, Pair { has_empty_name, ours, theirs }) in pairs.iter().enumerate() {
        let lines = ours.as_deref().unwrap_or_default();
        match compare::compare(lines, theirs) {
            Verdict::Differs if *has_empty_name && theirs.is_empty() => {
                count(&mut better, compare::EMPTY_NAME);
            }
            Verdict::Same => {
                same += 1;
                lines
                    .iter()
                    .try_for_each(|line| writeln!(out, "          {}", printable(line, CHARS_MAX)))?;
                continue;
            }
            Verdict::Better(why) => count(&mut better, why),
            Verdict::Differs => {}
        }
        writeln!(out, "record {}:", number + 1)?;
        show(out, "telegraf: ", theirs, None)?;
        show(out, "bridge:   ", lines, ours.as_ref().err())?;
    }
    let explained: usize = better.iter().map(|(_, count)| count).sum();
    writeln!(out, "{same} of {} records give the same points", pairs.len())?;
    for (why, count) in better {
        writeln!(out, "{count} of the others: {why}")?;
    }
    out.flush()?;
    Ok(same + explained == pairs.len())
}

fn count(reasons: &mut Vec<(&'static str, usize)>, why: &'static str) {
    match reasons.iter_mut().find(|(known, _)| *known == why) {
        Some((_, count)) => *count += 1,
        None => reasons.push((why, 1)),
    }
}

fn show(out: &mut impl Write, who: &str, lines: &[String], why: Option<&String>) -> io::Result<()> {
    if lines.is_empty() {
        let why = why.map(|why| format!(": {}", printable(why, CHARS_MAX))).unwrap_or_default();
        writeln!(out, "{who}(nothing{why})")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{who}{}", printable(line, CHARS_MAX)))
}
