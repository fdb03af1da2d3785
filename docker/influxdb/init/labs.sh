#!/bin/bash
# Run once by the image of InfluxDB, after the setup that its DOCKER_INFLUXDB_INIT_ variables ask for:
# a bucket "Labs" that the 1.x API and InfluxQL see as the database "Labs" with the retention policy "autogen",
# and the user "tower", who may log in to that API. The three commands are what it takes on any InfluxDB 2.
set -euo pipefail

org=$DOCKER_INFLUXDB_INIT_ORG

influx bucket create --org "$org" --name Labs --retention 0
bucket_id=$(influx bucket list --org "$org" --name Labs --hide-headers | cut -f 1)

influx v1 dbrp create --org "$org" --bucket-id "$bucket_id" --db Labs --rp autogen --default

influx v1 auth create --org "$org" --username tower --password "$TOWER_PASSWORD" \
    --read-bucket "$bucket_id" --write-bucket "$bucket_id"
