//! What keeps the content of session files from readers of the disk: [`Seal`].
//!
//! See decision 0064.

use std::fmt::Debug;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::Result;

/// How a [`FileTokenStore`](crate::FileTokenStore) keeps sessions that must not be on disk as they
/// are: it encrypts them, or keeps them elsewhere and leaves only a reference in the file.
///
/// The store does the rest as with plain files: the lock, the atomic replacement, the successor
/// after a kill. It calls these functions on threads that may block, and writes under the lock alone.
/// `place` names the session's file within its directory, `<provider>/<account>`, and is empty for a
/// store of one file: what was sealed for one place must not open at another. Nothing in a sealed
/// form may be secret.
///
/// Errors other than [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) are about the seal (a wrong
/// key, a locked keyring), and leave everything as it is. A `Corrupt` content counts as no session: a
/// new sign-in moves it aside.
///
/// # Examples
///
/// A seal that hides nothing:
///
/// ```
/// use std::sync::Arc;
///
/// use llm_auth_core::store::Seal;
/// use llm_auth_core::{Error, ErrorKind, FileTokenStore, Result};
/// use serde_json::{Map, Value, json};
/// use zeroize::Zeroizing;
///
/// #[derive(Debug)]
/// struct Open;
///
/// impl Seal for Open {
///     fn name(&self) -> &str {
///         "nothing"
///     }
///
///     fn seal(
///         &self,
///         place: &str,
///         _begun: &Map<String, Value>,
///         content: &[u8],
///         _replaced: Option<&Map<String, Value>>,
///     ) -> Result<Map<String, Value>> {
///         let form = json!({"place": place, "content": String::from_utf8_lossy(content)});
///         Ok(form.as_object().cloned().unwrap_or_default())
///     }
///
///     fn open(&self, place: &str, sealed: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>> {
///         match (sealed.get("place"), sealed.get("content")) {
///             (Some(found), Some(Value::String(content))) if *found == *place => {
///                 Ok(content.clone().into_bytes().into())
///             }
///             _ => Err(Error::new(ErrorKind::Corrupt, "it is of another session")),
///         }
///     }
/// }
///
/// let store = FileTokenStore::directory("/home/me/sessions").sealed_with(Arc::new(Open));
/// ```
pub trait Seal: Debug + Send + Sync {
    /// The member `sealed_by` of every file. Files of another seal, and plain ones, are errors.
    fn name(&self) -> &str;

    /// Acquires everything that a later [`seal`](Self::seal) needs: one that would fail fails here.
    /// What is returned is in a file, which a later holder of the lock finds and
    /// [discards](Self::discard), before `seal` is called. The default needs nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    fn begin(&self, _place: &str) -> Result<Map<String, Value>> {
        Ok(Map::new())
    }

    /// Seals a session, with what [`begin`](Self::begin) returned. `replaced` is the sealed form that
    /// this one replaces; it must still open afterwards.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    fn seal(
        &self,
        place: &str,
        begun: &Map<String, Value>,
        content: &[u8],
        replaced: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>>;

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if no key and no repeat can open it,
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) otherwise.
    fn open(&self, place: &str, sealed: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>>;

    /// Removes what a sealed form refers to, or what was only [begun](Self::begin); it may be gone
    /// already. `kept` is the form of the session that counts, if there is one: what it refers to
    /// stays, even if `sealed` names it too, as the form of a save that was killed names the session
    /// that it was to replace. The default does nothing, for a seal whose forms refer to nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    fn discard(
        &self,
        _place: &str,
        _sealed: &Map<String, Value>,
        _kept: Option<&Map<String, Value>>,
    ) -> Result<()> {
        Ok(())
    }
}
