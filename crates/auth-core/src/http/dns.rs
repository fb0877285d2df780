//! Host name lookups on the library's own threads: the HTTP library would start a thread for each
//! lookup, and panic if it cannot.
//!
//! See decision 0053.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_service::Service;

use crate::engine;
use crate::error::{Error, ErrorKind, Result};

#[derive(Clone, Debug)]
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

impl Service<dns::Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        Box::pin(async move {
            let found = engine::names().run(move || look_up(name.as_str())).await?;
            Ok(found.into_iter())
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
