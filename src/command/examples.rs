//! Examples under each command's `--help`.

pub const ALL: &str = "\
Examples:
  kafka-influx-bridge demo                         the whole thing, with nothing installed
  kafka-influx-bridge init --brokers kafka:9092    a bridge.toml for the topics that are there, from their records
  kafka-influx-bridge migrate telegraf.conf        the bridge.toml that does the same
  kafka-influx-bridge check                        every error of ./bridge.toml, with its line and what to do
  kafka-influx-bridge map records.jsonl            the lines that records would become
  INFLUX_TOKEN=... kafka-influx-bridge run         the service";

pub const RUN: &str = "\
Examples:
  INFLUX_TOKEN=... kafka-influx-bridge run                          by ./bridge.toml
  kafka-influx-bridge run --config /etc/bridges/second.toml         another bridge
  kafka-influx-bridge run --until-end                               what is there now, then an end";

pub const CHECK: &str = "\
Examples:
  kafka-influx-bridge check                        the file alone; exit status 2 if it is wrong
  kafka-influx-bridge check --connect              the servers, too; exit status 1 if something FAILED";

pub const MAP: &str = "\
Examples:
  kafka-influx-bridge map records.jsonl                             by ./bridge.toml
  kafka-influx-bridge map --topic testtopic < records.jsonl         by the mapping of this topic
  kafka-influx-bridge map --live 10 --topic testtopic               what the topic brings within 10 s";

pub const MIGRATE: &str = "\
Examples:
  kafka-influx-bridge migrate telegraf.conf                                   to look at
  kafka-influx-bridge migrate /etc/telegraf/telegraf.conf /etc/telegraf/telegraf.d -o bridge.toml
  kafka-influx-bridge migrate fluent.conf -o bridge.toml
  kafka-influx-bridge migrate telegraf.conf --diff records.jsonl              both programs' points, side by side";

pub const REPLAY: &str = "\
Examples:
  kafka-influx-bridge replay-dead-letters --dry-run dead-letter.jsonl         what they would become now
  kafka-influx-bridge replay-dead-letters dead-letter.jsonl dead-letter.jsonl.1
  kafka-influx-bridge replay-dead-letters --topic                             the topic of [dead_letter]";

pub const INIT: &str = "\
Examples:
  kafka-influx-bridge init                                                    all topics of localhost:9092
  kafka-influx-bridge init --brokers kafka:9092 --topic metrics --org test --bucket ec2
  kafka-influx-bridge init --topic ^sensors\\. --database plant                InfluxDB 1
  kafka-influx-bridge init --config bridge.toml --topic metrics -o new.toml   by the connections of another file
  kafka-influx-bridge init --file records.jsonl -o -                          without Kafka, to look at";

pub const HEALTH: &str = "\
Examples:
  kafka-influx-bridge health                       for a container's health check: by admin.listen of the configuration
  kafka-influx-bridge health --strict              for monitoring: also fails while an alarm keeps records from being stored";

pub const DEMO: &str = "\
Examples:
  kafka-influx-bridge demo --seconds 20";
