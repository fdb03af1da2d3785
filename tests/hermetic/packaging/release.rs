//! The files of a release: its workflow and scripts, the chart, versions, and the project's public address.

use super::{read, root};
use serde_yaml_ng::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `[workspace.package]` of Cargo.toml.
fn package() -> toml::Table {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    manifest["workspace"]["package"].as_table().unwrap().clone()
}

fn yaml(path: &Path) -> Value {
    serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o100 != 0)
}

/// A tag of an action can be moved to other code, and a permission that a job does not have can't be abused.
#[cfg(unix)]
#[test]
fn workflows_pin_their_actions_and_grant_each_job_only_what_it_needs() {
    let (mut actions, mut scripts) = (0, 0);
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = read(&path);
        for line in
            text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        {
            let (action, version) =
                line.split_once(" # v").unwrap_or_else(|| panic!("{line}: without its version"));
            let hash = action.split_once('@').map_or("", |(_, hash)| hash);
            assert!(
                hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
                "{line}: not pinned by a hash"
            );
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
            actions += 1;
        }
        let workflow = yaml(&path);
        assert_eq!(
            workflow["permissions"],
            Value::Mapping(serde_yaml_ng::Mapping::new()),
            "{}",
            path.display()
        );
        for (name, job) in workflow["jobs"].as_mapping().unwrap() {
            let name = name.as_str().unwrap();
            assert!(job["permissions"].is_mapping() && job["timeout-minutes"].is_u64(), "{name}");
            for (permission, level) in job["permissions"].as_mapping().unwrap() {
                let (permission, level) = (permission.as_str().unwrap(), level.as_str().unwrap());
                let is_right =
                    level == "read" || name == "publish" || (name, permission) == ("image", "packages");
                assert!(is_right, "{name}: {permission}: {level}");
            }
            for step in job["steps"].as_sequence().unwrap() {
                let is_checkout =
                    step["uses"].as_str().is_some_and(|action| action.starts_with("actions/checkout@"));
                assert!(!is_checkout || step["with"]["persist-credentials"] == Value::Bool(false), "{name}");
                let run = step["run"].as_str().unwrap_or_default();
                assert!(
                    !run.contains("${{"),
                    "{name}: text from outside becomes a part of the script: {run}"
                );
                for script in run
                    .split(|c: char| c.is_whitespace() || c == '(')
                    .filter(|word| word.starts_with("docker/"))
                {
                    assert!(is_executable(&root().join(script)), "{script} can't be run");
                    scripts += 1;
                }
            }
        }
    }
    assert!(actions >= 10 && scripts >= 6, "{actions}, {scripts}");
}

/// A C library is in no list of crates, so its vulnerabilities would go unnoticed.
#[test]
fn the_bill_of_materials_knows_every_crate_with_a_c_library() {
    // Bindings to what the system has, or to a library of another crate in this list.
    const WITHOUT_SOURCES: [&str; 8] = [
        "core-foundation-sys",
        "jni-sys",
        "js-sys",
        "openssl-sys",
        "security-framework-sys",
        "system-configuration-sys",
        "web-sys",
        "windows-sys",
    ];
    let script = read(&root().join("docker/release/sbom"));
    let lock = read(&root().join("Cargo.lock"));
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let native = names.filter(|name| name.ends_with("-sys") || name.ends_with("-src"));
    let native: Vec<&str> = native.filter(|name| !WITHOUT_SOURCES.contains(name)).collect();
    assert!(native.contains(&"rdkafka-sys"), "{native:?}");
    for name in native {
        assert!(
            script.contains(&format!("\"{name}\", of_")),
            "{name} has a C library that docker/release/sbom does not list"
        );
    }
}

#[test]
fn the_least_version_of_rust_is_the_one_that_tests_and_lints_use() {
    let least = package()["rust-version"].as_str().unwrap().to_owned();
    let toolchain: toml::Table = read(&root().join("rust-toolchain.toml")).parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(
        channel.starts_with(&format!("{least}.")),
        "rust-toolchain.toml has {channel}, Cargo.toml {least}"
    );
    // clippy takes it from Cargo.toml unless its own file has another one.
    assert!(!read(&root().join("clippy.toml")).contains("msrv"));
    for file in ["docs/README.md", "CONTRIBUTING.md", "docker/Dockerfile"] {
        let text = read(&root().join(file));
        let named = text.split("Rust ").skip(1).chain(text.split("rust:").skip(1));
        for version in named.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            assert!(version.starts_with(&least), "{file}: {}", version.lines().next().unwrap());
        }
    }
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let manifest: toml::Table = read(&path).parse().unwrap();
        assert_eq!(
            manifest["package"]["rust-version"]["workspace"].as_bool(),
            Some(true),
            "{}",
            path.display()
        );
    }
}

/// The badges of README.md, which need the project's public address.
fn badges(repository: Option<&str>) -> String {
    let Some(repository) = repository else { return String::new() };
    let workflow = format!("{repository}/actions/workflows/release.yml");
    format!(
        "[![release]({workflow}/badge.svg)]({workflow}) [Releases]({repository}/releases) · [Issues]({repository}/issues) · \
         [Security](SECURITY.md)\n"
    )
}

