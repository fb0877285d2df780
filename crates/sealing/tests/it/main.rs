//! What the seal promises to the stores.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]
#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]

use std::error::Error as _;

use llm_auth_core::{Error, ErrorKind};
use llm_auth_sealing::{Sealed, SealingKeys, WrongKey, derive};

const PLACE: [&str; 3] = ["made-up-store", "qwen", "ann"];
const CONTENT: &[u8] = b"made-up session";

fn keys(name: &str, byte: u8) -> SealingKeys {
    SealingKeys::new(name, &[byte; 32]).unwrap()
}

fn seal(keys: &SealingKeys) -> Sealed {
    Sealed::seal(Some(keys), &PLACE, CONTENT).unwrap()
}

fn open(sealed: &Sealed, keys: &SealingKeys) -> Result<Vec<u8>, Error> {
    let opened = sealed.open(Some(keys), &PLACE, "the session");
    opened.map(|content| content.to_vec())
}

fn is_wrong_key(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<WrongKey>())
}

fn assert_corrupt(error: &Error, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}");
    assert!(!is_wrong_key(error), "{what}");
}

#[test]
fn a_session_opens_with_its_key_and_shows_nothing_without_it() {
    let keys = keys("k", 7);
    let sealed = seal(&keys);
    assert_eq!(open(&sealed, &keys).unwrap(), CONTENT);
    assert!(!sealed.bytes.windows(7).any(|part| part == b"made-up"));
    let empty = Sealed::seal(Some(&keys), &PLACE, b"").unwrap();
    assert_eq!(open(&empty, &keys).unwrap(), b"");
}

#[test]
fn two_seals_of_the_same_session_have_nothing_in_common() {
    let keys = keys("k", 7);
    let (one, two) = (seal(&keys), seal(&keys));
    // After the format: the salt, and the content under another key.
    assert_ne!(one.bytes[1..33], two.bytes[1..33]);
    assert_ne!(one.bytes[33..], two.bytes[33..]);
}

#[test]
fn each_changed_or_missing_byte_is_damage_and_no_wrong_key() {
    let keys = keys("k", 7);
    let sealed = seal(&keys);
    for at in 0..sealed.bytes.len() {
        let mut cut = sealed.clone();
        cut.bytes.truncate(at);
        assert_corrupt(&open(&cut, &keys).unwrap_err(), "cut");
        for byte in 0..=255 {
            let mut changed = sealed.clone();
            changed.bytes[at] = byte;
            if changed.bytes != sealed.bytes {
                assert_corrupt(&open(&changed, &keys).unwrap_err(), "changed");
                assert_corrupt(&changed.check("it").unwrap_err(), "checked");
            }
        }
    }
    let id = sealed.key.clone().unwrap();
    for at in 0..id.len() {
        let mut other = id.clone().into_bytes();
        other[at] ^= 1;
        let mut changed = sealed.clone();
        changed.key = Some(String::from_utf8(other).unwrap());
        assert_corrupt(&open(&changed, &keys).unwrap_err(), "id");
    }
}

/// The checksum keeps no one out, as anyone can compute it: the tag does.
#[test]
fn a_value_that_was_forged_with_its_checksum_does_not_open() {
    let keys = keys("k", 7);
    let sealed = seal(&keys);
    let id = keys.current_id();
    for at in 1..sealed.bytes.len() - 8 {
        let mut forged = sealed.clone();
        forged.bytes[at] ^= 1;
        forged.bytes.truncate(sealed.bytes.len() - 8);
        let length = (id.len() as u64).to_be_bytes();
        let all = [&length, id.as_bytes(), &forged.bytes].concat();
        let sum = <sha2::Sha256 as sha2::Digest>::digest(all);
        forged.bytes.extend(&sum[..8]);
        forged.check("it").unwrap();
        assert_corrupt(&open(&forged, &keys).unwrap_err(), "forged");
    }
}

