//! Host name lookups on the library's own threads: the HTTP library would start a thread for each
//! lookup, and panic if it cannot.
//!
//! See decision 0053.

use std::net::{SocketAddr, ToSocketAddrs as _};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::engine;
use crate::error::{Error, ErrorKind, Result};

#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = engine::names().run(move || look_up(name.as_str())).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

fn look_up(name: &str) -> Result<Vec<SocketAddr>> {
    // The HTTP library replaces this port.
    let found = (name, 0).to_socket_addrs();
    found.map(Iterator::collect).map_err(|source| {
        Error::new(ErrorKind::Transient, "cannot look up the host name").with_source(source)
    })
}
