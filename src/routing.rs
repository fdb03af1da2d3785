//! Makes the routing of a configuration, with the schemas of its registry.

use configuration::Config;
use engine::{Routing, SchemaSource};
use mapping::Schemas;
use schema_registry::{BlockingRegistry, Registry, RegistryError, Settings};
use std::sync::Arc;

/// The routing of a configuration for commands that wait for each schema. `run` does not wait.
///
/// # Errors
/// When the settings of the registry give no client.
pub fn waiting_for_schemas(config: &Config) -> Result<Routing, RegistryError> {
    let registry = config
        .schema_registry
        .as_ref()
        .map(|settings| Ok::<_, RegistryError>(source(settings, Arc::new(BlockingRegistry::new(settings)?))));
    Ok(config.routing().with_schemas(registry.transpose()?))
}

/// The routing of a configuration for the service, which does not wait for schemas. `registry`: that of the configuration.
#[must_use]
pub fn of_service(config: &Config, registry: Option<&Registry>) -> Routing {
    let settings = config.schema_registry.as_ref().zip(registry);
    let source = settings.map(|(settings, registry)| source(settings, Arc::new(registry.clone())));
    config.routing().with_schemas(source)
}

fn source(settings: &Settings, schemas: Arc<dyn Schemas>) -> SchemaSource {
    SchemaSource::new(schemas, &settings.shown(), settings.unknown_id_max)
}
