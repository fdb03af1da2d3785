//! The checks of the schema registry: it answers, the login is right, and it has the schemas of the sampled records.

use super::REQUEST_MAX;
use super::report::{Line, Report};
use super::sampled::Sampled;
use configuration::Config;
use mapping::SchemaId;
use schema_registry::{Answer, Client, Settings};
use std::io::{self, Write};

/// An id for a registry whose schemas no sampled record uses: a registry answers that it knows the id or not.
const ANY_ID: SchemaId = 1;

/// Checks all addresses of `schema_registry.url` or `schema_registry.urls`.
pub fn check(config: &Config, sampled: &Sampled<'_>, report: &mut Report<'_, impl Write>) -> io::Result<()> {
    let Some(settings) = &config.schema_registry else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for url in &settings.urls {
        let timeout = settings.timeout.min(REQUEST_MAX);
        let client = Client::new(&Settings { urls: vec![url.clone()], timeout, ..settings.clone() });
        let client = match client {
            Ok(client) => client,
            Err(error) => return report.add(&Line::failed("schema registry", error.to_string())),
        };
        report.add_all(runtime.block_on(address(&client, url.as_str(), sampled.schemas())))?;
    }
    Ok(())
}

/// `schemas`: the ids of the sampled records, each with a topic that has it.
async fn address(client: &Client, url: &str, schemas: impl Iterator<Item = (SchemaId, &str)>) -> Vec<Line> {
    let (mut lines, mut found) = (Vec::new(), 0_usize);
    let mut schemas: Vec<_> = schemas.map(|(id, topic)| (id, Some(topic))).collect();
    if schemas.is_empty() {
        schemas.push((ANY_ID, None));
    }
    for (id, topic) in schemas {
        let answer = match client.schema(id).await {
            Ok(answer) => answer,
            Err((_, failure)) => {
                // It concerns all ids.
                lines.insert(0, Line::failed(failure.why, failure.remedy));
                return lines;
            }
        };
        let Some(topic) = topic else { continue };
        let what = || format!("topic {topic:?}: schema {id} of a sampled record");
        match answer {
            Answer::Schema(text) => match text.compile() {
                Ok(_) => found += 1,
                Err(error) => lines.push(Line::failed(what(), error.to_string())),
            },
            Answer::Unknown => lines.push(Line::failed(
                what(),
                format!(
                    "the registry at {url} does not know it, and the topic waits for it: correct `url` of [schema_registry], or register \
                     the schema under its id"
                ),
            )),
        }
    }
    let what = match found {
        0 => format!("schema registry {url}: it answers"),
        1 => format!("schema registry {url}: it has a schema of the sampled records"),
        _ => format!("schema registry {url}: it has {found} schemas of the sampled records"),
    };
    lines.insert(0, Line::passed(what));
    lines
}
