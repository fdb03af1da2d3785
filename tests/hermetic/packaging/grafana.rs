//! Grafana's and Prometheus' files in docker/, checked without either program. tests/live/dashboards.rs runs the queries.

use crate::given::{self, Language, Query, dashboards, docker, prometheus_rules, read, rules, sources, yaml};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PREFIX: &str = "kafka_influx_bridge_";

fn all_queries() -> Vec<Query> {
    let of_dashboards = dashboards().into_iter().flat_map(|dashboard| {
        dashboard.queries().into_iter().chain(dashboard.variables().into_iter().map(|(_, query)| query))
    });
    of_dashboards.chain(rules().into_iter().map(|rule| rule.query)).collect()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn dashboards_are_complete() {
    let sources = sources();
    let mut uids = BTreeSet::new();
    for dashboard in dashboards() {
        let file = &dashboard.file;
        assert_eq!(*file, format!("{}.json", dashboard.uid), "a file has the name of its uid");
        assert!(uids.insert(dashboard.uid.clone()), "{} twice", dashboard.uid);
        assert_eq!(dashboard.json["schemaVersion"], 41, "{file}");
        let mut ids = BTreeSet::new();
        for panel in dashboard.json["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_i64().unwrap()), "{file}: {} twice", panel["id"]);
        }
        for panel in dashboard.panels() {
            let title = panel["title"].as_str().unwrap();
            assert!(!title.is_empty(), "{file}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{file}: {title} has no unit");
            let uid = panel["datasource"]["uid"].as_str().unwrap();
            let source = sources.get(uid).unwrap_or_else(|| panic!("{file}: no source {uid}"));
            assert_eq!(panel["datasource"]["type"], source.kind, "{file}: {title}");
        }
    }
    // One dashboard for each example, and one for the bridge.
    let want = ["bridge", "broker-metrics", "ec2", "labs", "telegraf-agent", "telegraf-json-doc", "tweets"];
    assert_eq!(uids, want.map(str::to_owned).into());
}

#[test]
fn queries_name_existing_sources_and_variables() {
    let sources = sources();
    for query in all_queries() {
        assert!(sources.contains_key(&query.source), "{}: no source {}", query.place, query.source);
    }
    for dashboard in dashboards() {
        let variables: BTreeSet<String> = dashboard.variables().into_iter().map(|(name, _)| name).collect();
        for query in dashboard.queries() {
            for name in found(r"\$\{?([A-Za-z]\w*)", &query.text) {
                let is_grafanas = name == "timeFilter";
                assert!(is_grafanas || variables.contains(&name), "{}: no variable {name}", query.place);
            }
        }
    }
}

/// tests/live/dashboards.rs queries real metrics; this test finds a renamed metric at once.
#[test]
fn metrics_that_are_asked_for_exist() {
    let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/metrics.rs"));
    let exists = |name: &str| source.contains(&format!("\"{name}\""));
    let sources = sources();
    let mut names = BTreeSet::new();
    for query in all_queries() {
        if sources[&query.source].language == Language::PromQl {
            names.extend(found(&format!(r"\b{PREFIX}(\w+)"), &query.text));
            names.extend(found(r"\b(process_\w+)", &query.text));
        }
    }
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        let base = name.strip_suffix("_bucket").unwrap_or(&name);
        assert!(exists(base), "no metric {name}");
    }
}

#[test]
fn rules_of_grafana_and_prometheus_agree() {
    let mut of_prometheus = prometheus_rules();
    for rule in rules() {
        let Some(same) = of_prometheus.remove(&rule.title) else {
            assert!(rule.query.source != "prometheus", "Prometheus has no {}", rule.title);
            continue;
        };
        assert_eq!(same["expr"], rule.query.text, "{}", rule.title);
        assert_eq!(same["for"], rule.json["for"], "{}", rule.title);
        assert_eq!(same["labels"], rule.json["labels"], "{}", rule.title);
        assert_eq!(rule.limit, -1.0, "{}: the expression compares", rule.title);
    }
    assert!(of_prometheus.is_empty(), "Grafana has no {:?}", of_prometheus.keys());
}

#[test]
fn rules_are_complete() {
    let boards = dashboards();
    let mut uids = BTreeSet::new();
    for rule in rules() {
        let title = &rule.title;
        assert!(uids.insert(rule.json["uid"].to_string()), "{title}: a uid twice");
        assert_eq!(rule.json["condition"], "C", "{title}");
        for key in ["summary", "description"] {
            let text = rule.json["annotations"][key].as_str().unwrap();
            // Grafana would replace it by an environment variable.
            assert!(!text.is_empty() && !text.contains("${"), "{title}: {key}");
        }
        // A notification links to the panel in the annotations, Grafana's list to the one in the keys.
        assert_eq!(rule.json["annotations"]["__dashboardUid__"], rule.json["dashboardUid"], "{title}");
        let panel = rule.json["panelId"].to_string();
        assert_eq!(rule.json["annotations"]["__panelId__"], *panel, "{title}");
        let board = boards.iter().find(|board| rule.json["dashboardUid"] == *board.uid);
        let board = board.unwrap_or_else(|| panic!("{title}: no dashboard {}", rule.json["dashboardUid"]));
        assert!(board.panels().any(|panel| panel["id"] == rule.json["panelId"]), "{title}: no such panel");
    }
    assert_eq!(uids.len(), 19);
}

