//! The forms that a secret takes in a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::RUN;

/// The forms of a secret in a text without escapes.
pub(super) fn needles(secret: &str) -> Vec<Zeroizing<String>> {
    let encoded = Zeroizing::new(percent_encoded(secret));
    let mut needles = vec![Zeroizing::new(secret.to_owned())];
    for base in [secret, encoded.as_str()] {
        let hex = Zeroizing::new(hexadecimal(base));
        needles.push(Zeroizing::new(hexadecimal(&hex)));
        for before in 0..3 {
            needles.push(Zeroizing::new(inner_base64(&hex, before)));
        }
        needles.push(hex);
        for before in 0..5 {
            needles.push(Zeroizing::new(inner_base32(base, before)));
        }
        for before in 0..3 {
            needles.push(Zeroizing::new(inner_base64(base, before)));
        }
        if *encoded == secret {
            break;
        }
    }
    needles
}

/// The pieces of a secret that a server sees if it splits an unescaped form at the secret's own
/// special characters, if they are too short for a run.
pub(super) fn parts(secret: &str) -> Vec<String> {
    let special = |c: char| !(c.is_ascii_alphanumeric() || "-._~".contains(c));
    if !secret.contains(special) {
        return Vec::new();
    }
    secret
        .split(special)
        .filter(|part| (4..RUN).contains(&part.len()))
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The part that is the same in the base64 of every text that has `base` after so many bytes,
/// modulo 3.
fn inner_base64(base: &str, before: usize) -> String {
    let bytes = Zeroizing::new([&[0; 3][..before], base.as_bytes()].concat());
    let whole = Zeroizing::new(STANDARD_NO_PAD.encode(bytes.as_slice()));
    let from = [0, 2, 3][before].min(whole.len());
    let to = whole.len() - usize::from(bytes.len() % 3 != 0);
    whole[from..to.max(from)].to_owned()
}

/// The same for base32 (RFC 4648 section 6), whose groups have 5 bytes.
pub(super) fn inner_base32(base: &str, before: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = Zeroizing::new(
        std::iter::repeat_n(0, before)
            .chain(base.bytes())
            .flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1)))
            .collect::<Vec<_>>(),
    );
    let (groups, _cut) = bits.as_chunks::<5>();
    let letters = groups.iter().skip((before * 8).div_ceil(5));
    letters
        .map(|group| group.iter().fold(0, |number, bit| number * 2 + bit))
        .map(|number| char::from(LETTERS[number]))
        .collect()
}

pub(super) fn hexadecimal(base: &str) -> String {
    base.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02x}")
            }
        })
        .collect()
}
