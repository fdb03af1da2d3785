//! Requests with the same points in different forms, to compare what the forms cost InfluxDB.

use crate::records::{Generator, Shape};
use crate::setup::{BODY_LINES, LineMaker};
use clap::{Args, ValueEnum};
use libdeflater::{CompressionLvl, Compressor};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

const SEED: u64 = 1;
/// Decimals of [`Numbers::Long`].
const DECIMALS: usize = 11;
const NS_PER_MS: i64 = 1_000_000;

#[derive(Args)]
pub struct Variant {
    /// Lines per request
    #[arg(long, default_value_t = BODY_LINES)]
    lines: usize,
    #[arg(long, value_enum, default_value = "generated")]
    order: Order,
    /// Lines that are put in order together; by default those of a request
    #[arg(long)]
    window: Option<usize>,
    #[arg(long, value_enum, default_value = "sorted")]
    tags: Tags,
    #[arg(long, value_enum, default_value = "mapped")]
    times: Times,
    #[arg(long, value_enum, default_value = "mapped")]
    numbers: Numbers,
    /// Compresses the requests in advance
    #[arg(long)]
    pub gzip: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// As the records are generated
    Generated,
    /// Lines of a series stand together; series by their first line in the window
    Grouped,
    /// Lines of a series stand together; series by their text, so that their order is the same in all windows
    Sorted,
    Random,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tags {
    Sorted,
    Reversed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Times {
    /// The bridge's times, in nanoseconds
    Mapped,
    /// Each record a whole millisecond after the one before, in nanoseconds
    WholeMs,
    /// The times of whole-ms, in milliseconds
    Ms,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Numbers {
    /// The bridge's text
    Mapped,
    /// Whole numbers end with .0
    Point,
    /// 11 decimals
    Long,
}

/// A line with its newline.
struct Line {
    text: String,
    /// Length of measurement and tags.
    series_bytes: usize,
}

impl Variant {
    /// The value of the query parameter `precision`.
    pub fn precision(&self) -> &str {
        if self.times == Times::Ms { "ms" } else { "ns" }
    }

    /// The lines of generated records in bodies as they are sent.
    pub fn bodies(&self, config: &Path, shape: Shape, records: usize) -> Vec<Vec<u8>> {
        let (mut maker, mut generator) = (LineMaker::new(config), Generator::new(shape));
        let mut first_ns = None;
        let mut lines: Vec<Line> = (0..records)
            .map(|n| {
                let text = std::str::from_utf8(maker.line_of(generator.next())).unwrap();
                self.line(text, n as i64, &mut first_ns)
            })
            .collect();
        let mut rng = fastrand::Rng::with_seed(SEED);
        lines.chunks_mut(self.window.unwrap_or(self.lines)).for_each(|lines| self.arrange(lines, &mut rng));
        lines.chunks(self.lines).map(|lines| self.body(lines)).collect()
    }

    /// `n`: number of the record. `first_ns`: the time of the first record.
    fn line(&self, text: &str, n: i64, first_ns: &mut Option<i64>) -> Line {
        // Names and texts of generated records have no spaces, commas or equals signs.
        let mut parts = text.trim_end().split(' ');
        let (series, fields, time_ns) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        assert!(parts.next().is_none(), "a space in a name or a text: {text}");
        let mut line = String::with_capacity(text.len());
        match self.tags {
            Tags::Sorted => line.push_str(series),
            Tags::Reversed => {
                let mut tags = series.split(',');
                line.push_str(tags.next().unwrap());
                tags.rev().for_each(|tag| write!(line, ",{tag}").unwrap());
            }
        }
        let series_bytes = line.len();
        line.push(' ');
        if self.numbers == Numbers::Mapped {
            line.push_str(fields);
        } else {
            for (place, field) in fields.split(',').enumerate() {
                let (key, value) = field.split_once('=').unwrap();
                let comma = if place == 0 { "" } else { "," };
                write!(line, "{comma}{key}={}", self.number(value)).unwrap();
            }
        }
        let time_ns: i64 = time_ns.parse().unwrap();
        let ms = *first_ns.get_or_insert(time_ns) / NS_PER_MS + n;
        let time = match self.times {
            Times::Mapped => time_ns,
            Times::WholeMs => ms * NS_PER_MS,
            Times::Ms => ms,
        };
        writeln!(line, " {time}").unwrap();
        Line { text: line, series_bytes }
    }

    /// Values that are not floats stay.
    fn number<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Cow::Borrowed(value);
        }
        let decimals = digits.split_once('.').map(|(_, decimals)| decimals.len());
        match (self.numbers, decimals) {
            (Numbers::Point, None) => Cow::Owned(format!("{value}.0")),
            (Numbers::Long, None) => Cow::Owned(format!("{value}.{:0<DECIMALS$}", "")),
            (Numbers::Long, Some(decimals)) => {
                Cow::Owned(format!("{value}{:0<1$}", "", DECIMALS.saturating_sub(decimals)))
            }
            _ => Cow::Borrowed(value),
        }
    }

    /// Lines of one series keep their order, except with [`Order::Random`].
    fn arrange(&self, lines: &mut [Line], rng: &mut fastrand::Rng) {
        match self.order {
            Order::Generated => {}
            Order::Sorted => lines.sort_by(|one, other| one.series().cmp(other.series())),
            Order::Grouped => {
                let mut places = HashMap::new();
                for line in lines.iter() {
                    let next = places.len();
                    places.entry(line.series().to_owned()).or_insert(next);
                }
                lines.sort_by_key(|line| places[line.series()]);
            }
            Order::Random => rng.shuffle(lines),
        }
    }

    fn body(&self, lines: &[Line]) -> Vec<u8> {
        let text: Vec<u8> = lines.iter().flat_map(|line| line.text.bytes()).collect();
        if !self.gzip {
            return text;
        }
        // The fastest compressing level, as the bridge's.
        let mut compressor = Compressor::new(CompressionLvl::new(1).unwrap());
        let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
        let length = compressor.gzip_compress(&text, &mut packed).unwrap();
        packed.truncate(length);
        packed
    }
}

impl Line {
    /// Measurement and tags.
    fn series(&self) -> &str {
        &self.text[..self.series_bytes]
    }
}
