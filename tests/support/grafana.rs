//! Parses the files for Grafana and Prometheus in docker/: dashboards, alert rules, data sources.

#![allow(dead_code, reason = "who shares this wants one or the other")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Language {
    Flux,
    InfluxQl,
    PromQl,
}

/// A provisioned data source.
#[derive(Debug)]
pub struct Source {
    pub kind: String,
    pub language: Language,
    /// The database for `InfluxQL`.
    pub database: Option<String>,
}

/// One query of a panel, a variable or a rule.
#[derive(Debug)]
pub struct Query {
    /// The position in the file, for messages.
    pub place: String,
    pub source: String,
    pub text: String,
}

pub struct Dashboard {
    pub file: String,
    pub uid: String,
    pub json: Value,
}

/// A Grafana alert rule.
pub struct Rule {
    pub title: String,
    pub json: Value,
    pub query: Query,
    /// The queried time range in seconds before now.
    pub from_seconds: i64,
    pub limit: f64,
}

pub fn docker() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docker")
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a file of docker/.
pub fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&read(&docker().join(path))).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_else(|| panic!("no {key} in {object}")).to_owned()
}

fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

/// Data sources by their uid.
pub fn sources() -> BTreeMap<String, Source> {
    let of = |source: &Value| {
        let kind = text(source, "type");
        let language = match source["jsonData"]["version"].as_str() {
            Some("Flux") => Language::Flux,
            Some("InfluxQL") => Language::InfluxQl,
            _ if kind == "prometheus" => Language::PromQl,
            other => panic!("a source of {kind} {other:?}"),
        };
        let database = source["jsonData"]["dbName"].as_str().map(str::to_owned);
        (text(source, "uid"), Source { kind, language, database })
    };
    list(&yaml("grafana/datasources.yml"), "datasources").iter().map(of).collect()
}

pub fn dashboards() -> Vec<Dashboard> {
    let folder = docker().join("grafana/dashboards");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let dashboard = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let json: Value = serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{file}: {error}"));
        Dashboard { uid: text(&json, "uid"), file, json }
    };
    paths.iter().map(dashboard).collect()
}

impl Dashboard {
    /// All panels except row headings.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json, "panels").iter().filter(|panel| panel["type"] != "row")
    }

    pub fn queries(&self) -> Vec<Query> {
        let of_panel = |panel: &Value| {
            let place = format!("{}: {}", self.file, text(panel, "title"));
            let targets = list(panel, "targets").iter();
            targets.map(|target| query(&place, &target["datasource"]["uid"], target)).collect::<Vec<_>>()
        };
        self.panels().flat_map(of_panel).collect()
    }

    /// Name and query of each variable.
    pub fn variables(&self) -> Vec<(String, Query)> {
        let of = |variable: &Value| {
            let name = text(variable, "name");
            let place = format!("{}: the variable {name}", self.file);
            let value = if variable["query"].is_object() { &variable["query"] } else { variable };
            (name, query(&place, &variable["datasource"]["uid"], value))
        };
        list(&self.json["templating"], "list").iter().map(of).collect()
    }
}

fn query(place: &str, source: &Value, object: &Value) -> Query {
    let text =
        object["expr"].as_str().or(object["query"].as_str()).unwrap_or_else(|| panic!("{place}: no query"));
    let source = source.as_str().unwrap_or_else(|| panic!("{place}: no source"));
    Query { place: place.to_owned(), source: source.to_owned(), text: text.to_owned() }
}

pub fn rules() -> Vec<Rule> {
    let file = yaml("grafana/alerting/rules.yml");
    let of = |rule: &Value| {
        let title = text(rule, "title");
        let step = |id: &str| {
            let step = list(rule, "data").iter().find(|step| step["refId"] == id);
            step.unwrap_or_else(|| panic!("{title} has no step {id}"))
        };
        let asks = step("A");
        let evaluator = &step("C")["model"]["conditions"][0]["evaluator"];
        assert_eq!(evaluator["type"], "gt", "{title}");
        Rule {
            query: query(&format!("the alarm {title}"), &asks["datasourceUid"], &asks["model"]),
            from_seconds: asks["relativeTimeRange"]["from"].as_i64().unwrap(),
            limit: evaluator["params"][0].as_f64().unwrap(),
            json: rule.clone(),
            title,
        }
    };
    list(&file, "groups").iter().flat_map(|group| list(group, "rules")).map(of).collect()
}

/// The Prometheus rules, by name.
pub fn prometheus_rules() -> BTreeMap<String, Value> {
    let file = yaml("prometheus/rules.yml");
    let rules = list(&file, "groups").iter().flat_map(|group| list(group, "rules"));
    rules.map(|rule| (text(rule, "alert"), rule.clone())).collect()
}
