//! Destinations whose names depend on the topic: `bucket = "{topic:site}"`.

use base::{Api, Destination};
use mapping::{Part, Template, TopicPatterns};
use std::fmt;
use thiserror::Error;

/// Where the lines of a mapping are written.
#[derive(Clone, Debug, PartialEq)]
pub enum MappingDestination {
    Fixed(Destination),
    /// One destination for each topic.
    OfTopic(TopicDestination),
}

/// Names of a destination with placeholders: `{topic}` and `{topic:NAME}` only, so that a topic has one destination.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicDestination {
    pub api: Api,
    /// Empty where the API has none.
    pub org: String,
    /// The bucket or the database.
    pub name: Template,
    pub retention_policy: Option<Template>,
    /// The topic patterns with the named groups.
    pub patterns: TopicPatterns,
}

/// Reason why a topic has no destination.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoDestination {
    #[error("its name gives no {what}: {template:?} finds nothing in it")]
    Empty { what: &'static str, template: String },
    #[error("its {destination} would be one more than `destinations_max` = {max}")]
    TooMany { destination: Destination, max: usize },
}

impl MappingDestination {
    /// The destination of a topic.
    ///
    /// # Errors
    /// A placeholder finds nothing in the topic's name.
    pub fn of(&self, topic: &str) -> Result<Destination, NoDestination> {
        match self {
            Self::Fixed(destination) => Ok(destination.clone()),
            Self::OfTopic(destination) => destination.of(topic),
        }
    }

    /// The destination with its placeholders, for messages.
    pub fn unfilled(&self) -> Destination {
        match self {
            Self::Fixed(destination) => destination.clone(),
            Self::OfTopic(destination) => destination.unfilled(),
        }
    }

    pub fn is_of_topic(&self) -> bool {
        matches!(self, Self::OfTopic(_))
    }
}

impl TopicDestination {
    /// # Errors
    /// A placeholder finds nothing in the topic's name.
    pub fn of(&self, topic: &str) -> Result<Destination, NoDestination> {
        let name = |what| self.filled(&self.name, topic, what);
        Ok(match self.api {
            Api::V2 => Destination::Bucket { org: self.org.clone(), bucket: name("bucket")? },
            Api::V3 => Destination::Database3 { database: name("database")? },
            Api::V1 => {
                let policy = self.retention_policy.as_ref();
                let policy =
                    policy.map(|policy| self.filled(policy, topic, "retention policy")).transpose()?;
                Destination::Database { database: name("database")?, retention_policy: policy }
            }
        })
    }

    fn filled(&self, template: &Template, topic: &str, what: &'static str) -> Result<String, NoDestination> {
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Topic => Some(topic.to_owned()),
            Part::TopicGroup(name) => self.patterns.group(name, topic).map(str::to_owned),
            // The configuration refuses other placeholders here.
            Part::Partition | Part::Key | Part::Header(_) | Part::Selector(_) => None,
        };
        let filled: Option<String> = template.parts().iter().map(text).collect();
        filled
            .filter(|text| !text.is_empty())
            .ok_or_else(|| NoDestination::Empty { what, template: template.text().to_owned() })
    }

    fn unfilled(&self) -> Destination {
        let (name, policy) = (self.name.text().to_owned(), self.retention_policy.as_ref());
        match self.api {
            Api::V2 => Destination::Bucket { org: self.org.clone(), bucket: name },
            Api::V3 => Destination::Database3 { database: name },
            Api::V1 => {
                let retention_policy = policy.map(|policy| policy.text().to_owned());
                Destination::Database { database: name, retention_policy }
            }
        }
    }
}

/// Shows placeholders as they are written.
impl fmt::Display for MappingDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unfilled().fmt(f)
    }
}

impl NoDestination {
    /// The remedy in the alarm of the blocked topic.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty { .. } => {
                "correct the topic pattern or the destination in its [[mapping]], or exclude the topic, then reload (SIGHUP)"
            }
            Self::TooMany { .. } => {
                "raise `destinations_max` under [influx] and restart the bridge, or give several topics one destination"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn each_topic_has_its_destination() {
        let patterns = TopicPatterns(vec![Regex::new(r"^site\.(?<site>[^.]*)\.(?<kind>.*)$").unwrap()]);
        let template = |text: &str| Template::parse(text).unwrap();
        let destination = |api, name: &str, policy: Option<&str>| {
            let (name, retention_policy) = (template(name), policy.map(template));
            let patterns = patterns.clone();
            MappingDestination::OfTopic(TopicDestination {
                api,
                org: "o".to_owned(),
                name,
                retention_policy,
                patterns,
            })
        };
        let bucket = destination(Api::V2, "{topic:site}-{topic}", None);
        let want = Destination::Bucket { org: "o".to_owned(), bucket: "a-site.a.x".to_owned() };
        assert_eq!(bucket.of("site.a.x"), Ok(want));
        let empty = |what, template: &str| NoDestination::Empty { what, template: template.to_owned() };
        assert_eq!(bucket.of("site..x"), Err(empty("bucket", "{topic:site}-{topic}")));
        assert_eq!(bucket.of("other"), Err(empty("bucket", "{topic:site}-{topic}")));
        let database = destination(Api::V1, "{{{topic}", Some("{topic:kind}"));
        let want = Destination::Database {
            database: "{site.a.x".to_owned(),
            retention_policy: Some("x".to_owned()),
        };
        assert_eq!(database.of("site.a.x"), Ok(want));
        assert_eq!(database.of("site.a."), Err(empty("retention policy", "{topic:kind}")));
        assert_eq!(bucket.to_string(), "bucket \"{topic:site}-{topic}\" of org \"o\"");
    }
}
