//! What every OAuth 2.0 server does, apart from its providers' rules.

pub(crate) mod authorization_code;
pub(crate) mod device_code;
pub(crate) mod pkce;
pub(crate) mod tokens;
