//! The location of the user: over SSH, in WSL, in a container, with or without a display. This
//! module does not decide what a sign-in shows.

use std::ffi::OsString;
use std::fs;
use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::shell_quote::quoted;
use crate::system::env;

/// What is known of the place, and the user's wish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Location {
    /// `Some` if the user came over SSH.
    pub(crate) ssh: Option<Ssh>,
    pub(crate) container: bool,
    pub(crate) wsl: bool,
    /// A graphical screen, or a system that has one always.
    pub(crate) display: bool,
    /// The variable `BROWSER` names something that opens pages, wherever that is.
    pub(crate) browser: Option<String>,
    /// Standard error is a terminal.
    pub(crate) terminal: bool,
}

/// What SSH tells of the way that the user came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ssh {
    /// The address of this computer as the user's has it, and the port of its SSH server.
    server: Option<(IpAddr, u16)>,
    user: Option<String>,
}

impl Location {
    pub(crate) fn detect() -> Self {
        let variable = env::value;
        let any = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
        let System {
            container: is_container,
            wsl: is_wsl,
        } = System::of(
            |name| variable(name).map(|value| value.to_string_lossy().into_owned()),
            |file| Path::new(file).exists(),
            &fs::read_to_string("/proc/version").unwrap_or_default(),
        );
        Self {
            ssh: any(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
                .then(|| Ssh::of(variable("SSH_CONNECTION"), variable("USER"))),
            container: is_container,
            wsl: is_wsl,
            display: cfg!(any(windows, target_os = "macos"))
                || is_wsl
                || any(&["DISPLAY", "WAYLAND_DISPLAY"]),
            browser: variable("BROWSER").and_then(|browser| browser.into_string().ok()),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Whether what opens pages here opens files of this computer too. Windows does not, seen from
    /// WSL, and there no other user reads the arguments of a program. What `BROWSER` names may
    /// open the page on another computer, as editors have it, unless the user sits here.
    pub(crate) fn opens_files(&self) -> bool {
        let is_here = self.ssh.is_none() && !self.container && self.display;
        cfg!(unix) && !self.wsl && (self.browser.is_none() || is_here)
    }

    /// Whether a browser is likely to be on another computer, so that a loopback address in it
    /// does not lead here.
    pub(crate) fn is_remote(&self) -> bool {
        self.ssh.is_some() || !self.display
    }

    /// What the place is called, for `doctor`.
    pub(crate) fn words(&self) -> String {
        let mut words = Vec::new();
        for (is, word) in [
            (self.ssh.is_some(), "over SSH"),
            (self.wsl, "in WSL"),
            (self.container, "in a container"),
            (self.display, "with a display"),
            (!self.display, "without a display"),
            (self.browser.is_some(), "with BROWSER set"),
        ] {
            if is {
                words.push(word);
            }
        }
        words.join(", ")
    }
}

/// What kind of system it is.
#[derive(Debug, Eq, PartialEq)]
struct System {
    container: bool,
    /// Windows is at hand, and with it the user's browser.
    wsl: bool,
}

impl System {
    /// `version` is what the kernel says of itself: a container has that of its host, which may be
    /// WSL's, but not the way from there to Windows.
    fn of(
        variable: impl Fn(&str) -> Option<String>,
        exists: impl Fn(&str) -> bool,
        version: &str,
    ) -> Self {
        // Within WSL systemd says that its container is WSL.
        let kind = variable("container").filter(|kind| kind != "wsl");
        let container = kind.is_some()
            || ["CODESPACES", "REMOTE_CONTAINERS", "KUBERNETES_SERVICE_HOST"]
                .iter()
                .any(|name| variable(name).is_some())
            || [
                "/.dockerenv",
                "/run/.containerenv",
                "/run/host/container-manager",
            ]
            .iter()
            .any(|mark| exists(mark));
        let is_kernel_of_wsl = version.to_ascii_lowercase().contains("microsoft");
        let has_variables = ["WSL_DISTRO_NAME", "WSL_INTEROP"]
            .iter()
            .any(|name| variable(name).is_some());
        Self {
            container,
            wsl: (is_kernel_of_wsl || has_variables) && !container,
        }
    }
}

impl Ssh {
    /// From `SSH_CONNECTION`: the client's address and port, then the server's.
    fn of(connection: Option<OsString>, user: Option<OsString>) -> Self {
        let plain = |name: &String| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let connection = connection.and_then(|text| text.into_string().ok());
        let words: Vec<&str> = connection.iter().flat_map(|text| text.split(' ')).collect();
        let server = match words.as_slice() {
            [_, _, address, port] => address.parse().ok().zip(port.parse().ok()),
            _ => None,
        };
        Self {
            server,
            user: user.and_then(|name| name.into_string().ok()).filter(plain),
        }
    }

    /// The command that lets the user's browser reach this address of this computer.
    pub(crate) fn tunnel(&self, to: SocketAddr) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@"));
        let user = user.unwrap_or_default();
        // zsh takes brackets for a pattern.
        let through = quoted(&format!("{}:{to}", to.port()));
        let through = format!("ssh -N -L {through}");
        match self.server {
            Some((host, 22)) => format!("{through} {user}{host}"),
            Some((host, at)) => format!("{through} -p {at} {user}{host}"),
            None => format!("{through} {user}HOST"),
        }
    }
}

/// Locations of the tests.
#[cfg(test)]
pub(crate) mod examples {
    use super::{Location, Ssh};

    pub(crate) fn desk() -> Location {
        Location {
            display: true,
            terminal: true,
            ..Location::default()
        }
    }

    pub(crate) fn over_ssh() -> Location {
        Location {
            ssh: Some(Ssh::default()),
            ..desk()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::examples::{desk, over_ssh};
    use super::*;

    #[test]
    fn a_container_on_a_kernel_of_wsl_has_no_way_to_windows() {
        let kernel = "Linux version 5.15.0-microsoft-standard-WSL2";
        let system = |set: (&'static str, &'static str), file: &'static str, version: &str| {
            let variable = |name: &str| (name == set.0).then(|| set.1.to_owned());
            let found = System::of(variable, |name| name == file, version);
            (found.container, found.wsl)
        };
        let none = ("", "");
        assert_eq!(system(none, "", kernel), (false, true));
        assert_eq!(system(("WSL_DISTRO_NAME", "Ubuntu"), "", ""), (false, true));
        assert_eq!(system(("container", "wsl"), "", kernel), (false, true));
        assert_eq!(
            system(none, "", "Linux version 6.8.0-generic"),
            (false, false)
        );
        for file in [
            "/.dockerenv",
            "/run/.containerenv",
            "/run/host/container-manager",
        ] {
            assert_eq!(system(none, file, kernel), (true, false), "{file}");
            let passed_on = ("WSL_INTEROP", "/run/WSL/1_interop");
            assert_eq!(system(passed_on, file, kernel), (true, false), "{file}");
        }
        for variable in ["container", "KUBERNETES_SERVICE_HOST"] {
            assert_eq!(system((variable, "x"), "", kernel), (true, false));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_opened_where_its_name_means_something() {
        assert!(desk().opens_files());
        let with_browser = |location: Location| Location {
            browser: Some("firefox %s".into()),
            ..location
        };
        assert!(with_browser(desk()).opens_files());
        assert!(!with_browser(over_ssh()).opens_files());
        // The screen is another one's, but the launcher runs here.
        assert!(over_ssh().opens_files());
        for location in [
            Location {
                wsl: true,
                ..desk()
            },
            with_browser(Location {
                container: true,
                ..desk()
            }),
            with_browser(Location::default()),
        ] {
            assert!(!location.opens_files(), "{location:?}");
        }
    }

    #[test]
    fn the_tunnel_goes_where_the_person_came_from() {
        let connection = |text: &str| Some(OsString::from(text));
        let at = |address: &str| address.parse().unwrap();
        let ssh = Ssh::of(
            connection("203.0.113.7 5000 192.0.2.4 22"),
            connection("mia"),
        );
        assert_eq!(
            ssh.tunnel(at("127.0.0.1:4711")),
            "ssh -N -L 4711:127.0.0.1:4711 mia@192.0.2.4"
        );
        let ssh = Ssh::of(connection("203.0.113.7 5000 2001:db8::1 2222"), None);
        assert_eq!(
            ssh.tunnel(at("[::1]:4711")),
            "ssh -N -L '4711:[::1]:4711' -p 2222 2001:db8::1"
        );
        let ssh = Ssh::of(connection("$(rm) x y z"), connection("$(rm)"));
        assert_eq!(
            ssh.tunnel(at("127.0.0.1:1")),
            "ssh -N -L 1:127.0.0.1:1 HOST"
        );
    }
}
