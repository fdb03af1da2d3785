# Shared by the scripts of this folder, which read it after changing to the root of the checkout.
# shellcheck shell=bash disable=SC2034  # the scripts use these variables
name=kafka-influx-bridge
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# The project's public address. It stands in Cargo.toml alone, and is empty while it is unknown.
repository=$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
files=target/release-files

# The documents of a package: README.md, the pages in docs/, and all files that they link to.
documents() {
    printf '%s\n' README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md LICENSE-MIT LICENSE-APACHE bridge.toml docker/README.md tests/stack/README.md
    find docs -name '*.md' -o -name '*.json' -o -name '*.png' -o -name '*.svg'
    find examples docker/grafana docker/kubernetes docker/prometheus -type f
}

fail() {
    echo "$0: $*" >&2
    exit 1
}
