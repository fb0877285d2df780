//! The keyring of the operating system.

use std::sync::Arc;

use keyring_core::{CredentialStore, Error, Result};

/// The longest entry. Windows stores no more than 2,560 bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`); other
/// systems have no limit that a session meets.
pub(crate) const LONGEST_ENTRY: usize = if cfg!(windows) { 2_560 } else { 64 * 1024 };

#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) use linux::{check_unlocked, connect, is_absence, is_locked, is_refusal, label};
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(crate) use other::{check_unlocked, connect, is_absence, is_locked, is_refusal, label};

#[cfg(all(unix, not(target_vendor = "apple")))]
mod linux {
    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;

    use super::*;

    pub(crate) fn connect() -> Result<Arc<CredentialStore>> {
        let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
        Ok(store)
    }

    /// Whether the default collection is locked, without a prompt; `None` if that is unknown.
    pub(crate) fn is_locked() -> Option<bool> {
        let service = SecretService::connect(EncryptionType::Plain).ok()?;
        let collection = service.get_default_collection().ok()?;
        collection.is_locked().ok()
    }

    /// Checks, without a prompt, that no collection is hidden: KeePassXC finds nothing in a database
    /// that is locked, and has no collection without a database.
    pub(crate) fn check_unlocked() -> Result<()> {
        let failed = |source| Error::PlatformFailure(Box::new(source));
        let service = SecretService::connect(EncryptionType::Plain).map_err(failed)?;
        let collections = service.get_all_collections().map_err(failed)?;
        if collections.is_empty() {
            return Err(failed(secret_service::Error::NoResult));
        }
        // Entries may be in any of them: KeePassXC's default collection is the database that is shown.
        for collection in &collections {
            // What GNOME Keyring lists, it finds too.
            let shows = || {
                let items = collection.get_all_items();
                items.is_ok_and(|items| !items.is_empty())
            };
            if collection.is_locked().map_err(failed)? && !shows() {
                return Err(failed(secret_service::Error::Locked));
            }
        }
        Ok(())
    }

    /// Whether access was denied: a prompt was dismissed, or cannot be shown.
    pub(crate) fn is_refusal(error: &Error) -> bool {
        let (Error::PlatformFailure(source) | Error::NoStorageAccess(source)) = error else {
            return false;
        };
        match source.downcast_ref::<secret_service::Error>() {
            Some(secret_service::Error::Locked | secret_service::Error::Prompt) => true,
            // A call that needs no prompt, of a collection that was locked meanwhile.
            Some(error) => error.to_string().contains("Secret.Error.IsLocked"),
            None => false,
        }
    }

    /// Whether there is no bus, no service on it, or no collection.
    pub(crate) fn is_absence(error: &Error) -> bool {
        let (Error::PlatformFailure(source) | Error::NoStorageAccess(source)) = error else {
            return false;
        };
        let source = source.downcast_ref::<secret_service::Error>();
        matches!(
            source,
            Some(secret_service::Error::NoResult | secret_service::Error::Unavailable)
        )
    }

    /// The name of an entry in the programs that show a keyring.
    pub(crate) fn label(place: &str) -> Option<String> {
        Some(format!("llm-auth: {place}"))
    }
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
mod other {
    use super::*;

    pub(crate) fn connect() -> Result<Arc<CredentialStore>> {
        #[cfg(target_vendor = "apple")]
        let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new()?;
        #[cfg(windows)]
        let store: Arc<CredentialStore> = windows_native_keyring_store::Store::new()?;
        #[cfg(any(target_vendor = "apple", windows))]
        return Ok(store);
        #[cfg(not(any(target_vendor = "apple", windows)))]
        return Err(Error::NoDefaultStore);
    }

    pub(crate) fn is_locked() -> Option<bool> {
        None
    }

    pub(crate) fn check_unlocked() -> Result<()> {
        Ok(())
    }

    pub(crate) fn is_refusal(error: &Error) -> bool {
        matches!(error, Error::NoStorageAccess(_))
    }

    pub(crate) fn is_absence(error: &Error) -> bool {
        matches!(error, Error::NoDefaultStore)
    }

    pub(crate) fn label(_place: &str) -> Option<String> {
        None
    }
}
