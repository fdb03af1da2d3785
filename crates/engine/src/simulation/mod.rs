//! Tests only: a simulation of the data path under random schedules: records, responses, limits of the server, rebalances, lost sessions,
//! crashes, reloads, recreated topics, stops and starts. The real dispatcher, mapper and tracker run between an in-memory Kafka and an
//! in-memory InfluxDB. After every commit and at the end, a model checks that all records below the committed offset are settled.
//!
//! `BRIDGE_SIMULATION_SEEDS` sets the number of schedules. A failure prints the command that repeats its schedule.

mod coverage;
mod kafka;
mod resuming;
mod settings;
mod store;
mod stored_before_reload;
mod undecided;
mod world;

use crate::seed;
use coverage::Coverage;
use world::World;

/// Number of schedules by default: a few seconds without optimisation.
const SCHEDULES: u64 = 300;

#[test]
fn nothing_is_lost_or_committed_early_in_any_schedule() {
    let seeds = match seed::given("BRIDGE_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..seed::given("BRIDGE_SIMULATION_SEEDS").unwrap_or(SCHEDULES),
    };
    let mut coverage = Coverage::default();
    for seed in seeds {
        let _repeated = seed::Repeated::by("BRIDGE_SIMULATION_SEED", seed, "cargo test --lib simulation");
        coverage.add_schedule(&World::new(seed).run());
    }
    println!("{coverage:?}");
    coverage.assert_all_happened();
}
