//! The port behind the redirect URI.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// How often another port is tried where the other family's is taken.
const TRIES: usize = 8;

/// Binds 127.0.0.1 and ::1 at one port that the system chooses; the address is the one for the
/// redirect URI. A tunnel or a browser may come by either family (RFC 8252 section 7.3).
pub(super) fn loopback() -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    for _ in 1..TRIES {
        if let Some(bound) = both()? {
            return Ok(bound);
        }
    }
    one(v4(0)).or_else(|_no_v4| one(v6(0)))
}

/// `None` if the port of the one family is taken in the other: a second program must not hear
/// what is meant for us.
fn both() -> io::Result<Option<(SocketAddr, Vec<TcpListener>)>> {
    let Ok((address, mut listeners)) = one(v4(0)) else {
        return one(v6(0)).map(Some);
    };
    match listen(v6(address.port())) {
        Ok(other) => listeners.push(other),
        Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
        Err(no_v6) => tracing::debug!(%no_v6, "listening on 127.0.0.1 alone"),
    }
    Ok(Some((address, listeners)))
}

fn one(address: SocketAddr) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let listener = listen(address)?;
    Ok((listener.local_addr()?, vec![listener]))
}

/// No `SO_REUSEADDR`: no second program shall take the port (RFC 8252 appendix B.5).
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(address)?;
    socket.listen(64)
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}
