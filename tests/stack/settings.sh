# shellcheck shell=bash disable=SC2034,SC2154  # read by the scripts that source it; $cache_dir is of lib.sh
# Every version, address, name and password of the stack, in one place: the start scripts create them, `env` tells the tests.
# None of the passwords protects anything: the servers listen on 127.0.0.1 only and start empty.

kafka_version=4.1.0
influx2_version=2.7.12
questdb_version=9.3.4
victoria2_version=1.151.0
registry_version=2.6.13.Final
serializers_version=2.16.1 # of Confluent's Python client
telegraf_version=1.37.2 # tests/loss, tests/bench and one live test want it

# Uncommon ports, so that no server of the developer's own is in the way, and below 32768, where Linux begins to hand out
# ports to outgoing connections: one of those would occupy a server's port between two starts.
kafka_port=${BRIDGE_STACK_KAFKA_PORT:-27092}         # and the next one for the controller
kafka3_port=${BRIDGE_STACK_KAFKA3_PORT:-27101}       # three brokers, then three controllers: six ports from here
influx2_port=${BRIDGE_STACK_INFLUX2_PORT:-27286}
influx1_port=${BRIDGE_STACK_INFLUX1_PORT:-27186}
influx1_auth_port=${BRIDGE_STACK_INFLUX1_AUTH_PORT:-27187}
victoria_port=${BRIDGE_STACK_VICTORIA_PORT:-27428}
victoria2_port=${BRIDGE_STACK_VICTORIA2_PORT:-27429}
questdb_port=${BRIDGE_STACK_QUESTDB_PORT:-27900}
registry_port=${BRIDGE_STACK_REGISTRY_PORT:-27081}

kafka_libs=$cache_dir/kafka-$kafka_version/libs
kafka3_brokers=127.0.0.1:$kafka3_port,127.0.0.1:$((kafka3_port + 1)),127.0.0.1:$((kafka3_port + 2))

registry_jar=$cache_dir/registry-$registry_version/apicurio-registry-app-$registry_version-runner.jar

questdb_jar=$cache_dir/questdb-$questdb_version/questdb-$questdb_version.jar

influxd=$cache_dir/influx2-$influx2_version/influxd

# InfluxDB 2: a bucket of its own API, and a bucket that also answers to the 1.x API as a database.
influx2_org='test'
influx2_bucket='ec2'
influx2_token='stack-operator-token'
influx2_v1_bucket='Labs'

# The 1.x API, on both generations of server.
v1_database='Labs'
v1_retention_policy='autogen'
v1_user='tower'
v1_password='tower-password'
admin_user='admin'
admin_password='admin-password'
