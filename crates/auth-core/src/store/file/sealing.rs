//! The content of a token file: a session as it is, or sealed.

use std::sync::Arc;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::store::seal::Seal;
use crate::token::OAuthToken;

/// The member of a sealed file that names its seal.
const SEALED_BY: &str = "sealed_by";

/// The seal of one session's file; none for a plain file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sealing(Option<Place>);

#[derive(Clone, Debug)]
struct Place {
    seal: Arc<dyn Seal>,
    name: String,
}

/// Why a content is not a session.
pub(super) enum Unopened {
    /// It is none, whatever the key.
    Corrupt(String),
    /// About the seal: a new sign-in must not replace it either.
    Failed(Error),
}

impl Sealing {
    pub(super) fn new(seal: Option<Arc<dyn Seal>>, name: String) -> Self {
        Self(seal.map(|seal| Place { seal, name }))
    }

    /// What a sealed form of that many bytes takes at most.
    pub(super) fn room(&self, size: usize) -> usize {
        match self.0 {
            // base64, and names.
            Some(_) => size / 3 * 4 + 4096,
            None => size,
        }
    }

    /// What belongs into the file before anything is sealed.
    pub(super) fn begin(&self) -> Result<Vec<u8>> {
        let Some(Place { seal, name }) = &self.0 else {
            return Ok(Vec::new());
        };
        let begun = seal.begin(name)?;
        match begun.is_empty() {
            true => Ok(Vec::new()),
            false => labelled(seal.as_ref(), begun),
        }
    }

    /// The content for the file.
    pub(super) fn seal(
        &self,
        begun: &[u8],
        content: &Zeroizing<Vec<u8>>,
        replaced: Option<&[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let Some(Place { seal, name }) = &self.0 else {
            return Ok(content.clone());
        };
        let begun = self.form(begun).unwrap_or_default();
        let replaced = replaced.and_then(|replaced| self.form(replaced));
        let sealed = seal.seal(name, &begun, content, replaced.as_ref())?;
        Ok(labelled(seal.as_ref(), sealed)?.into())
    }

    /// The session in a sealed file; `None` if the files are plain.
    pub(super) fn open(
        &self,
        bytes: &[u8],
    ) -> std::result::Result<Option<Zeroizing<Vec<u8>>>, Unopened> {
        let Some(Place { seal, name }) = &self.0 else {
            return Ok(None);
        };
        let failed = |why: String| Unopened::Failed(Error::new(ErrorKind::Store, why));
        match seal_of(bytes) {
            Some(found) if found == seal.name() => {}
            Some(found) => {
                return Err(failed(format!(
                    "it belongs to another kind of store ({found}): open it with that"
                )));
            }
            None if json::parse::<OAuthToken>(bytes).is_ok() => {
                return Err(failed(
                    "it is not protected, as a plain file has it: move it into this store first"
                        .into(),
                ));
            }
            None => return Err(Unopened::Corrupt("contains no protected session".into())),
        }
        let form = self.form(bytes).unwrap_or_default();
        match seal.open(name, &form) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::Corrupt => Err(Unopened::Corrupt(format!(
                "is damaged: {}",
                error.message()
            ))),
            Err(error) => Err(Unopened::Failed(error)),
        }
    }

    /// Removes what the content of a file refers to, if it is of this seal, except for what `kept`
    /// refers to.
    pub(super) fn discard(&self, bytes: &[u8], kept: Option<&[u8]>) -> Result<()> {
        let kept = kept.and_then(|kept| self.form(kept));
        match (&self.0, self.form(bytes)) {
            (Some(Place { seal, name }), Some(form)) => seal.discard(name, &form, kept.as_ref()),
            _ => Ok(()),
        }
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    fn form(&self, bytes: &[u8]) -> Option<Map<String, Value>> {
        let Place { seal, .. } = self.0.as_ref()?;
        let mut form: Map<String, Value> = serde_json::from_slice(text(bytes)).ok()?;
        let sealed_by = form.remove(SEALED_BY)?;
        (sealed_by.as_str() == Some(seal.name())).then_some(form)
    }
}

/// The name of the seal of a file; `None` if it has none.
pub(super) fn seal_of(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Label {
        sealed_by: String,
    }
    let label: Label = serde_json::from_slice(text(bytes)).ok()?;
    Some(label.sealed_by)
}

/// Reserved space after a content is empty, or spaces.
fn text(bytes: &[u8]) -> &[u8] {
    let used = bytes.iter().rposition(|byte| *byte != 0);
    bytes[..used.map_or(0, |last| last + 1)].trim_ascii()
}

fn labelled(seal: &dyn Seal, mut form: Map<String, Value>) -> Result<Vec<u8>> {
    form.insert(SEALED_BY.to_owned(), seal.name().into());
    serde_json::to_vec(&form).map_err(|source| {
        Error::new(ErrorKind::Store, "cannot write a protected session").with_source(source)
    })
}
