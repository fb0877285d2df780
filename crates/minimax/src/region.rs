//! The variant of MiniMax: the region of an account, and the client to identify as.

use std::fmt;
use std::str::FromStr;

use llm_auth_core::{Error, ErrorKind, Result};

/// The region of an account. Accounts and tokens of one do not exist in the other.
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::Region;
///
/// assert_eq!("cn".parse::<Region>()?, Region::Cn);
/// assert_eq!(Region::default().to_string(), "global");
/// # Ok::<(), llm_auth_minimax::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Region {
    /// Mainland China: `minimaxi.com` and `minimax.cn`. Written `cn`.
    Cn,
    /// Everywhere else: `minimax.io`. Written `global`.
    #[default]
    Global,
}

/// The client to identify as, each with its own client id, scope and way to poll.
///
/// The old one of `api.minimax.io/oauth/code` is gone: it returns a redirect
/// (openclaw/openclaw#89389).
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::Dialect;
///
/// assert_eq!("mcode".parse::<Dialect>()?, Dialect::MiniMaxCode);
/// assert_eq!(Dialect::default().to_string(), "openclaw");
/// # Ok::<(), llm_auth_minimax::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Dialect {
    /// MiniMax Code: closest to RFC 8628, and the only one that can revoke. Written `mcode`.
    MiniMaxCode,
    /// mmx-cli, MiniMax's own command. Written `mmx`.
    Mmx,
    /// OpenClaw and its descendants, gochat among them. Written `openclaw`.
    #[default]
    OpenClaw,
}

impl Region {
    const ALL: [Self; 2] = [Self::Cn, Self::Global];

    /// The name as it is written and read: `cn` or `global`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_minimax::Region;
    ///
    /// assert_eq!(Region::Cn.name(), "cn");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::Global => "global",
        }
    }

    /// The domains, with all below them, that a session of this region may name as its API.
    pub(crate) const fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Cn => &["minimaxi.com", "minimax.cn"],
            Self::Global => &["minimax.io"],
        }
    }

    /// The region whose domain this host is in.
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let host = host.split(':').next().unwrap_or_default();
        let within = |domain: &&str| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        Self::ALL
            .into_iter()
            .find(|region| region.domains().iter().any(within))
    }
}

impl Dialect {
    const ALL: [Self; 3] = [Self::MiniMaxCode, Self::Mmx, Self::OpenClaw];

    /// The name as it is written and read: `mcode`, `mmx` or `openclaw`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_minimax::Dialect;
    ///
    /// assert_eq!(Dialect::Mmx.name(), "mmx");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MiniMaxCode => "mcode",
            Self::Mmx => "mmx",
            Self::OpenClaw => "openclaw",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Region {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything but a [`name`](Self::name).
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|region| region.name() == name);
        known.ok_or_else(|| Error::new(ErrorKind::Config, "a MiniMax region must be global or cn"))
    }
}

impl FromStr for Dialect {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything but a [`name`](Self::name).
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|dialect| dialect.name() == name);
        known.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "a MiniMax dialect must be openclaw, mmx or mcode",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for region in Region::ALL {
            assert_eq!(region.to_string().parse::<Region>().unwrap(), region);
        }
        for dialect in Dialect::ALL {
            assert_eq!(dialect.to_string().parse::<Dialect>().unwrap(), dialect);
        }
        assert!("intl".parse::<Region>().is_err());
        assert!("".parse::<Dialect>().is_err());
    }

    #[test]
    fn a_host_belongs_to_the_region_of_its_domain() {
        for (host, region) in [
            ("minimax.io", Some(Region::Global)),
            ("api.minimax.io:8443", Some(Region::Global)),
            ("api.minimaxi.com", Some(Region::Cn)),
            ("agent.minimax.cn", Some(Region::Cn)),
            ("evilminimax.io", None),
            ("minimax.io.example.com", None),
            ("", None),
        ] {
            assert_eq!(Region::of_host(host), region, "{host}");
        }
    }
}
