//! Resolves the destination of each mapping: its own keys, else those of `[influx]`.

use super::destination_names;
use super::influx::{Defaults, refuse_other_api};
use super::section::Section;
use base::Api;
use engine::{MappingDestination, TopicDestination};
use mapping::{Template, TopicPatterns};

/// The destination keys of one `[[mapping]]`.
pub struct OwnDestination<'a> {
    section: Section<'a>,
    bucket: Option<Template>,
    database: Option<Template>,
    retention_policy: Option<Template>,
}

pub fn read(section: Section<'_>) -> OwnDestination<'_> {
    OwnDestination {
        section,
        bucket: destination_names::name(section, "bucket"),
        database: destination_names::name(section, "database"),
        retention_policy: destination_names::policy(section),
    }
}

/// The destinations of the mappings, in their order. Without mappings, the destination of the default mapping.
pub fn resolve(
    top: Section<'_>,
    own_destinations: &[OwnDestination<'_>],
    defaults: &Defaults,
) -> Vec<Option<MappingDestination>> {
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
        let message =
            format!("[influx] has no `{key}`: add {key} = \"NAME\", the {key} that gets the points");
        top.context.missing(Some(&defaults.header), "influx", key, message);
    } else if default.is_none() {
        let without = own_destinations.iter().filter(|own| !own.section.has(key));
        let message = format!(
            "neither this [[mapping]] nor [influx] has a `{key}`: add {key} = \"NAME\", the {key} that gets its points"
        );
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
    own: Option<&OwnDestination<'_>>,
    api: Api,
    defaults: &Defaults,
) -> Option<MappingDestination> {
    let pick = |own: Option<&Template>, default: &Option<Template>| own.or(default.as_ref()).cloned();
    let name = match api {
        Api::V2 => pick(own.and_then(|own| own.bucket.as_ref()), &defaults.bucket)?,
        Api::V1 | Api::V3 => pick(own.and_then(|own| own.database.as_ref()), &defaults.database)?,
    };
    let policy = pick(own.and_then(|own| own.retention_policy.as_ref()), &defaults.retention_policy);
    // An empty policy selects the server's default where [influx] names another policy.
    let retention_policy = policy.filter(|policy| api == Api::V1 && !policy.text().is_empty());
    let org = if api == Api::V2 { defaults.org.clone()? } else { String::new() };
    let templates = [Some(&name), retention_policy.as_ref()];
    let has_placeholders = templates.into_iter().flatten().any(Template::has_placeholders);
    let destination =
        TopicDestination { api, org, name, retention_policy, patterns: TopicPatterns::default() };
    if has_placeholders {
        return Some(MappingDestination::OfTopic(destination));
    }
    // Without placeholders, the topic makes no difference.
    destination.of("").ok().map(MappingDestination::Fixed)
}
