//! The providers that can be signed in to, and their configuration by the environment and the
//! flags.

mod args;
mod client_file;
mod configure;
pub(crate) mod endpoints;
mod http;
mod name;
mod provider;
pub(crate) mod reader;
mod recipients;
pub(crate) mod servers;
mod stored;
mod table;
pub(crate) mod trust;

pub(crate) use self::args::{FlowName, ProviderArgs, RegionName, TrustArgs};
pub(crate) use self::http::http_client;
pub(crate) use self::name::ProviderName;
pub(crate) use self::provider::{Provider, api_base, ignored_api, manager};
pub(crate) use self::reader::careful_client;
pub(crate) use self::stored::Stored;
pub(crate) use self::table::Dialect;
