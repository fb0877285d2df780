//! Where a proxy listens: on this computer only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use llm_auth_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[cfg(unix)]
use crate::socket::Socket;

/// A loopback port or a unix socket that a proxy accepts connections on.
///
/// # Examples
///
/// ```
/// use llm_auth_proxy::Listener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_proxy::Result<()> {
/// let listener = Listener::loopback(0).await?;
/// assert!(listener.base_url("qwen").starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener(Kind);

/// How many connections may wait until they are accepted: as many as there may be. A connection that
/// finds no room is tried again by its client's system after a second; tokio's own number is 128.
const WAITING: u32 = 1024;

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(Socket),
}

/// A connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Listener {
    /// Listens on a port of 127.0.0.1, or of `::1` on a computer without IPv4. Port 0 takes a free
    /// one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`] if the port is in use or not allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_proxy::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_proxy::Result<()> {
    /// let listener = Listener::loopback(0).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn loopback(port: u16) -> Result<Self> {
        let bound = match listen((Ipv4Addr::LOCALHOST, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                listen((Ipv6Addr::LOCALHOST, port).into())
            }
            bound => bound,
        };
        let bound = bound.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self(Kind::Tcp(listener, address)))
        });
        bound.map_err(|source| {
            let message = match source.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("the port {port} is in use")
                }
                _ => format!("cannot listen on the port {port} of this computer"),
            };
            Error::new(ErrorKind::System, message).with_source(source)
        })
    }

    /// Listens on a unix socket at this path, for programs of this user only (mode 0600), and removes
    /// it in the end. A socket that no proxy listens on any more is replaced. A file beside it, with
    /// the ending `.lock`, is locked meanwhile, and stays.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if another proxy listens there, if another file is there, or if other
    /// users may write to the directory; [`ErrorKind::System`] if it cannot be created.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use llm_auth_proxy::Listener;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let listener = Listener::unix(&directory.path().join("proxy.socket"))?;
    /// assert_eq!(listener.base_url("qwen"), "http://localhost/qwen");
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn unix(path: &std::path::Path) -> Result<Self> {
        Socket::listen(path).map(|socket| Self(Kind::Unix(socket)))
    }

    /// The base URL of the session of that name, which takes the place of the base URL of its API.
    /// For a unix socket, the host says nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_proxy::Result<()> {
    /// # use llm_auth_proxy::Listener;
    /// let listener = Listener::loopback(0).await?;
    /// assert!(listener.base_url("qwen").ends_with("/qwen"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn base_url(&self, session: &str) -> String {
        match &self.0 {
            Kind::Tcp(_, address) => format!("http://{address}/{session}"),
            #[cfg(unix)]
            Kind::Unix(_) => format!("http://localhost/{session}"),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match &self.0 {
            Kind::Tcp(listener, _) => {
                let (stream, _peer) = listener.accept().await?;
                // An event must not wait for the next one.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            #[cfg(unix)]
            Kind::Unix(socket) => socket.accept().await.map(Stream::Unix),
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As `TcpListener::bind` does. On Windows it would let another program take the port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(WAITING)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream as Client;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn many_clients_connect_before_the_first_is_accepted() {
        let listener = Listener::loopback(0).await.unwrap();
        let Kind::Tcp(_, address) = listener.0 else {
            panic!("it listens on a port");
        };
        let connect = |_| Client::connect_timeout(&address, Duration::from_secs(10)).unwrap();
        let clients: Vec<_> = (0..300).map(connect).collect();
        assert_eq!(clients.len(), 300);
    }
}
