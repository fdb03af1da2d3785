//! The part of distinct times that depends on the topic, computed independently of the bridge.

/// FNV-1a of the topic's name, modulo 10^6.
pub fn topic_digits(topic: &str) -> i64 {
    let mut hash: u64 = 14_695_981_039_346_656_037;
    for byte in topic.as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
    }
    i64::try_from(hash % 1_000_000).unwrap()
}
