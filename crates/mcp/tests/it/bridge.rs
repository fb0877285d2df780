//! The bridge, between an agent and a server that are both scripted.

mod agent;
mod cancellation;
mod end;
mod errors;
mod exchange;
mod modern;
mod official_servers;
mod server;
mod session;
mod sign_in;
mod size;
mod streams;
mod vendor;
