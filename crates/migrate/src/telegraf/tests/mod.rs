mod parity;
mod unknown_options;

use crate::golden;

#[test]
fn golden_files_are_up_to_date() {
    golden::check("telegraf", 17);
}

/// Real files of Telegraf users, and the examples that correspond to them.
#[test]
fn results_match_the_examples() {
    for (case, topic) in [("ec2-telegraf", "testtopic"), ("telegraf-json-doc", "telegraf")] {
        let example = golden::folder("../../examples").join(case);
        let read = |file: &str| std::fs::read_to_string(example.join(file)).unwrap();
        let migration = golden::of_case("telegraf", case);
        let got = golden::lines(&migration.bridges[0], topic, &read("records.jsonl"));
        let has_time = read("bridge.toml").contains("\ntime_key");
        let expected = read("expected.lp");
        let want =
            expected.lines().map(|line| if has_time { line } else { line.rsplit_once(' ').unwrap().0 });
        // Without a name Telegraf uses kafka_consumer, the example's own bridge.toml the topic.
        let named = |line: &str| {
            line.replacen(&format!("{topic},"), "kafka_consumer,", usize::from(line.starts_with(topic)))
        };
        assert_eq!(got.lines().collect::<Vec<_>>(), want.map(named).collect::<Vec<_>>(), "{case}");
    }
}

#[test]
fn damaged_files_never_panic() {
    let pieces = [
        "\"", "'", "[", "]", "[[", "{", "}", "$", "${", "\n", "=", ".", "#", "0", "-1", "9e999", "\"\"\"",
        "\\", "온도", "true", "@{",
    ];
    assert!(golden::damage("telegraf", &pieces) > 100);
}
