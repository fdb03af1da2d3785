# shellcheck shell=bash disable=SC2154  # the folders and settings are of lib.sh
# Functions for the single broker and the cluster of three. Sourced after lib.sh.

need_kafka() {
    need_command java "run Kafka"
    need_package kcat kcat
    need_package openssl openssl # the certificates of tests/live/security
    (
        flock 7
        if [ -d "$kafka_libs" ]; then exit; fi
        need_command mvn "fetch Kafka"
        mkdir -p "$(dirname "$kafka_libs")"
        step "fetch Kafka $kafka_version" "$cache_dir/log/kafka-build.log" "$stack_dir/kafka/build" "$kafka_version" "$kafka_libs"
    ) 7>"$cache_dir/lock/kafka-libs"
}

# start_node NAME HEAP CLUSTER_ID: starts the broker whose configuration is in its folder. Kafka's disk is formatted once, with an id
# that all nodes of a cluster share: 22 characters of base64.
start_node() {
    local folder=$run_dir/$1
    if [ ! -e "$folder/data/meta.properties" ]; then
        step "format the disk of $1" "$folder/format.log" java -XX:TieredStopAtLevel=1 -cp "$kafka_libs/*" \
            kafka.tools.StorageTool format --cluster-id "$3" --config "$folder/server.properties"
    fi
    daemon "$1" java "-Xmx$2" -XX:+UseSerialGC "-Dlog4j2.configurationFile=$stack_dir/kafka/log4j2.xml" \
        -cp "$kafka_libs/*" kafka.Kafka "$folder/server.properties"
}

# lists_brokers ADDRESS COUNT: succeeds if the broker answers and lists COUNT brokers that serve requests, including itself.
lists_brokers() {
    [ "$(kcat -b "$1" -L -m 2 2>/dev/null | grep -c '^  broker ')" = "$2" ]
}
