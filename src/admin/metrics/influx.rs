//! What is told of the writer.

use super::super::exposition::{Exposition, Kind};
use super::{Watched, get};
use influx::{LATENCY_BUCKETS, LatencyHistogram, SizeHistogram, WriteCounters};
use std::collections::BTreeMap;

pub fn lines(watched: &Watched, page: &mut Exposition) {
    let writer = watched.writer.counters();
    let (stored, refused) = (get(&writer.lines_stored), get(&writer.lines_refused));
    page.single(Kind::Counter, "lines_stored_total", "Lines that InfluxDB stored.", stored);
    page.single(Kind::Counter, "lines_refused_total", "Lines that InfluxDB refused.", refused);
    let help =
        "Lines in open batches and in flight: neither stored nor refused yet, and read again after a crash.";
    let buffered = get(&watched.counters.lines).saturating_sub(stored + refused);
    page.single(Kind::Gauge, "buffered_lines", help, buffered);
}

pub fn requests(writer: &WriteCounters, page: &mut Exposition) {
    let outcomes = [
        ("stored", &writer.stored),
        ("retry", &writer.retried),
        ("split", &writer.split),
        ("refused", &writer.refused),
        ("hold", &writer.blocked),
    ];
    let mut family = page.family(Kind::Counter, "requests_total", "Write requests, by what came of them.");
    for (outcome, count) in outcomes {
        family.sample(&[("outcome", outcome)], get(count));
    }
    let help = "Write requests that have to be sent again as they are.";
    page.single(Kind::Counter, "retries_total", help, get(&writer.retried) + get(&writer.blocked));
    let help = "Bytes of the bodies of write requests before compression.";
    page.single(Kind::Counter, "request_plain_bytes_total", help, get(&writer.bytes_plain));
    let help = "Bytes of the bodies of write requests as sent.";
    page.single(Kind::Counter, "request_sent_bytes_total", help, get(&writer.bytes_sent));
    let help = "Times that the next address of influx.urls was taken.";
    page.single(Kind::Counter, "address_changes_total", help, get(&writer.address_changes));
    let help = "Write requests that were not answered yet.";
    page.single(Kind::Gauge, "requests_in_flight", help, writer.requests_in_flight.get());
}

pub fn addresses(watched: &Watched, page: &mut Exposition) {
    let client = watched.writer.client();
    let addresses = client.addresses();
    let help = "0 while an address of influx.urls is left alone because it failed, 1 otherwise.";
    // One that is written twice has one sample.
    let up: BTreeMap<&str, bool> =
        addresses.all().map(|address| (address.as_str(), !addresses.is_down(address))).collect();
    let mut family = page.family(Kind::Gauge, "address_up", help);
    for (address, up) in up {
        family.sample(&[("address", address)], u8::from(up));
    }
}

pub fn latency(latency: &LatencyHistogram, page: &mut Exposition) {
    let help = "From sending a write request to the end of its answer, of those that were answered.";
    let mut family = page.family(Kind::Histogram, "request_duration_seconds", help);
    let mut count = 0;
    let ends = LATENCY_BUCKETS.iter().map(|end| end.as_secs_f64().to_string());
    // The count is taken from the buckets, so that they agree while requests end.
    for (bucket, end) in latency.buckets.iter().zip(ends.chain(["+Inf".to_owned()])) {
        count += get(bucket);
        family.sample_of("_bucket", &[("le", &end)], count);
    }
    family.sample_of("_sum", &[], get(&latency.sum_micros) as f64 / 1e6);
    family.sample_of("_count", &[], count);
    let help = "The longest of them since the start.";
    let longest = get(&latency.max_micros) as f64 / 1e6;
    page.single(Kind::Gauge, "request_duration_max_seconds", help, longest);
}

pub fn sizes(sizes: &SizeHistogram, name: &str, help: &str, page: &mut Exposition) {
    let mut family = page.family(Kind::Histogram, name, help);
    let mut count = 0;
    for (end, of_bucket) in sizes.buckets() {
        count += of_bucket;
        let end = end.map_or_else(|| "+Inf".to_owned(), |end| end.to_string());
        family.sample_of("_bucket", &[("le", &end)], count);
    }
    family.sample_of("_sum", &[], sizes.sum());
    family.sample_of("_count", &[], count);
}