#[test]
fn a_value_that_was_moved_does_not_open() {
    let keys = keys("k", 7);
    let sealed = seal(&keys);
    for place in [
        &["made-up-store", "qwen", "ben"][..],
        &["made-up-store", "poe", "ann"],
        &["other-store", "qwen", "ann"],
        // The same text in other parts.
        &["made-up-store", "qwena", "nn"],
        &["made-up-storeqwenann"],
        &["made-up-store", "qwen", "ann", ""],
        &["made-up-store", "qwen"],
        &[],
    ] {
        let error = sealed.open(Some(&keys), place, "the session").unwrap_err();
        assert_corrupt(&error, &format!("{place:?}"));
    }
}

#[test]
fn a_key_that_is_wrong_or_missing_is_named_and_is_no_damage() {
    let sealed = seal(&keys("k.1", 1));
    for (keys, said) in [
        (
            Some(keys("k.1", 2)),
            "another key than the one given as `k.1`",
        ),
        (Some(keys("k", 1)), "the key `k.1`, which is not given"),
        (None, "the key `k.1`, which is not given"),
    ] {
        let error = sealed
            .open(keys.as_ref(), &PLACE, "the session in FILE")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(is_wrong_key(&error), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.to_string().contains("the session in FILE"), "{error}");
        sealed.check("it").unwrap();
    }
}

#[test]
fn an_older_key_opens_and_the_first_one_seals() {
    let (old, new) = (keys("old", 1), keys("new", 2));
    let both = keys("new", 2).with_older("old", &[1; 32]).unwrap();
    assert_eq!(open(&seal(&old), &both).unwrap(), CONTENT);
    let sealed = seal(&both);
    assert_eq!(sealed.key.as_deref(), Some(new.current_id()));
    assert_eq!(open(&sealed, &new).unwrap(), CONTENT);
    assert!(is_wrong_key(&open(&sealed, &old).unwrap_err()));
}

#[test]
fn a_session_that_is_not_encrypted_is_read_without_keys_or_if_they_accept_it() {
    let plain = Sealed::seal(None, &PLACE, CONTENT).unwrap();
    let without = plain.open(None, &PLACE, "the session").unwrap();
    assert_eq!(*without, CONTENT);
    let error = open(&plain, &keys("k", 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("is not encrypted"), "{error}");
    let accepted = open(&plain, &keys("k", 1).accept_unencrypted());
    assert_eq!(accepted.unwrap(), CONTENT);
}

#[test]
fn names_that_cannot_be_told_apart_are_rejected() {
    let longest = "k".repeat(64);
    assert!(SealingKeys::new(&longest, &[1; 32]).is_ok());
    for name in ["", "a b", "a:b", "ä", "a\n", &(longest + "k")] {
        let error = SealingKeys::new(name, &[1; 32]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}");
        assert!(keys("k", 1).with_older(name, &[1; 32]).is_err(), "{name}");
    }
    let both = keys("k", 1).with_older("l", &[2; 32]).unwrap();
    assert!(both.clone().with_older("k", &[3; 32]).is_err());
    assert!(both.with_older("l", &[3; 32]).is_err());
}

#[test]
fn neither_a_key_nor_a_session_is_printed() {
    let keys = keys("k", 77).with_older("l", &[78; 32]).unwrap();
    let printed = format!("{keys:?}");
    assert!(
        printed.contains(r#"["k", "l"]"#) && !printed.contains('7'),
        "{printed}"
    );
    let plain = Sealed::seal(None, &PLACE, CONTENT).unwrap();
    assert_eq!(format!("{plain:?}"), "Sealed { key: None, .. }");
}

#[test]
fn a_derived_key_depends_on_the_secret_the_salt_and_the_purpose() {
    let derived = derive(b"made-up secret", b"salt", "purpose").unwrap();
    for (secret, salt, info) in [
        ("made-up secreT", "salt", "purpose"),
        ("made-up secret", "Salt", "purpose"),
        ("made-up secret", "salt", "other"),
    ] {
        let other = derive(secret.as_bytes(), salt.as_bytes(), info).unwrap();
        assert_ne!(*other, *derived);
    }
}
