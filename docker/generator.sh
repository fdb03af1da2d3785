#!/bin/bash
# Produces records for docker/bridge.toml once a second: one for each of three EC2 hosts to "testtopic", one of the lab to
# "resource", one for each of three brokers to "kafka.metrics.processed". Runs in the image of Apache Kafka and uses its console
# producer.
set -euo pipefail

brokers=${KAFKA_BROKERS:-kafka:9092}
kafka=${KAFKA_HOME:-/opt/kafka}/bin

# number MAX: a random number below MAX with one decimal.
number() {
    printf '%d.%d' $((RANDOM % $1)) $((RANDOM % 10))
}

ec2_records() {
    local host format='{"ec2Number":"%s","cpu":{"system":%s,"user":%s},"disk":{"write":%s,"read":%s},"mem":{"used":%s,"unused":%s},'
    format+='"topRateProcess":[{"name":"java","rate":%s}]}\n'
    while sleep 1; do
        for host in web-1 web-2 서울-1; do
            # shellcheck disable=SC2059  # the format is the one above
            printf "$format" "$host" "$(number 20)" "$(number 60)" "$(number 400)" "$(number 900)" "$(number 900)" "$(number 900)" "$(number 60)"
        done
    done
}

lab_records() {
    local tx=0 rx=0
    while sleep 1; do
        ((tx += RANDOM, rx += 3 * RANDOM)) || true # an arithmetic result of zero has status 1
        printf '{"free_ram":%s,"tx_bytes":%d,"rx_bytes":%d,"cpu_load":%s}\n' "$(number 64)" "$tx" "$rx" "$(number 100)"
    done
}

broker_records() {
    local broker number in_total=0 format='{"hostname":"%s","timestamp":%s,"BytesIn":%d,"Partitions":{"Leader":%d,"UnderReplicated":0},'
    format+='"RequestQueueTimeMs":{"Mean":%s,"Max":null},"state":"RunningAsBroker","isController":%s,"listeners":["PLAINTEXT://:9092"]}\n'
    while sleep 1; do
        ((in_total += RANDOM)) || true # as above
        for number in 1 2 3; do
            broker=kafka-$number
            # shellcheck disable=SC2059  # the format is the one above
            printf "$format" "$broker" "$EPOCHSECONDS" $((in_total * number)) $((10 + number)) "$(number 5)" "$([[ $number == 1 ]] && echo true || echo false)"
        done
    done
}

# produce TOPIC: sends each line of standard input as a record.
produce() {
    "$kafka/kafka-topics.sh" --bootstrap-server "$brokers" --create --if-not-exists --topic "$1" --partitions 3
    "$kafka/kafka-console-producer.sh" --bootstrap-server "$brokers" --topic "$1"
}

# When this script closes the pipes, the producers send their remaining records and end.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM
ec2_records | produce testtopic &
lab_records | produce resource &
broker_records | produce kafka.metrics.processed &
wait -n # if one producer ends, the script ends, and the container is restarted
