//! The bridge, between an agent and a server that are both scripted.

mod agent;
mod cancellation;
mod end;
mod errors;
mod exchange;
mod memory;
mod modern;
mod official_servers;
mod old_transport;
mod server;
mod session;
mod sign_in;
mod silence;
mod size;
mod streams;
mod vendor;