/// Links on the page for new issues, which need the project's public address.
fn contact_links(repository: Option<&str>) -> String {
    let Some(repository) = repository else { return String::new() };
    format!(
        "contact_links:\n\
         \x20 - name: Troubleshooting\n\
         \x20   url: {repository}/blob/HEAD/docs/troubleshooting.md\n\
         \x20   about: Each symptom and each message, with its cause and remedy\n\
         \x20 - name: Report a vulnerability\n\
         \x20   url: {repository}/security/advisories/new\n\
         \x20   about: In private. SECURITY.md says how reports are handled\n"
    )
}

/// Asserts that a file has this text between two of its lines. `UPDATE=1 cargo test --test hermetic packaging` writes it.
fn assert_part(file: &str, begin: &str, end: &str, part: &str) {
    let path = root().join(file);
    let text = read(&path);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no {begin:?}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no {end:?}"));
    let want = format!("{before}{begin}{part}{end}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &want).unwrap();
    }
    assert!(read(&path) == want, "{file}: UPDATE=1 cargo test --test hermetic packaging");
}

#[test]
fn badges_follow_the_public_address() {
    let package = package();
    let repository = package.get("repository").and_then(toml::Value::as_str);
    let begin = "<!-- badges: written by a test from `repository` in Cargo.toml -->\n";
    assert_part("README.md", begin, "<!-- end of badges -->\n", &badges(repository));
    assert_eq!(badges(None), "");
    assert!(
        badges(Some("https://h/o/p")).contains("(https://h/o/p/actions/workflows/release.yml/badge.svg)")
    );
}

#[test]
fn links_for_new_issues_follow_the_public_address() {
    let package = package();
    let repository = package.get("repository").and_then(toml::Value::as_str);
    let begin = "# links: written by a test from `repository` in Cargo.toml\n";
    let file = ".github/ISSUE_TEMPLATE/config.yml";
    assert_part(file, begin, "# end of links\n", &contact_links(repository));
    assert_eq!(yaml(&root().join(file))["blank_issues_enabled"], Value::Bool(true));
    assert_eq!(contact_links(None), "");
    let links: Value = serde_yaml_ng::from_str(&contact_links(Some("https://h/o/p"))).unwrap();
    let urls = links["contact_links"].as_sequence().unwrap().iter().map(|link| link["url"].as_str().unwrap());
    let want = ["https://h/o/p/blob/HEAD/docs/troubleshooting.md", "https://h/o/p/security/advisories/new"];
    assert!(urls.eq(want));
}

#[test]
fn the_image_and_the_chart_have_the_description_of_the_package() {
    let description = env!("CARGO_PKG_DESCRIPTION");
    let label = format!("org.opencontainers.image.description=\"{description}\"");
    assert!(read(&root().join("docker/Dockerfile")).contains(&label), "docker/Dockerfile has no {label}");
    let chart = yaml(&root().join("docker/chart/Chart.yaml"));
    assert_eq!(chart["description"].as_str(), Some(description));
}

