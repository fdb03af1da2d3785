//! The client of a schema registry with Confluent's API: reads schemas by id, keeps them, and reads those again that are missing.
//!
//! Guarantees:
//! - [`Registry::find`] answers at once. Requests run on the runtime, and each missing schema is asked for while somebody wants it.
//! - Only the registry's own code for it (40403) means that it does not know an id. Everything else is a failure, which may pass.
//! - At most 1,000 schemas of 64 MiB are kept, and a response has at most 4 MB.
//!
//! ```text
//! mapper -> Registry::find -> cache: ready, unusable, missing
//!                               ^ |
//!              task of one id --+ +-> begins it
//!                 client -> GET /schemas/ids/{id}, GET /subjects/{subject}/versions/{version} for references
//! ```
//!
//! ```
//! let settings = schema_registry::Settings::new("http://localhost:8081".parse().unwrap());
//! assert_eq!(settings.unknown_id_max.as_secs(), 600);
//! ```

mod blocking;
mod cache;
mod client;
mod registry;
mod settings;

pub use blocking::BlockingRegistry;
pub use client::{Answer, Client, Failure};
pub use registry::{Counts, Delays, Registry};
pub use settings::{RegistryError, Settings};
