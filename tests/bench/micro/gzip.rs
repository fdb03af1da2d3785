//! A request's body, compressed by the bridge and by libdeflate at level 1: an iteration is a batch. The names of rows give the compressed
//! and the original size.

use super::records::Kind;
use super::{BATCH, batch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use fastrand::Rng;
use libdeflater::{CompressionLvl, Compressor};
use line_protocol::Gzip;
use std::fmt::{self, Write};

#[divan::bench(args = bodies(&mut own_encoder()))]
fn bridge(bencher: Bencher<'_, '_>, body: &Body) {
    body.bench(bencher, own_encoder());
}

#[divan::bench(args = bodies(&mut library()))]
fn libdeflate(bencher: Bencher<'_, '_>, body: &Body) {
    body.bench(bencher, library());
}

/// The buffer is reused, too.
fn own_encoder() -> impl FnMut(&[u8]) -> usize {
    let mut gzip = Gzip::new();
    move |plain| gzip.compress(plain).unwrap().len()
}

fn library() -> impl FnMut(&[u8]) -> usize {
    let (mut library, mut buffer) = (Compressor::new(CompressionLvl::new(1).unwrap()), Vec::new());
    move |plain| {
        let bound = library.gzip_compress_bound(plain.len());
        buffer.resize(bound.max(buffer.len()), 0);
        library.gzip_compress(plain, &mut buffer).unwrap()
    }
}

struct Body {
    name: &'static str,
    plain: Vec<u8>,
    packed: usize,
}

impl Body {
    fn bench(&self, bencher: Bencher<'_, '_>, mut encoder: impl FnMut(&[u8]) -> usize) {
        bencher
            .counter(ItemsCount::new(BATCH))
            .counter(BytesCount::new(self.plain.len()))
            .bench_local(|| encoder(&self.plain));
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} kB", self.name, self.packed / 1_000, self.plain.len() / 1_000)
    }
}

fn bodies(encoder: &mut impl FnMut(&[u8]) -> usize) -> Vec<Body> {
    let mut body = |name, plain: Vec<u8>| Body { name, packed: encoder(&plain), plain };
    vec![
        body("ec2", batch(Kind::Ec2).lines.text().to_vec()),
        body("wide", batch(Kind::Wide).lines.text().to_vec()),
        body("labs", lines(labs)),
        body("agent", lines(agent)),
        body("words", lines(words)),
    ]
}

fn lines(line: impl Fn(&mut Rng, usize, &mut String)) -> Vec<u8> {
    let (mut rng, mut text) = (Rng::with_seed(4), String::new());
    for number in 0..BATCH {
        line(&mut rng, number, &mut text);
        writeln!(text, " {}", 1_767_225_600_000_000_000 + number as u64 / 10 * 1_000_000).unwrap();
    }
    text.into_bytes()
}

/// Records of the example `smartx-labs`.
fn labs(rng: &mut Rng, _number: usize, text: &mut String) {
    let (host, region) = (rng.u8(0..30), rng.choice(["GIST", "대전\\ 1동", "Seoul"]).unwrap());
    let (memory, sent, received) = (rng.f64() * 100.0, rng.u64(0..1 << 40), rng.u64(0..1 << 40));
    write!(text, "labs,host=Labs{host},region={region} memory={memory:.2},tx={sent},rx={received}").unwrap();
    for core in 0..8 {
        write!(text, ",core_load_{}_{}={:.1}", core / 4, core % 4, rng.f64() * 100.0).unwrap();
    }
}

/// Records of a Telegraf agent: alternating plugins, keys of several words, many constant values.
fn agent(rng: &mut Rng, number: usize, text: &mut String) {
    let host = number / 10 % 20;
    let keys: &[&str] = match number % 10 {
        0..5 => {
            write!(text, "cpu,cpu=cpu{},host=server{host:02} time=0", number % 10).unwrap();
            &["user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"]
        }
        5..8 => {
            write!(text, "disk,device=sda{},fstype=ext4,host=server{host:02},mode=rw ", number % 10).unwrap();
            write!(text, "inodes_total=30531584,total=982900588544").unwrap();
            &["free", "inodes_free", "inodes_used", "used", "used_percent"]
        }
        8 => {
            write!(text, "net,host=server{host:02},interface=eth0 err_in=0,err_out=0,drop_in=0").unwrap();
            &["bytes_recv", "bytes_sent", "packets_recv", "packets_sent"]
        }
        _ => {
            write!(text, "system,host=server{host:02} n_cpus=4,uptime_format=\"12 days,  3:04\"").unwrap();
            &["load1", "load5", "load15", "uptime"]
        }
    };
    for key in keys {
        match number % 10 {
            0..5 if rng.bool() => write!(text, ",usage_{key}=0"),
            0..5 => write!(text, ",usage_{key}={}", rng.f64() * 30.0),
            _ => write!(text, ",{key}={}", rng.u64(0..1 << 40)),
        }
        .unwrap();
    }
}

/// Records with recurring words in strings.
fn words(rng: &mut Rng, number: usize, text: &mut String) {
    const TEXT: &str = include_str!("../../../README.md");
    write!(text, "log,host=server{:02} line={number},message=\"", rng.u8(0..20)).unwrap();
    let all: Vec<&str> = TEXT.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let (from, count) = (rng.usize(0..all.len() - 40), rng.usize(5..40));
    text.push_str(&all[from..from + count].join(" "));
    text.push('"');
}
