//! The example service as processes, with a server of Postgres and the simulated vendor.

mod client;
mod fleet;
mod instance;
mod manifests;
mod postgres;
mod sign_in;
mod support;
mod world;
