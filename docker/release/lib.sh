# Shared by the scripts of this folder, which read it after changing to the root of the checkout.
# shellcheck shell=bash disable=SC2034  # the scripts use these variables
name=kafka-influx-bridge
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# The project's public address. It stands in Cargo.toml alone, and is empty while it is unknown.
repository=$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
files=target/release-files

fail() {
    echo "$0: $*" >&2
    exit 1
}
