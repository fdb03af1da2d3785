//! Millions of records with random values.

use clap::{Args, ValueEnum};
use std::io::Write as _;
use std::time::SystemTime;

const SEED: u64 = 1;
const NAMES: u64 = 100;
const REGIONS: [&str; 4] = ["ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"];
const GROUPS: [&str; 5] = ["cpu", "mem", "disk", "net", "proc"];
const HOSTS: u64 = 2_000;
/// A multiple of the number of partitions, so that each host's records are in one partition.
const TIMED_HOSTS: u64 = 96;
/// 2026-01-01.
const FIRST_MS: u64 = 1_767_225_600_000;
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz     ";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Six fields, as in examples/ec2-telegraf
    Ec2,
    /// 42 numbers, three tags, two strings, a name and a time
    Wide,
    /// A given number of fields, bytes and series
    Shaped,
    /// A value, one of 96 hosts, and the time for which the record is due, in microseconds
    Timed,
    /// A number and nothing else
    Number,
    /// A short text and nothing else
    Text,
}

#[derive(Args, Clone, Copy)]
pub struct Shape {
    #[arg(long, value_enum, default_value = "ec2")]
    pub kind: Kind,
    /// Numbers in a shaped record
    #[arg(long, default_value_t = 6)]
    pub fields: u64,
    /// Bytes of a shaped record; a string fills the rest
    #[arg(long, default_value_t = 0)]
    pub bytes: usize,
    /// Number of different tag values of shaped records
    #[arg(long, default_value_t = 100)]
    pub series: u64,
}

/// Generates records, always the same sequence.
pub struct Generator {
    shape: Shape,
    rng: fastrand::Rng,
    number: u64,
    out: Vec<u8>,
}

impl Generator {
    pub fn new(shape: Shape) -> Self {
        Self { shape, rng: fastrand::Rng::with_seed(SEED), number: 0, out: Vec::new() }
    }

    /// A record that is due now.
    pub fn next(&mut self) -> &[u8] {
        self.next_due(SystemTime::now())
    }

    pub fn next_due(&mut self, due: SystemTime) -> &[u8] {
        self.out.clear();
        match self.shape.kind {
            Kind::Ec2 => self.ec2(),
            Kind::Wide => self.wide(),
            Kind::Shaped => self.shaped(),
            Kind::Timed => {
                let (n, due) = (self.number, due.duration_since(SystemTime::UNIX_EPOCH).unwrap());
                write!(
                    self.out,
                    r#"{{"host":"h{}","sent":{},"value":{n}}}"#,
                    n % TIMED_HOSTS,
                    due.as_micros()
                )
                .unwrap();
            }
            Kind::Number => {
                self.key(r#"{"value":"#).decimal(100_000, 2);
                self.text("}");
            }
            Kind::Text => {
                let name = self.rng.u64(..NAMES);
                self.key(r#"{"value":"node"#).integer(name);
                self.text(r#" is running"}"#);
            }
        }
        self.number += 1;
        &self.out
    }

    fn ec2(&mut self) {
        self.text(r#"{"ec2Number":"node"#);
        let name = self.rng.u64(..NAMES);
        self.integer(name);
        self.key(r#"","cpu":{"system":"#).decimal(1_000, 1);
        self.key(r#","user":"#).decimal(1_000, 1);
        self.key(r#"},"disk":{"write":"#).decimal(1_000, 0);
        self.key(r#","read":"#).decimal(10_000, 1);
        self.key(r#"},"mem":{"used":"#).decimal(10_000, 1);
        self.key(r#","unused":"#).decimal(10_000, 1);
        self.text(r#"},"topRateProcess":[]}"#);
    }

    fn wide(&mut self) {
        let n = self.number;
        let (name, region, rack) = (n % 20, REGIONS[(n % 4) as usize], n % 10);
        let (host, ms) = (n % HOSTS, FIRST_MS + n);
        let head = format!(
            r#"{{"name":"node{name}","region":"{region}","rack":"r{rack}","host":"h{host:04}","ts":{ms}"#
        );
        self.text(&head);
        for group in GROUPS {
            self.key(",\"").text(group);
            self.text("\":{");
            for member in 0..8 {
                self.text(if member == 0 { "\"m" } else { ",\"m" });
                self.integer(member);
                self.text("\":");
                if member % 2 == 0 { self.decimal(1_000_000, 0) } else { self.decimal(10_000_000, 3) }
            }
            self.text("}");
        }
        for (begin, disk) in [(r#","disks":["#, "sda"), (",", "sdb")] {
            let used = self.rng.f64();
            write!(self.out, r#"{begin}{{"dev":"{disk}","used":{used}}}"#).unwrap();
        }
        self.text("]}");
    }

    fn shaped(&mut self) {
        let series = self.rng.u64(..self.shape.series);
        self.text(r#"{"host":"h"#);
        self.integer(series);
        self.text("\"");
        for field in 0..self.shape.fields {
            self.text(",\"f");
            self.integer(field);
            self.key("\":").decimal(1_000_000, 2);
        }
        let text_bytes = self.shape.bytes.saturating_sub(self.out.len() + r#","text":""}"#.len());
        if text_bytes > 0 {
            self.text(r#","text":""#);
            for _ in 0..text_bytes {
                self.out.push(LETTERS[self.rng.usize(..LETTERS.len())]);
            }
            self.text("\"");
        }
        self.text("}");
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, text: &str) -> &mut Self {
        self.text(text);
        self
    }

    fn integer(&mut self, value: u64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A random number below `limit` with this number of decimals; trailing zeros are omitted.
    fn decimal(&mut self, limit: u64, digits: u32) {
        let value = self.rng.u64(..limit);
        let unit = 10_u64.pow(digits);
        self.integer(value / unit);
        let (mut fraction, mut unit) = (value % unit, unit);
        if fraction > 0 {
            self.out.push(b'.');
        }
        while fraction > 0 {
            unit /= 10;
            self.out.push(b'0' + (fraction / unit) as u8);
            fraction %= unit;
        }
    }
}