/// An image is public as soon as it is pushed.
#[test]
fn an_image_is_pushed_only_after_the_tests_and_with_notes_for_its_release() {
    let workflow = yaml(&root().join(".github/workflows/release.yml"));
    let names = |value: &Value| {
        value.as_sequence().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let needs = names(&workflow["jobs"]["image"]["needs"]);
    assert!(needs.iter().any(|job| job == "test"), "the image needs only {needs:?}");
    let steps = workflow["jobs"]["test"]["steps"].as_sequence().unwrap();
    let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    for command in ["docker/release/notes", "cargo test --locked"] {
        assert!(runs.contains(&command), "the tests of a release do not run {command}: {runs:?}");
    }
}

#[test]
fn the_chart_has_the_version_and_a_valid_configuration() {
    let chart = yaml(&root().join("docker/chart/Chart.yaml"));
    let version = Value::String(env!("CARGO_PKG_VERSION").to_owned());
    assert_eq!((&chart["version"], &chart["appVersion"]), (&version, &version));
    let values = yaml(&root().join("docker/chart/values.yaml"));
    let text = values["configuration"].as_str().unwrap();
    // The mounted secret does not exist here.
    let text = text.replace("${file:/var/run/secrets/influxdb/token}", "${INFLUX_TOKEN}");
    let loaded =
        configuration::parse(Path::new("values.yaml"), &text, &|_| Some("token".to_owned())).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

/// The chart as helm renders it with these further arguments.
fn rendered(arguments: &[&str]) -> String {
    let output = Command::new(std::env::var_os("HELM").unwrap_or_else(|| "helm".into()))
        .args(["template", "kafka-influx-bridge"])
        .arg(root().join("docker/chart"))
        .args(arguments)
        .output()
        .expect("helm: `go install helm.sh/helm/v3/cmd/helm@v3.19.0`, or the variable HELM names it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("---\n").filter(|part| !part.trim().is_empty());
    parts
        .map(|part| serde_yaml_ng::from_str(part).unwrap_or_else(|error| panic!("{error}\n{part}")))
        .collect()
}

/// `UPDATE=1` writes docker/kubernetes/deployment.yaml again.
#[test]
#[ignore = "needs helm; .ci/run runs it"]
fn the_manifests_are_the_chart_as_helm_renders_it() {
    const HEADER: &str = "\
# Bridges of one group; KEDA sets their number by the group's lag, which it reads from Kafka, also while no bridge runs.
# Without KEDA leave out the last document, and set `replicas`. Bridges beyond the number of partitions stay idle.
# Made from docker/chart by `HELM=$(tests/release/install-helm) UPDATE=1 cargo test --test hermetic packaging::release -- --ignored`.
#
#   kubectl create secret generic kafka-influx-bridge --from-literal=token=...
#   kubectl apply --filename deployment.yaml
";
    let made = rendered(&["--set", "keda.enabled=true"]);
    let made = made
        .lines()
        .filter(|line| !line.starts_with("# Source: "))
        .map(|line| format!("{}\n", line.trim_end()));
    let made = HEADER.to_owned() + made.collect::<String>().strip_prefix("---\n").unwrap();
    let path = root().join("docker/kubernetes/deployment.yaml");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(
        read(&path) == made,
        "HELM=$(tests/release/install-helm) UPDATE=1 cargo test --test hermetic packaging::release -- --ignored"
    );
}

#[test]
#[ignore = "needs helm; .ci/run runs it"]
fn every_value_of_the_chart_reaches_the_pod() {
    let kinds = |documents: &[Value]| {
        documents.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let plain = documents(&rendered(&[]));
    assert_eq!(kinds(&plain), ["ConfigMap", "Deployment"]);
    assert_eq!(plain[1]["spec"]["replicas"].as_u64(), Some(1));
    assert_eq!(
        kinds(&documents(&rendered(&["--set", "keda.enabled=true"]))),
        ["ConfigMap", "Deployment", "ScaledObject"]
    );

    let folder = std::env::temp_dir().join(format!("bridge-chart-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let values = folder.join("values.yaml");
    let text = "\
replicas: 3
image: {repository: r.example.com/bridge, tag: test, pullPolicy: Always}
imagePullSecrets: [{name: pull}]
configuration: |
  # a # b: {{ not a template }}

  [kafka]
token: {secretName: other, key: influx}
env: [{name: KAFKA_PASSWORD, valueFrom: {secretKeyRef: {name: kafka, key: password}}}]
volumes: [{name: ca, configMap: {name: ca}}]
volumeMounts: [{name: ca, mountPath: /ca}]
resources: {limits: {memory: 1Gi}}
podAnnotations: {a: b}
podLabels: {team: metrics}
serviceAccountName: reader
nodeSelector: {disk: ssd}
tolerations: [{key: k, operator: Exists}]
affinity: {nodeAffinity: {}}
";
    fs::write(&values, text).unwrap();
    let all = documents(&rendered(&["--values", values.to_str().unwrap()]));
    let without_token = documents(&rendered(&["--set", "token.secretName="]));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(all[0]["data"]["bridge.toml"].as_str(), Some("# a # b: {{ not a template }}\n\n[kafka]\n"));
    let (deployment, pod) = (&all[1]["spec"], &all[1]["spec"]["template"]["spec"]);
    let container = &pod["containers"][0];
    let shown = |value: &Value| serde_json::to_string(value).unwrap();
    for (value, want) in [
        (&deployment["replicas"], "3"),
        (&container["image"], "\"r.example.com/bridge:test\""),
        (&container["imagePullPolicy"], "\"Always\""),
        (&pod["imagePullSecrets"], "[{\"name\":\"pull\"}]"),
        (&container["env"][0]["name"], "\"KAFKA_PASSWORD\""),
        (&container["resources"]["limits"], "{\"memory\":\"1Gi\"}"),
        (&container["volumeMounts"][2], "{\"mountPath\":\"/ca\",\"name\":\"ca\"}"),
        (
            &pod["volumes"][1]["secret"],
            "{\"secretName\":\"other\",\"items\":[{\"key\":\"influx\",\"path\":\"token\"}]}",
        ),
        (&pod["volumes"][2]["name"], "\"ca\""),
        (&pod["serviceAccountName"], "\"reader\""),
        (&pod["nodeSelector"], "{\"disk\":\"ssd\"}"),
        (&pod["tolerations"][0]["key"], "\"k\""),
        (&pod["affinity"], "{\"nodeAffinity\":{}}"),
        (&deployment["template"]["metadata"]["labels"]["team"], "\"metrics\""),
        (&deployment["template"]["metadata"]["annotations"]["a"], "\"b\""),
    ] {
        assert_eq!(shown(value), want);
    }
    let digest = |documents: &[Value]| {
        shown(&documents[1]["spec"]["template"]["metadata"]["annotations"]["checksum/configuration"])
    };
    assert_ne!(digest(&all), digest(&plain), "another configuration replaces the pods");
    let volumes = &without_token[1]["spec"]["template"]["spec"]["volumes"];
    assert_eq!(
        shown(volumes),
        "[{\"name\":\"configuration\",\"configMap\":{\"name\":\"kafka-influx-bridge\"}}]"
    );
}
