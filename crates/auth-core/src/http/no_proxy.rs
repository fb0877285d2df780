//! The hosts that requests reach without the proxy.

use std::net::IpAddr;

use reqwest::Url;

/// The hosts of a `NO_PROXY`: names with their subdomains, addresses, networks (`10.0.0.0/8`), `*`;
/// each with or without a port.
pub(super) struct NoProxy(Vec<Entry>);

struct Entry {
    host: Host,
    /// `None` means every port.
    port: Option<u16>,
}

enum Host {
    Every,
    Network(IpAddr, u8),
    /// Without a leading dot.
    Name(String),
}

impl NoProxy {
    /// The valid entries of a list; invalid ones match nothing.
    pub(super) fn read(list: &str) -> Self {
        Self(words(list).filter_map(Entry::read).collect())
    }

    /// Whether every entry is valid.
    pub(super) fn is_valid(list: &str) -> bool {
        words(list).all(|word| Entry::read(word).is_some())
    }

    pub(super) fn has(&self, url: &Url) -> bool {
        self.0.iter().any(|entry| entry.is_about(url))
    }
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split(|c: char| c == ',' || c.is_whitespace());
    words.filter(|word| !word.is_empty())
}

impl Entry {
    fn read(text: &str) -> Option<Self> {
        if text.contains("://") {
            return None;
        }
        // An IPv6 address has colons of its own.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (text, None),
        };
        Some(Self {
            host: Host::read(host)?,
            port,
        })
    }

    fn is_about(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        if self.port.is_some() && self.port != port {
            return false;
        }
        let asked = url.host_str().unwrap_or_default();
        let bare = asked.trim_start_matches('[').trim_end_matches(']');
        match &self.host {
            Host::Every => true,
            Host::Network(network, prefix) => bare
                .parse()
                .is_ok_and(|address| is_within(address, *network, *prefix)),
            Host::Name(name) => {
                let rest = asked.trim_end_matches('.').strip_suffix(name.as_str());
                !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }
}

impl Host {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Every);
        }
        let in_brackets = |text: &str| text.starts_with('[') || text.ends_with(']');
        // Also around the whole of a network.
        let whole = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(whole) = whole.filter(|whole| !in_brackets(whole)) {
            return Self::read(whole).filter(Self::is_of_version_6);
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let bare = address
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match bare.unwrap_or(address).parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) if bare.is_some() => None,
            Ok(address) => {
                let width = if address.is_ipv4() { 32 } else { 128 };
                let prefix = prefix.unwrap_or(width);
                (prefix <= width).then_some(Self::Network(address, prefix))
            }
            Err(_) if prefix.is_some() || bare.is_some() => None,
            Err(_) => {
                let name = text.trim_start_matches("*.").trim_matches('.');
                let is_of_names = |c: char| c.is_alphanumeric() || "-_.".contains(c);
                let is_name = !name.is_empty() && name.chars().all(is_of_names);
                is_name.then(|| Self::Name(name.to_ascii_lowercase()))
            }
        }
    }

    fn is_of_version_6(&self) -> bool {
        matches!(self, Self::Network(IpAddr::V6(_), _))
    }
}

fn is_within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let wide = |bits: u32| u128::from(bits) << 96;
            (wide(address.to_bits()), wide(network.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    match prefix.min(width) {
        0 => true,
        prefix => (address ^ network) >> (128 - u32::from(prefix)) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_host_nor_address_nor_network_is_not_valid() {
        for list in [
            "",
            "a.example",
            ".a.example",
            "*.a.example",
            "a_b.example.",
            "*",
            "*:8080",
            "b\u{fc}ro",
            "10.0.0.0/8",
            "10.1.2.3/32",
            "10.1.2.3:80",
            "fd00::/8",
            "fd00::1/128",
            "[fd00::1]",
            "[fd00::1]:80",
            "[fd00::]/8",
            "[fd00::/8]",
            "a, b\tc",
        ] {
            assert!(NoProxy::is_valid(list), "{list}");
        }
        for list in [
            "[[[",
            "]",
            "[]",
            "[a]",
            "[10.0.0.1]",
            "[fd00::1",
            "fd00::1]",
            "[[fd00::1]]",
            "10.0.0.0/99",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "fd00::/129",
            "fd00::1::2",
            "a.example/8",
            ".",
            "*.",
            "10.*",
            "a.*.example",
            "a@b",
            "<local>",
            "a.example:x",
            "http://a",
            "good,(",
            "\"a\"",
        ] {
            assert!(!NoProxy::is_valid(list), "{list}");
        }
    }

    #[test]
    fn a_host_goes_without_the_proxy_by_name_address_network_and_port() {
        for (list, url, expected) in [
            ("", "https://a.example", false),
            ("a.example", "https://a.example", true),
            ("a.example", "https://a.example:8443", true),
            ("A.Example", "https://a.example", true),
            (".a.example", "https://a.example", true),
            ("*.a.example", "https://b.a.example", true),
            ("a.example", "https://b.a.example", true),
            ("a.example", "https://ba.example", false),
            ("a.example:8443", "https://a.example:8443", true),
            ("a.example:8443", "https://b.a.example:8443", true),
            ("a.example:8443", "https://a.example", false),
            ("a.example:443", "https://a.example", true),
            ("a.example:x", "https://a.example", false),
            ("x, a.example:1 a.example:2", "https://a.example:2", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.0.0.0/0", "https://11.1.2.3", true),
            ("10.1.2.3", "https://10.1.2.3", true),
            ("10.1.2.3:8443", "https://10.1.2.3:8443", true),
            ("10.1.2.3:8443", "https://10.1.2.3", false),
            ("10.1.2.3/32", "https://10.1.2.4", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::1", "https://[fd00::1]", true),
            ("[fd00::1]:8443", "https://[fd00::1]:8443", true),
            ("[fd00::1]:8443", "https://[fd00::1]", false),
            ("*", "https://a.example:1", true),
            ("*:1", "https://a.example", false),
            (".", "https://a.example", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(NoProxy::read(list).has(&url), expected, "{list} {url}");
        }
    }
}
