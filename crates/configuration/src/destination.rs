//! Resolves the destination of each mapping: its own keys, else those of `[influx]`.

use super::influx::{Defaults, refuse_other_api};
use super::section::Section;
use base::{Api, Destination};

/// The destination keys of one `[[mapping]]`.
pub struct MappingDestination<'a> {
    section: Section<'a>,
    bucket: Option<String>,
    database: Option<String>,
    retention_policy: Option<String>,
}

pub fn read(section: Section<'_>) -> MappingDestination<'_> {
    let value = |key: &str| section.text(key).map(|text| text.value);
    MappingDestination {
        section,
        bucket: value("bucket"),
        database: value("database"),
        retention_policy: section.text_or_empty("retention_policy").map(|text| text.value),
    }
}

/// The destinations of the mappings, in their order. Without mappings, the destination of the default mapping.
pub fn resolve(
    top: Section<'_>,
    own_destinations: &[MappingDestination<'_>],
    defaults: &Defaults,
) -> Vec<Option<Destination>> {
    let Some(api) = defaults.api else {
        return Vec::new();
    };
    for own in own_destinations {
        refuse_other_api(own.section, api, defaults.api_is_written);
    }
    let (key, default) = match api {
        Api::V2 => ("bucket", &defaults.bucket),
        Api::V1 | Api::V3 => ("database", &defaults.database),
    };
    // If no mapping has a destination of its own, the error is reported once, for [influx].
    if default.is_none() && !own_destinations.iter().any(|own| own.section.has(key)) {
        let message = format!("[influx] has no `{key}`: where do the lines go?");
        top.context.missing(Some(&defaults.header), "influx", key, message);
    } else if default.is_none() {
        let without = own_destinations.iter().filter(|own| !own.section.has(key));
        let message = format!("neither this [[mapping]] nor [influx] has a `{key}`: where do its lines go?");
        without
            .for_each(|own| top.context.missing(Some(&own.section.header_span()), "influx", key, &message));
    }
    if own_destinations.is_empty() {
        vec![destination_of(None, api, defaults)]
    } else {
        own_destinations.iter().map(|own| destination_of(Some(own), api, defaults)).collect()
    }
}

fn destination_of(
    own: Option<&MappingDestination<'_>>,
    api: Api,
    defaults: &Defaults,
) -> Option<Destination> {
    let pick = |own: Option<&String>, default: &Option<String>| own.or(default.as_ref()).cloned();
    let database = || pick(own.and_then(|own| own.database.as_ref()), &defaults.database);
    Some(match api {
        Api::V3 => Destination::Database3 { database: database()? },
        Api::V2 => Destination::Bucket {
            org: defaults.org.clone()?,
            bucket: pick(own.and_then(|own| own.bucket.as_ref()), &defaults.bucket)?,
        },
        Api::V1 => Destination::Database {
            database: database()?,
            // An empty policy selects the server's default where [influx] names another policy.
            retention_policy: pick(
                own.and_then(|own| own.retention_policy.as_ref()),
                &defaults.retention_policy,
            )
            .filter(|policy| !policy.is_empty()),
        },
    })
}
