//! The URL of the database, and whether the way to it must be encrypted.

use std::net::IpAddr;
use std::time::Duration;

use llm_auth_core::store::check_server_url;
use llm_auth_core::{Error, ErrorKind, Result};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A server that has not accepted a connection by then is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Reads the URL. The environment is not read, so it must have a host, a user and a database.
pub(crate) fn parse(url: &str) -> Result<Config> {
    let config = |message: &str| Error::new(ErrorKind::Config, message);
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(config(
            "the store's URL does not begin with `postgres://`: write \
             `postgres://USER@HOST:PORT/DATABASE`",
        ));
    }
    check_server_url(url)?;
    // The certificate is always checked, as these two of libpq's modes demand.
    let (place, parameters) = url.split_at(url.find('?').unwrap_or(url.len()));
    let parameters = parameters
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let url = format!("{place}{parameters}");
    // The library's error may quote the password.
    let mut parsed: Config = url.parse().map_err(|_quoting| {
        config(
            "the store's URL cannot be read: write `postgres://USER:PASSWORD@HOST:PORT/DATABASE` \
             with special characters percent-encoded, and of the parameters only `application_name`, \
             `channel_binding`, `connect_timeout`, `dbname`, `host`, `hostaddr`, `load_balance_hosts`, \
             `options`, `password`, `port`, `sslmode`, `target_session_attrs` and `user`",
        )
    })?;
    for (is_missing, message) in [
        (
            parsed.get_hosts().is_empty(),
            "the store's URL names no host: add it",
        ),
        (
            parsed.get_user().is_none_or(str::is_empty),
            "the store's URL names no user: add it",
        ),
        (
            parsed.get_dbname().is_none_or(str::is_empty),
            "the store's URL names no database: add it",
        ),
    ] {
        if is_missing {
            return Err(config(message));
        }
    }
    if parsed.get_ssl_mode() == SslMode::Prefer {
        let mode = match is_local(&parsed) {
            true => SslMode::Disable,
            false => SslMode::Require,
        };
        parsed.ssl_mode(mode);
    }
    if parsed.get_connect_timeout().is_none() {
        parsed.connect_timeout(CONNECT_LIMIT);
    }
    if parsed.get_application_name().is_none() {
        parsed.application_name("llm-auth");
    }
    parsed.keepalives_idle(Duration::from_secs(30));
    Ok(parsed)
}

/// Whether all hosts are this computer, so that nothing is sent over a network.
pub(crate) fn is_local(config: &Config) -> bool {
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// The place in words, without the user and the password. Addresses that are connected to in place of
/// the hosts are part of it.
pub(crate) fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(number, host)| {
            let port = ports.get(number).or_else(|| ports.first());
            let port = port.copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    let database = config.get_dbname().unwrap_or_default();
    let addresses: Vec<String> = config
        .get_hostaddrs()
        .iter()
        .map(IpAddr::to_string)
        .collect();
    let mark = if addresses.is_empty() {
        ""
    } else {
        "?hostaddr="
    };
    crate::errors::shown(&format!(
        "postgres://{}/{database}{mark}{}",
        hosts.join(","),
        addresses.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_another_computer_is_encrypted_unless_the_url_forbids_it() {
        for (url, mode) in [
            ("postgres://u@127.0.0.1/d", SslMode::Disable),
            ("postgresql://u@[::1]:5433/d", SslMode::Disable),
            ("postgres://u@localhost/d?sslmode=prefer", SslMode::Disable),
            ("postgres://u@localhost/d?sslmode=require", SslMode::Require),
            ("postgres://u@db.example/d", SslMode::Require),
            ("postgres://u@db.example/d?sslmode=prefer", SslMode::Require),
            (
                "postgres://u@db.example/d?sslmode=verify-full",
                SslMode::Require,
            ),
            ("postgres://u@localhost,db.example/d", SslMode::Require),
            (
                "postgres://u@localhost/d?hostaddr=192.0.2.1",
                SslMode::Require,
            ),
            (
                "postgres://u@db.example/d?sslmode=disable",
                SslMode::Disable,
            ),
        ] {
            assert_eq!(parse(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_an_error_without_its_password() {
        for url in [
            "sqlite://u:made-up@h/d",
            "postgres://u:made-up@h:port/d",
            "postgres://u:made-up@h/d?made-up=made-up",
            "postgres://:made-up@h/d",
            "postgres://u:made-up@h",
            "postgres:///d?user=u&password=made-up",
            "postgres://u:p@made-up@h/d",
            "postgres://u:p@ss/made-up@h/d",
            "postgres://u:p/made-up@h/d",
            "postgres://u:p?made-up@h/d",
            "postgres://u:p#made-up@h/d",
            "postgres://u:p@h/d#made-up",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(
                !format!("{error:?}{error:#}").contains("made-up"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_password_is_the_one_that_the_url_has() {
        let url = "postgres://u:sslmode=verify-ca:%40%2F@h/d?sslmode=verify-full";
        let parsed = parse(url).unwrap();
        assert_eq!(parsed.get_password(), Some(&b"sslmode=verify-ca:@/"[..]));
        assert_eq!(place(&parsed), "postgres://h:5432/d");
    }

    #[test]
    fn the_place_names_the_database_and_neither_user_nor_password() {
        let config = parse("postgres://ann:made-up@db.example:5433/sessions").unwrap();
        assert_eq!(place(&config), "postgres://db.example:5433/sessions");
        assert!(!format!("{config:?}").contains("made-up"));
    }

    #[test]
    fn the_place_names_every_host_and_address_that_is_connected_to() {
        for (url, named) in [
            (
                "postgres://ann@db.example/d?hostaddr=192.0.2.1",
                "postgres://db.example:5432/d?hostaddr=192.0.2.1",
            ),
            (
                "postgres://ann@db.example/d?host=192.0.2.1",
                "postgres://db.example:5432,192.0.2.1:5432/d",
            ),
            (
                "postgres://ann@a.example:1,b.example:2/d?hostaddr=192.0.2.1,::1",
                "postgres://a.example:1,b.example:2/d?hostaddr=192.0.2.1,::1",
            ),
            ("postgres://ann@%2Frun%2Fpg:7/d", "postgres:///run/pg:7/d"),
        ] {
            assert_eq!(place(&parse(url).unwrap()), named);
        }
    }
}
