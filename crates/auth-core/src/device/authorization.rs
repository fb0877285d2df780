//! The response of a device authorization endpoint.

use std::time::Duration;

use crate::echo::repeats;
use crate::error::{Error, ErrorKind, Result};
use crate::http::JsonObject;
use crate::sanitize::shown;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The lifetime of a device code if the response names none: 15 minutes.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(900);

/// The longest code that a user has to type or compare, in characters.
const LONGEST_CODE: usize = 64;

/// The longest address of a page that is shown and opened; browsers do not reliably accept longer
/// ones.
const LONGEST_URI: usize = 2_000;

/// What the user has to see, and what the polls have to send
/// ([RFC 8628 section 3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).
///
/// # Examples
///
/// ```
/// # use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::{DeviceAuthorization, Response};
///
/// # let endpoint = SecureUrl::known("https://auth.example/device");
/// let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT",
///     "verification_uri": "https://auth.example/activate", "interval": 5, "expires_in": 900}"#;
/// let response = Response::for_test(&endpoint, 200, body);
/// let device = DeviceAuthorization::read(&response.json()?)?;
/// assert_eq!(device.user_code, "WDJB-MJHT");
/// assert_eq!(device.expires_in.as_secs(), 900);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceAuthorization {
    /// The device code, for the polls. Do not show it.
    pub device_code: Secret,
    /// The code that the user types or compares.
    pub user_code: String,
    /// The page that the user visits; checked to be `https` or loopback.
    pub verification_uri: String,
    /// The same with the user code in it, if the server sent one.
    pub verification_uri_complete: Option<String>,
    /// How long the code lives.
    pub expires_in: Duration,
    /// The wait between polls, if the server asked for one.
    pub interval: Option<Duration>,
}

impl DeviceAuthorization {
    /// Codes and a page that were kept elsewhere, for a program whose processes share a sign-in: with
    /// the lifetime of 15 minutes, no interval and no complete page, until you set them.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::DeviceAuthorization;
    ///
    /// let page = "https://auth.example/device";
    /// let device = DeviceAuthorization::new("made-up".into(), "MADE-UP", page);
    /// assert_eq!(device.best_uri(), page);
    /// ```
    #[must_use]
    pub fn new(
        device_code: Secret,
        user_code: impl Into<String>,
        verification_uri: impl Into<String>,
    ) -> Self {
        Self {
            device_code,
            user_code: user_code.into(),
            verification_uri: verification_uri.into(),
            verification_uri_complete: None,
            expires_in: DEFAULT_LIFETIME,
            interval: None,
        }
    }

    /// Reads a standard response. Google's `verification_url` counts as `verification_uri`; an
    /// `interval` that is not a positive number counts as absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if a code or the verification URI is missing, if the URI is neither
    /// `https` nor loopback, if one of them repeats the device code, or if a server on the network
    /// names a page on this computer or on a private network.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DeviceAuthorization, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/device");
    /// let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT"}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// let error = DeviceAuthorization::read(&fields).unwrap_err();
    /// assert!(error.to_string().contains("verification_uri"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read(fields: &JsonObject) -> Result<Self> {
        let device_code = fields
            .text("device_code")
            .ok_or_else(|| missing("device_code"))?;
        // A negative lifetime has expired as much as a zero one.
        let expires_in = match fields.number("expires_in")? {
            Some(seconds) if seconds <= 0.0 => Duration::ZERO,
            _ => fields.seconds("expires_in")?.unwrap_or(DEFAULT_LIFETIME),
        };
        let interval = fields.seconds("interval").ok().flatten();
        Self::read_with(fields, device_code.into(), expires_in, interval)
    }

    /// Reads a response whose code and times have been worked out already (MiniMax).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DeviceAuthorization, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/device");
    /// let body = r#"{"code": "made-up", "user_code": "WDJB-MJHT",
    ///     "verification_uri": "https://auth.example/activate"}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// let code = fields.text("code").unwrap_or_default().into();
    /// let device = DeviceAuthorization::read_with(&fields, code, Duration::from_secs(600), None)?;
    /// assert_eq!(device.device_code.expose(), "made-up");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read_with(
        fields: &JsonObject,
        device_code: Secret,
        expires_in: Duration,
        interval: Option<Duration>,
    ) -> Result<Self> {
        let sent = fields
            .text("user_code")
            .ok_or_else(|| missing("user_code"))?;
        // A provider whose polls send the user code has no other code to hide.
        let hidden: &[Secret] = match device_code.expose() == sent && is_user_code(fields, sent) {
            true => &[],
            false => std::slice::from_ref(&device_code),
        };
        let user_code = shown(sent, LONGEST_CODE, hidden).ok_or_else(|| repeated("user_code"))?;
        if user_code.is_empty() {
            return Err(missing("user_code"));
        }
        let verification_uri = fields
            .text("verification_uri")
            .or_else(|| fields.text("verification_url"))
            .ok_or_else(|| missing("verification_uri"))?;
        if repeats(verification_uri, hidden) {
            return Err(repeated("verification_uri"));
        }
        Ok(Self {
            user_code,
            verification_uri: page(fields, verification_uri)?,
            // Without it, the user enters the code on the plain page; one that equals the plain page
            // (Hugging Face) holds no code.
            verification_uri_complete: fields
                .text("verification_uri_complete")
                .filter(|uri| *uri != verification_uri)
                .filter(|uri| uri.len() <= LONGEST_URI && !repeats(uri, hidden))
                .map(|uri| page(fields, uri))
                .transpose()?,
            device_code,
            expires_in,
            interval,
        })
    }

    /// The page to open: the complete URI if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DeviceAuthorization, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/device");
    /// let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT",
    ///     "verification_uri": "https://auth.example/activate",
    ///     "verification_uri_complete": "https://auth.example/activate?code=WDJB-MJHT"}"#;
    /// let device = DeviceAuthorization::read(&Response::for_test(&endpoint, 200, body).json()?)?;
    /// assert_eq!(device.best_uri(), "https://auth.example/activate?code=WDJB-MJHT");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn best_uri(&self) -> &str {
        self.verification_uri_complete
            .as_deref()
            .unwrap_or(&self.verification_uri)
    }
}

/// Whether the polls send the user code on purpose: the response has no other code for them, or the
/// provider does not use it.
fn is_user_code(fields: &JsonObject, user_code: &str) -> bool {
    fields
        .text("device_code")
        .is_none_or(|device_code| device_code != user_code)
}

/// The device code is enough to take the session.
fn repeated(name: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("the device authorization response repeats the device code in {name}"),
    )
}

fn missing(name: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("the device authorization response has no {name}"),
    )
}

/// A page that may be shown and opened: untrusted until it is `https`, or loopback from a server on
/// loopback. The result is the parsed form, in which control characters are escaped.
fn page(fields: &JsonObject, uri: &str) -> Result<String> {
    if uri.len() > LONGEST_URI {
        return Err(Error::new(
            ErrorKind::Protocol,
            "the device authorization response contains a verification URI of more than 2,000 \
             characters",
        ));
    }
    let bare = uri.split('#').next().unwrap_or_default();
    let page = SecureUrl::new(bare).map_err(|source| {
        Error::new(
            ErrorKind::Protocol,
            "the device authorization response contains a verification URI that is not https",
        )
        .with_source(source)
    })?;
    if !fields.may_name(&page) {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "the device authorization response contains a verification URI on this computer or \
                 its network ({}), which no provider uses",
                page.host()
            ),
        ));
    }
    Ok(page.as_str().to_owned())
}
