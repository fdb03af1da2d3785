#!/bin/bash
# Run once by the image of InfluxDB, after the setup that its DOCKER_INFLUXDB_INIT_ variables ask for: the bucket "ec2" is there then.
# Makes the buckets "Labs" and "kmetrics", which the 1.x API and InfluxQL see as the databases of these names with the retention policy
# "autogen", and the user "tower", who may log in to that API for Labs.
set -euo pipefail

org=$DOCKER_INFLUXDB_INIT_ORG

# bucket NAME: makes it, prints its id.
bucket() {
    influx bucket create --org "$org" --name "$1" --retention 0 >&2
    influx bucket list --org "$org" --name "$1" --hide-headers | cut -f 1
}

# database ID NAME: shows the bucket to the 1.x API.
database() {
    influx v1 dbrp create --org "$org" --bucket-id "$1" --db "$2" --rp autogen --default
}

labs=$(bucket Labs)
database "$labs" Labs
influx v1 auth create --org "$org" --username tower --password "$TOWER_PASSWORD" --read-bucket "$labs" --write-bucket "$labs"

kmetrics=$(bucket kmetrics)
database "$kmetrics" kmetrics

# For examples/telegraf-agent, telegraf-json-doc and json-lines, whose dashboards are there too.
telegraf=$(bucket telegraf)
database "$telegraf" telegraf
bucket tweets >&2
