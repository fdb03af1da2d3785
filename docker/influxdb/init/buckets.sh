#!/bin/bash
# The image of InfluxDB runs this script once, after the setup of its DOCKER_INFLUXDB_INIT_ variables, which creates the bucket "ec2".
# The script creates the buckets "Labs" and "kmetrics" with DBRP mappings (retention policy "autogen") for the 1.x API and InfluxQL, and
# the user "tower" of that API with access to Labs.
set -euo pipefail

org=$DOCKER_INFLUXDB_INIT_ORG

# bucket NAME: creates the bucket and prints its id.
bucket() {
    influx bucket create --org "$org" --name "$1" --retention 0 >&2
    influx bucket list --org "$org" --name "$1" --hide-headers | cut -f 1
}

# database ID NAME: creates the bucket's DBRP mapping.
database() {
    influx v1 dbrp create --org "$org" --bucket-id "$1" --db "$2" --rp autogen --default
}

labs=$(bucket Labs)
database "$labs" Labs
influx v1 auth create --org "$org" --username tower --password "$TOWER_PASSWORD" --read-bucket "$labs" --write-bucket "$labs"

kmetrics=$(bucket kmetrics)
database "$kmetrics" kmetrics

# Buckets of examples/telegraf-agent, telegraf-json-doc and json-lines, whose dashboards are provisioned too.
telegraf=$(bucket telegraf)
database "$telegraf" telegraf
bucket tweets >&2
