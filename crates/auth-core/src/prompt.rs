//! The events of a sign-in, and the interface that shows them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::device::DeviceAuthorization;
use crate::error::Error;
use crate::secret::Secret;

/// Shows a sign-in to the user. The library itself never prints and never opens a browser.
///
/// A function or closure that takes a [`LoginEvent`] is a prompt too.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{LoginEvent, UserPrompt};
///
/// fn shows(prompt: &dyn UserPrompt) {
///     prompt.notify(&LoginEvent::CallbackReceived);
/// }
///
/// shows(&|event: &LoginEvent<'_>| eprintln!("{event}"));
/// ```
#[async_trait]
pub trait UserPrompt: Send + Sync {
    /// Shows one event. It is called in the middle of the sign-in: return soon.
    fn notify(&self, event: &LoginEvent<'_>);

    /// Waits for a text that the user pastes in place of the browser's response: the final URL, or
    /// the authorization code alone. It may take any time. It is called again only after it
    /// returned a text that did not help, and dropped when the browser was faster or the time is
    /// over. By default it never ends.
    ///
    /// The texts may be lines: an address that is broken over several is put together. An empty
    /// text is ignored. It must not block the thread, so read a line of standard input like this:
    ///
    /// ```
    /// # use llm_auth_core::{LoginEvent, Secret, UserPrompt, async_trait};
    /// # #[derive(Debug)]
    /// # struct Terminal;
    /// #[async_trait]
    /// impl UserPrompt for Terminal {
    ///     # fn notify(&self, _event: &LoginEvent<'_>) {}
    ///     // ...
    ///     async fn pasted(&self) -> Secret {
    ///         let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    ///         match line.await {
    ///             Ok(Some(Ok(line))) => Secret::from(line),
    ///             // Standard input has ended.
    ///             _ => std::future::pending().await,
    ///         }
    ///     }
    /// }
    /// ```
    async fn pasted(&self) -> Secret {
        std::future::pending().await
    }
}

impl<F: Fn(&LoginEvent<'_>) + Send + Sync> UserPrompt for F {
    fn notify(&self, event: &LoginEvent<'_>) {
        self(event);
    }
}

/// One thing that happens during a sign-in; shown as a line or two for the user's terminal.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Error, ErrorKind, LoginEvent};
///
/// let event = LoginEvent::CallbackReceived;
/// assert_eq!(event.to_string(), "Received the response; finishing the sign-in.");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginEvent<'a> {
    /// The browser's response has arrived, or a pasted one; the code is exchanged next.
    CallbackReceived,
    /// Open this URL in a browser; the response comes to the redirect URI on this computer.
    #[non_exhaustive]
    AuthorizationUrl {
        /// The whole authorization request. Show it to the user alone and keep it out of logs: its
        /// `state` is what a forged response lacks.
        url: &'a str,
        /// The loopback address that is listening.
        redirect_uri: &'a str,
        /// How long it listens.
        expires_in: Duration,
    },
    /// Go to the page and enter or compare the code. Show both the plain page and the code, even if
    /// the complete page is opened (RFC 8628 section 3.3.1).
    #[non_exhaustive]
    DeviceCode {
        /// Page, code and times.
        device: &'a DeviceAuthorization,
    },
    /// A request to the redirect URI, or a pasted text, is not the response; the sign-in goes on.
    #[non_exhaustive]
    Ignored {
        /// What was wrong with it, in the library's own words.
        why: &'static str,
        /// Whether the user pasted it, and may correct it.
        pasted: bool,
    },
    /// The limit of pasted addresses is reached, and all their codes were wrong. Only the browser
    /// itself, or a new sign-in, brings the response now: do not ask the user for an address any
    /// more. The [`Retrying`](Self::Retrying) of the last one follows.
    PastesExhausted,
    /// The server wants fewer polls.
    #[non_exhaustive]
    SlowedDown {
        /// The wait between polls from now on.
        interval: Duration,
    },
    /// A request failed; the sign-in goes on.
    #[non_exhaustive]
    Retrying {
        /// What happened.
        error: &'a Error,
    },
    /// Still waiting for the user.
    #[non_exhaustive]
    Waiting {
        /// The time that is left.
        left: Duration,
    },
}

impl<'a> LoginEvent<'a> {
    /// The event of a device sign-in, for providers outside this crate.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{LoginEvent, SecureUrl};
    /// use llm_auth_core::provider::{DeviceAuthorization, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/device");
    /// # let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT",
    /// #     "verification_uri": "https://auth.example/activate", "expires_in": 900}"#;
    /// # let response = Response::for_test(&endpoint, 200, body);
    /// let device = DeviceAuthorization::read(&response.json()?)?;
    /// let event = LoginEvent::device_code(&device);
    /// assert!(event.to_string().ends_with("The code is WDJB-MJHT."));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub const fn device_code(device: &'a DeviceAuthorization) -> Self {
        Self::DeviceCode { device }
    }

    /// The event of a sign-in in the browser, for providers outside this crate.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::LoginEvent;
    ///
    /// let event = LoginEvent::authorization_url(
    ///     "https://auth.example/authorize?client_id=my-app",
    ///     "http://127.0.0.1:40123/callback",
    ///     Duration::from_secs(300),
    /// );
    /// assert!(event.to_string().contains("https://auth.example/authorize"));
    /// ```
    #[must_use]
    pub const fn authorization_url(
        url: &'a str,
        redirect_uri: &'a str,
        expires_in: Duration,
    ) -> Self {
        Self::AuthorizationUrl {
            url,
            redirect_uri,
            expires_in,
        }
    }
}

impl fmt::Display for LoginEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallbackReceived => f.write_str("Received the response; finishing the sign-in."),
            Self::AuthorizationUrl { url, .. } => write!(f, "Open this page in a browser:\n{url}"),
            Self::DeviceCode { device } => write!(
                f,
                "Open this page in a browser:\n{}\nThe code is {}.",
                device.best_uri(),
                device.user_code
            ),
            Self::Ignored { why, .. } => {
                write!(f, "Ignored an unexpected response ({why}); still waiting.")
            }
            Self::PastesExhausted => {
                f.write_str("No more pasted addresses are accepted; finish in the browser.")
            }
            Self::SlowedDown { interval } => write!(
                f,
                "The server asked for fewer requests: sending one every {} s from now on.",
                interval.as_secs_f64()
            ),
            Self::Retrying { error } => write!(f, "{error}; retrying."),
            Self::Waiting { left } => write!(f, "Waiting; {} s left.", left.as_secs()),
        }
    }
}

/// A prompt that shows nothing; for tests and for programs that show events elsewhere.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{LoginEvent, Silent, UserPrompt as _};
///
/// // Prints nothing.
/// Silent.notify(&LoginEvent::CallbackReceived);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl UserPrompt for Silent {
    fn notify(&self, _event: &LoginEvent<'_>) {}
}
