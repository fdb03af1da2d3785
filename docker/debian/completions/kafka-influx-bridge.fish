# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_influx_bridge_global_optspecs
    string join \n h/help V/version
end

function __fish_kafka_influx_bridge_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_influx_bridge_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_influx_bridge_using_subcommand
    set -l cmd (__fish_kafka_influx_bridge_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -s V -l version -d 'Print version'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "run" -d 'Read records, map them to points, write them, commit: the service. SIGHUP reloads the configuration'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "check" -d 'Show every error of the configuration, or in words what it will do'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "map" -d 'Show the lines that records would become, without Kafka and InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "migrate" -d 'Make a bridge.toml of a telegraf.conf, a fluent.conf or a Logstash pipeline; what has no counterpart is said, line by line'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "replay-dead-letters" -d 'Put dead letters through the mapping as it is now, and write the points; their files or topic stay as they are'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "init" -d 'Write a bridge.toml from sampled records, with the reason of each choice'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "health" -d 'Ask the running service whether it works: exit status 0, or 1 with the reason'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "demo" -d 'Run everything in this process: Kafka, generated records, the bridge and a receiver like InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -l config -d 'The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -l until-end -d 'End when everything is written and committed that is in Kafka at the start'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -l config -d 'The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -l connect -d 'Also ask the brokers and InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l config -d 'The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l topic -d 'The topic that the records come from [default: the first of `kafka.topics`]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l timestamp -d 'Kafka\'s timestamp of all records, in nanoseconds since 1970 [default: lines without a timestamp]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l live -d 'Read the topic for so many seconds, from its last records on, without joining the group or committing' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -s o -l output -d 'Write to a file, or to bridge.toml in a folder; others that are needed stand beside it [default: standard output]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -l diff -d 'Instead of writing it, show what becomes of a file\'s records, beside what Telegraf makes of them where it is installed (or named by the variable TELEGRAF): exit status 1 if points differ' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -l force -d 'Write over a file that is there'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -l config -d 'The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -l topic -d 'Read a dead-letter topic up to its end as of now [default: that of `[dead_letter]`]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -l dry-run -d 'Show the lines instead of writing them'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l brokers -d 'Where Kafka listens, separated by commas [default: localhost:9092]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l config -d 'Take [kafka] and [influx] of a configuration that is there' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l kafka-property -d 'A property of librdkafka for the connection, such as security.protocol=ssl; may be given again' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l topic -d 'A topic, or a regular expression that begins with "^"; may be given again [default: all that hold JSON objects]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l file -d 'Look at a file of records, one a line or pretty-printed, instead of Kafka; "-" is standard input' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l records -d 'Look at so many records of each topic, its last ones' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l seconds -d 'Wait at most so long for the records of a topic' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l influx-url -d 'Where InfluxDB listens' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l org -d 'InfluxDB 2: the organization\'s name' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l bucket -d 'InfluxDB 2: the bucket' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l database -d 'InfluxDB 1, VictoriaMetrics: the database' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -s o -l output -d 'The file to write; "-" is standard output' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l force -d 'Write over a file that is there'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -l config -d 'The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -l strict -d 'Exit with 1 also while an alarm keeps records from being stored, as /readyz?strict answers 503'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand demo" -l seconds -d 'End by itself after so many seconds' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand demo" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "run" -d 'Read records, map them to points, write them, commit: the service. SIGHUP reloads the configuration'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "check" -d 'Show every error of the configuration, or in words what it will do'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "map" -d 'Show the lines that records would become, without Kafka and InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "migrate" -d 'Make a bridge.toml of a telegraf.conf, a fluent.conf or a Logstash pipeline; what has no counterpart is said, line by line'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "replay-dead-letters" -d 'Put dead letters through the mapping as it is now, and write the points; their files or topic stay as they are'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "init" -d 'Write a bridge.toml from sampled records, with the reason of each choice'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "health" -d 'Ask the running service whether it works: exit status 0, or 1 with the reason'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "demo" -d 'Run everything in this process: Kafka, generated records, the bridge and a receiver like InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
