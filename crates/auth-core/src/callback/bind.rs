//! The port behind the redirect URI.
//!
//! See decision 0022.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::catch_unwind;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;

use crate::loopback_redirect::is_blocked;

/// How often another port is tried if the other address family's is taken, or browsers block it.
const TRIES: usize = 16;

/// Binds 127.0.0.1 and ::1 at one of these ports, or at one that the system chooses, and returns
/// the address for the redirect URI. A tunnel or a browser may use either family (RFC 8252 section
/// 7.3).
pub(super) fn loopback(ports: &[u16]) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    Handle::try_current().map_err(io::Error::other)?;
    let bind = || match ports {
        [] => first_fit(is_blocked),
        ports => first_free(ports),
    };
    // A runtime without IO reports it only by a panic.
    catch_unwind(bind).unwrap_or_else(|_no_io| {
        Err(io::Error::other(
            "the tokio runtime has no I/O driver: build it with enable_io or enable_all",
        ))
    })
}

fn first_fit(is_blocked: fn(u16) -> bool) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    // Kept until the end, so that the system chooses a different one each time.
    let mut unfit = Vec::new();
    for _ in 0..TRIES {
        match both(0)? {
            Some((address, listeners)) if is_blocked(address.port()) => unfit.push(listeners),
            Some(bound) => return Ok(bound),
            None => {}
        }
    }
    let (address, listeners) = one(v4(0)).or_else(|_no_v4| one(v6(0)))?;
    if is_blocked(address.port()) {
        return Err(io::Error::other("browsers block each port that is free"));
    }
    Ok((address, listeners))
}

/// The first of these ports that is free in both families.
fn first_free(ports: &[u16]) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let mut last = io::Error::from(ErrorKind::AddrInUse);
    for port in ports {
        match both(*port) {
            Ok(Some(bound)) => return Ok(bound),
            Ok(None) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// `None` if the port is taken in the other family: a second program must not receive the response.
fn both(port: u16) -> io::Result<Option<(SocketAddr, Vec<TcpListener>)>> {
    let (address, mut listeners) = match one(v4(port)) {
        Ok(bound) => bound,
        Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
        Err(_no_v4) => return one(v6(port)).map(Some),
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

/// No second program must be able to take the port (RFC 8252 appendix B.5).
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A registered port is wanted again while the connections of the last sign-in linger, which takes
    // a minute. On Linux this never lets two programs listen at one port; elsewhere it may.
    if cfg!(target_os = "linux") && address.port() != 0 {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(64)
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::io::Read as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    fn blocks_the_first_three(_port: u16) -> bool {
        ASKED.fetch_add(1, Ordering::SeqCst) < 3
    }

    #[tokio::test]
    async fn a_port_that_browsers_block_is_not_taken() {
        let (address, _listeners) = first_fit(blocks_the_first_three).unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(ASKED.load(Ordering::SeqCst), 4);
        assert!(first_fit(|_| true).is_err());
        for port in [2049, 5060, 6000, 6667, 10080] {
            assert!(is_blocked(port), "{port}");
        }
        assert!(!is_blocked(49_152));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_registered_port_is_free_right_after_a_sign_in_and_never_shared() {
        let (address, listeners) = loopback(&[]).unwrap();
        drop(listeners);
        let port = address.port();
        let (address, listeners) = loopback(&[port]).unwrap();
        let mut browser = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = listeners[0].accept().await.unwrap();
        // The side that closes first keeps the connection for a while.
        drop(accepted);
        assert_eq!(browser.read(&mut [0]).unwrap(), 0);
        drop(browser);
        assert!(loopback(&[port]).is_err());
        // With SO_REUSEADDR.
        assert!(std::net::TcpListener::bind(address).is_err());
        drop(listeners);
        assert!(loopback(&[port]).is_ok());
    }

    #[tokio::test]
    async fn of_registered_ports_the_first_free_one_is_taken() {
        let (taken, _listeners) = loopback(&[]).unwrap();
        let (free, listeners) = loopback(&[]).unwrap();
        drop(listeners);
        let (bound, _bound) = loopback(&[taken.port(), free.port()]).unwrap();
        assert_eq!(bound.port(), free.port());
        assert!(loopback(&[taken.port()]).is_err());
    }

    #[test]
    fn without_a_runtime_or_its_io_there_is_an_error_and_no_panic() {
        assert!(loopback(&[]).is_err());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let error = runtime
            .unwrap()
            .block_on(async { loopback(&[]).unwrap_err() });
        assert!(error.to_string().contains("enable_io"), "{error}");
    }
}