/// Grafana turns Flux's `_measurement` and `_field` into names, so neither is a label. An alarm whose series differ only in these is an
/// error.
#[test]
fn labels_in_rules_are_labels_in_grafana() {
    for rule in rules() {
        for label in found(r"\$labels\.(\w+)", &rule.json["annotations"].to_string()) {
            assert!(!label.starts_with('_'), "{}: {label}", rule.title);
            let is_asked_for = Regex::new(&format!(r"\b{label}\b")).unwrap().is_match(&rule.query.text);
            assert!(is_asked_for, "{}: {label} is not in its question", rule.title);
        }
    }
    for dashboard in dashboards() {
        for label in found(r"__field\.labels\.(\w+)", &dashboard.json.to_string()) {
            assert!(!label.starts_with('_'), "{}: {label}", dashboard.file);
        }
    }
}

/// Grafana evaluates the texts also when no alarm fires and there are no values. A function of a missing value would log an error at each
/// evaluation.
#[test]
fn texts_check_for_values_before_they_use_them() {
    let bare = Regex::new(r"^\$values\.[A-C]\.Value$").unwrap();
    for rule in rules() {
        for action in found(r"\{\{([^{}]*\$values[^{}]*)\}\}", &rule.json["annotations"].to_string()) {
            let action = action.trim();
            let waits = bare.is_match(action) || action.starts_with("with $values.");
            assert!(waits, "{}: {action}", rule.title);
        }
    }
}

#[test]
fn alarms_go_to_existing_contact_points() {
    let points = yaml("grafana/alerting/contact-points.yml");
    let points: Vec<&Value> =
        points["contactPoints"].as_array().unwrap().iter().map(|point| &point["name"]).collect();
    assert_eq!(points, ["slack", "webhook"]);
    let policy = &yaml("grafana/alerting/policies.yml")["policies"][0];
    // Grafana's built-in contact point.
    assert_eq!(policy["receiver"], "grafana-default-email");
    let routes = policy["routes"].as_array().unwrap();
    assert_eq!(routes.iter().map(|route| &route["receiver"]).collect::<Vec<_>>(), points);
    assert_eq!(routes[0]["continue"], true, "the second route is used, too");
}

#[test]
fn yaml_files_parse() {
    // GitHub ignores an issue form or a workflow that does not parse.
    let github = files(&docker().join("../.github"));
    assert!(github.len() >= 5, "{github:?}");
    let all = [files(&docker()), github].concat();
    let is_yaml = |path: &&PathBuf| {
        let is_template = path.components().any(|part| part.as_os_str() == "templates");
        path.extension().is_some_and(|end| end == "yml" || end == "yaml") && !is_template
    };
    let mut count = 0;
    for path in all.iter().filter(is_yaml) {
        for document in read(path).split("\n---\n") {
            let value = serde_yaml_ng::from_str::<Value>(document);
            assert!(value.as_ref().is_ok_and(Value::is_object), "{}: {value:?}", path.display());
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn compose_mounts_existing_files_and_sets_required_variables() {
    let compose = yaml("compose.yml");
    let mut mounted = Vec::new();
    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let (from, to) = volume.as_str().unwrap().split_once(':').unwrap();
            if let Some(file) = from.strip_prefix("./") {
                assert!(docker().join(file).exists(), "{name}: no {file}");
                assert!(to.ends_with(":ro"), "{name}: {file}");
                mounted.push(docker().join(file));
            } else {
                assert!(compose["volumes"].as_object().unwrap().contains_key(from), "{name}: {from}");
            }
        }
    }
    for folder in ["grafana", "prometheus", "influxdb"] {
        for file in files(&docker().join(folder)) {
            let is_mounted = mounted.iter().any(|path| file.starts_with(path));
            assert!(is_mounted, "{} is in no container", file.display());
        }
    }
    let set = &compose["services"]["grafana"]["environment"];
    for file in ["datasources.yml", "alerting/contact-points.yml", "alerting/policies.yml"] {
        let required = found(r"\$\{?([A-Z][A-Z_]+)", &read(&docker().join("grafana").join(file)));
        assert!(!required.is_empty(), "{file}");
        for name in required {
            assert!(set[&name].is_string(), "{file}: compose.yml does not set {name}");
        }
    }
    let documented = found(r"(?m)^([A-Z_]+)=", &read(&docker().join(".env.example")));
    assert_eq!(found(r"\$\{([A-Z_]+)", &read(&docker().join("compose.yml"))), documented, "of .env.example");
}

/// Grafana does not start with a contact point that has no URL.
#[test]
fn an_empty_url_is_replaced() {
    let environment = &given::yaml("compose.yml")["services"]["grafana"]["environment"];
    for (url, alerts) in [("SLACK_WEBHOOK_URL", "SLACK_ALERTS"), ("ALERT_WEBHOOK_URL", "WEBHOOK_ALERTS")] {
        assert_eq!(environment[url], format!("${{{url}:-http://localhost/{url}-is-empty}}"));
        assert_eq!(environment[alerts], format!("${{{url}:+.+}}"));
    }
}
