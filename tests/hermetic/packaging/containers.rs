//! The files that the image, docker/compose.yml and the manifests need, checked without a container engine.

use super::{read, root};

/// InfluxDB's image silently skips scripts that are not executable, and their buckets would be missing.
#[cfg(unix)]
#[test]
fn scripts_for_containers_are_executable() {
    use std::os::unix::fs::PermissionsExt;

    for script in ["docker/generator.sh", "docker/influxdb/init/buckets.sh"] {
        let mode = std::fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert_ne!(mode & 0o100, 0, "{script} may not be executed: {mode:o}");
    }
}

#[test]
fn image_versions_match_the_package_and_the_toolchain() {
    let dockerfile = read(&root().join("docker/Dockerfile"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        dockerfile.contains(&format!("\nARG VERSION={version}\n")),
        "the Dockerfile's VERSION is not {version}"
    );

    let toolchain = read(&root().join("rust-toolchain.toml"));
    let channel = toolchain.split('"').nth(1).unwrap();
    let (minor, _patch) = channel.rsplit_once('.').unwrap();
    assert!(
        dockerfile.contains(&format!("\nFROM rust:{minor}-bookworm ")),
        "the Dockerfile's Rust is not {minor}"
    );

    for manifest in ["sidecar.yaml", "deployment.yaml"] {
        let text = read(&root().join("docker/kubernetes").join(manifest));
        assert!(
            text.contains(&format!("image: kafka-influx-bridge:{version}\n")),
            "{manifest}: not {version}"
        );
    }
}
