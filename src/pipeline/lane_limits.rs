//! Divides `batch.memory_max` among the lanes.

use configuration::Config;
use engine::batch::{BatchLimits, BatchSize, SizeRange};

/// Sharing `batch.memory_max` between lanes makes no batch smaller than this, because requests would become too many.
const BATCH_BYTES_MIN: usize = 1_000_000;

/// Limits of the batches of one of `lanes` lanes of all consumers. The open batch and the batch in flight of each lane have to fit into `batch.memory_max` together,
/// including the spare capacity of growing buffers. Otherwise they would be closed half empty, and their memory allocated again each time.
///
/// A batch of the smallest size takes half of the lane's share. A larger one is packed, and takes up to four fifths of the share: while such
/// a batch is in flight, the next one is begun only, and filled when the answer is there.
pub fn lane_limits(config: &Config, lanes: usize) -> BatchLimits {
    let batch = config.batch;
    let share = batch.memory_max / lanes.max(1) / 8 * 7;
    // With many lanes, few are full at once.
    let is_shared = share / 2 >= BATCH_BYTES_MIN;
    let half = if is_shared { share / 2 } else { batch.memory_max };
    let (automatic_min, automatic_max) = (BatchSize::AUTOMATIC_MIN, BatchSize::AUTOMATIC_MAX);
    let min = BatchSize {
        lines: batch.lines_max.unwrap_or(automatic_min.lines),
        bytes: batch.bytes_max.unwrap_or(automatic_min.bytes).min(half),
    };
    // A batch never takes longer than a second at the configured rate because it grew.
    let a_second = batch.points_per_second_max.map_or(usize::MAX, |points| points as usize);
    let max = BatchSize {
        lines: batch.lines_max.unwrap_or(automatic_max.lines.min(a_second)).max(min.lines),
        bytes: if is_shared {
            batch.bytes_max.unwrap_or(automatic_max.bytes).max(min.bytes)
        } else {
            min.bytes
        },
    };
    BatchLimits {
        sizes: SizeRange { min, max, answer_max: config.influx.timeout / 2 },
        lane_memory_max: if is_shared { share } else { usize::MAX },
        batch_memory_max: if is_shared { share / 5 * 4 } else { usize::MAX },
        packed_from: min.bytes.min(automatic_min.bytes),
        age_max: batch.age_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn the_batches_of_few_lanes_fit_into_memory_together() {
        let text = "kafka.brokers = \"b:1\"\nkafka.topics = \"t\"\ninflux = { url = \"http://i:1\", org = \"o\", bucket = \"b\", token = \"t\" }\n";
        let parse = |more: &str| {
            configuration::parse(Path::new("f"), &format!("{text}{more}"), &|_| None).unwrap().config
        };
        let f = |more: &str, lanes: usize, min: usize, max: usize| {
            let limits = lane_limits(&parse(more), lanes);
            let BatchLimits { sizes, lane_memory_max, batch_memory_max, packed_from, .. } = limits;
            assert_eq!((sizes.min.bytes, sizes.max.bytes), (min, max), "{more} {lanes}");
            assert!(
                lane_memory_max == usize::MAX || lane_memory_max >= (2 * min).max(batch_memory_max + 1),
                "{more} {lanes}"
            );
            assert!(packed_from <= min && batch_memory_max > min, "{more} {lanes}");
        };
        f("", 1, 4_000_000, 32_000_000);
        f("", 2, 4_000_000, 32_000_000);
        f("", 3, 3_791_665, 32_000_000);
        f("", 4, 2_843_750, 32_000_000);
        f("", 11, 1_034_089, 32_000_000);
        f("", 12, 4_000_000, 4_000_000);
        f("", 100, 4_000_000, 4_000_000);
        f("batch.memory_max = \"16MB\"", 2, 3_500_000, 32_000_000);
        f("batch.memory_max = \"64MB\"", 2, 4_000_000, 32_000_000);
        f("batch.memory_max = \"1MB\"", 2, 1_000_000, 1_000_000);
        f("batch.bytes_max = \"1MB\"", 2, 1_000_000, 1_000_000);
        f("batch.bytes_max = \"7MB\"", 2, 5_687_500, 7_000_000);
    }

    #[test]
    fn an_explicit_number_of_lines_and_a_rate_bound_the_batches() {
        let f = |batch: &str, want: (usize, usize)| {
            let text = format!(
                "kafka.brokers = \"b:1\"\nkafka.topics = \"t\"\ninflux = {{ url = \"http://i:1\", org = \"o\", bucket = \"b\", token = \"t\" }}\n{batch}"
            );
            let config = configuration::parse(Path::new("f"), &text, &|_| None).unwrap().config;
            let sizes = lane_limits(&config, 2).sizes;
            assert_eq!((sizes.min.lines, sizes.max.lines), want, "{batch}");
            assert_eq!(sizes.answer_max, Duration::from_secs(15));
        };
        f("", (5_000, 100_000));
        f("batch.lines_max = 700", (700, 700));
        f("batch.lines_max = 50000", (50_000, 50_000));
        f("batch.points_per_second_max = 20000", (5_000, 20_000));
        f("batch.points_per_second_max = 100", (5_000, 5_000));
    }
}
