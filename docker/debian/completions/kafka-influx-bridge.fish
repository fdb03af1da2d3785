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
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "run" -d 'Run the service: read records, map them to points, write the points, commit. SIGHUP reloads the configuration'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "check" -d 'Check the configuration: list all errors, or describe what each mapping does'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "map" -d 'Show the lines that records become, without writing anything'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "migrate" -d 'Convert a telegraf.conf, a fluent.conf or a Logstash pipeline to a bridge.toml, and list all lines without a counterpart'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "replay-dead-letters" -d 'Map dead letters with the current configuration and write the points; the files or the topic of letters stay unchanged'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "init" -d 'Write a bridge.toml from sampled records, with the reason for each choice'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "health" -d 'Check the health of the running service: exit status 0, or 1 with the reason'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "demo" -d 'Run the bridge with an embedded Kafka, generated records and an InfluxDB-like receiver, in one process'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -s c -l config -d 'Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -l until-end -d 'Exit when all records that are in Kafka at the start are stored and committed'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand run" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -s c -l config -d 'Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -l connect -d 'Also connect to the brokers and InfluxDB'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand check" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -s c -l config -d 'Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l topic -d 'Topic of the records, which selects the mapping [default: the first of `kafka.topics`]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l timestamp -d 'Kafka timestamp of all records, in nanoseconds since 1970 [default: lines have no timestamp]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -l live -d 'Read the topic for this number of seconds, from its last records on, without joining the group or committing' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand map" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -s o -l output -d 'File to write, or folder for bridge.toml; further files are written beside it; "-" is standard output [default: -]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -l diff -d 'Write nothing, and show the points of the records in a file beside those of Telegraf, if Telegraf is installed (or named by the variable TELEGRAF); exit status 1 if points differ' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -l force -d 'Overwrite an existing file'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand migrate" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -s c -l config -d 'Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -l topic -d 'Read a dead-letter topic up to its present end [default: the topic of `[dead_letter]`]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -l dry-run -d 'Show the lines instead of writing them'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand replay-dead-letters" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l brokers -d 'Kafka brokers, separated by commas [default: localhost:9092]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l config -d 'Use the settings of Kafka, of the schema registry and of InfluxDB in an existing configuration' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l preset -d 'Settings of a managed Kafka service; its password is read from the variable `KAFKA_PASSWORD`' -r -f -a "event-hubs\t''
confluent-cloud\t''
msk\t''
redpanda\t''
warpstream\t''"
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l kafka-property -d 'librdkafka property for the connection, such as security.protocol=ssl; may be repeated' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l topic -d 'Topic, or regular expression that begins with "^"; may be repeated [default: all topics with JSON objects]' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l file -d 'The same as a plain argument' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l records -d 'Number of records to sample from each topic, the last ones' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l seconds -d 'Time limit for reading the records of a topic, in seconds' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l schema-registry -d 'Schema registry whose schemas show the keys of framed Avro and Protobuf records' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l influx-url -d 'URL of InfluxDB' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l org -d 'InfluxDB 2: organization' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l bucket -d 'InfluxDB 2: bucket' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l database -d 'InfluxDB 1, InfluxDB 3, VictoriaMetrics: database' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l api -d 'API of the database: "v1", or "v3" for InfluxDB 3' -r -f -a "v1\t''
v3\t''"
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -s o -l output -d 'File to write; "-" is standard output' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -l force -d 'Overwrite an existing file'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand init" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -s c -l config -d 'Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]' -r -F
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -l strict -d 'Exit with 1 also while the bridge is blocked, as /readyz?strict answers 503'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand health" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand demo" -l seconds -d 'Exit after this number of seconds' -r
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand demo" -s h -l help -d 'Print help'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "run" -d 'Run the service: read records, map them to points, write the points, commit. SIGHUP reloads the configuration'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "check" -d 'Check the configuration: list all errors, or describe what each mapping does'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "map" -d 'Show the lines that records become, without writing anything'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "migrate" -d 'Convert a telegraf.conf, a fluent.conf or a Logstash pipeline to a bridge.toml, and list all lines without a counterpart'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "replay-dead-letters" -d 'Map dead letters with the current configuration and write the points; the files or the topic of letters stay unchanged'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "init" -d 'Write a bridge.toml from sampled records, with the reason for each choice'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "health" -d 'Check the health of the running service: exit status 0, or 1 with the reason'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "demo" -d 'Run the bridge with an embedded Kafka, generated records and an InfluxDB-like receiver, in one process'
complete -c kafka-influx-bridge -n "__fish_kafka_influx_bridge_using_subcommand help; and not __fish_seen_subcommand_from run check map migrate replay-dead-letters init health demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
