//! The public keys of an issuer (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Checked, Refusal, invalid};
use crate::http::JsonObject;

/// The RSA keys for signatures. Others in the document are ignored (RFC 7517 section 5).
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// As `RSAPublicKey` of RFC 8017 appendix A.1.1, in DER.
    public: Vec<u8>,
}

impl KeySet {
    /// The keys of a document; `None` if it is no set of keys.
    pub(crate) fn read(document: &JsonObject) -> Option<Self> {
        let keys = document.objects("keys")?;
        Some(Self(keys.iter().filter_map(Key::read).collect()))
    }

    /// The keys that a signature may be by. A token without a key id is only clear if there is one
    /// key (OpenID Connect Core section 10.1).
    pub(super) fn named(&self, id: Option<&str>) -> Checked<Vec<&Vec<u8>>> {
        let keys = self.0.iter();
        let Some(id) = id else {
            return match &*self.0 {
                [only] => Ok(vec![&only.public]),
                [] => Err(Refusal::UnknownKey),
                _ => invalid("it does not name its key (`kid`), and the issuer has several"),
            };
        };
        let of_that_name = keys.filter(|key| key.id.as_deref() == Some(id));
        let found: Vec<_> = of_that_name.map(|key| &key.public).collect();
        match found.is_empty() {
            true => Err(Refusal::UnknownKey),
            false => Ok(found),
        }
    }
}

impl Key {
    fn read(fields: &JsonObject) -> Option<Self> {
        let is_or_absent = |name, value| !fields.has(name) || fields.text(name) == Some(value);
        let is_ours = fields.text("kty") == Some("RSA")
            && is_or_absent("use", "sig")
            && is_or_absent("alg", super::ALGORITHM);
        let number = |name| URL_SAFE_NO_PAD.decode(fields.text(name)?).ok();
        let (modulus, exponent) = (number("n")?, number("e")?);
        is_ours.then(|| Self {
            id: fields.text("kid").map(str::to_owned),
            public: sequence(&[integer(&modulus), integer(&exponent)].concat()),
        })
    }
}

/// An ASN.1 SEQUENCE in DER.
fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

/// An ASN.1 INTEGER in DER, from a number without sign: a zero octet keeps it positive.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let mut content = number[zeros..].to_vec();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tagged(0x02, &content)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|octet| **octet == 0).count();
    let mut encoded = vec![tag];
    match &length[zeros..] {
        [] => encoded.push(0),
        [short] if *short < 0x80 => encoded.push(*short),
        // At most eight octets.
        long => encoded.extend([0x80 | long.len() as u8].iter().chain(long)),
    }
    encoded.extend_from_slice(content);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_shortest_positive_integers_of_der() {
        assert_eq!(integer(&[1, 0, 1]), [2, 3, 1, 0, 1]);
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        let long = sequence(&[0; 300]);
        assert_eq!(long[..4], [0x30, 0x82, 1, 44]);
        assert_eq!(sequence(&[0; 200])[..3], [0x30, 0x81, 200]);
    }
}
