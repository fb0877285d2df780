//! The names of sessions in Redis: `prefix:{provider/account}`. What is in braces decides the slot of
//! a cluster, so all keys of a session are in one.

use std::fmt::Write as _;

use llm_auth_core::SessionKey;

/// Characters that have a meaning in a name, and `%` itself.
const ESCAPED: [char; 4] = ['%', '/', '{', '}'];

/// Those with a meaning in a pattern.
const PATTERN: [char; 6] = ['*', '?', '[', ']', '\\', '^'];

pub(crate) fn key(prefix: &str, session: &SessionKey) -> String {
    let (provider, account) = (escape(session.provider()), escape(session.account()));
    format!("{prefix}:{{{provider}/{account}}}")
}

/// The key of the copies of what was damaged, in the slot of the session. It does not end as the key of
/// a session does, so it is never taken for one.
pub(crate) fn copies(key: &str) -> String {
    format!("{key}:damaged")
}

/// The session that a key is of; `None` for a key that this crate does not make.
pub(crate) fn session(prefix: &str, key: &str) -> Option<SessionKey> {
    let rest = key.strip_prefix(prefix)?.strip_prefix(":{")?;
    let (provider, account) = rest.strip_suffix('}')?.split_once('/')?;
    let session = SessionKey::new(unescape(provider)?, unescape(account)?);
    (self::key(prefix, &session) == key).then_some(session)
}

/// The pattern of all keys.
pub(crate) fn pattern(prefix: &str) -> String {
    let mut pattern = String::new();
    for character in prefix.chars() {
        if PATTERN.contains(&character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + ":{*}"
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        match ESCAPED.contains(&character) || character.is_control() {
            // All of these are ASCII, or two bytes of a control character.
            true => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _never_fails = write!(escaped, "%{byte:02X}");
                }
            }
            false => escaped.push(character),
        }
    }
    escaped
}

fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_has_a_name_of_its_own_and_is_found_by_it() {
        let names = [
            "a",
            "a/b",
            "a%2Fb",
            "{a}",
            "a}",
            "}{",
            "%",
            "ä\u{1f511}",
            "a\n\u{85}b",
            "*?[\\",
        ];
        let mut keys = Vec::new();
        for provider in names {
            for account in names {
                let session = SessionKey::new(provider, account);
                let key = key("p", &session);
                assert_eq!(self::session("p", &key), Some(session));
                assert_eq!((key.matches('{').count(), key.matches('}').count()), (1, 1));
                keys.push(key);
            }
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), names.len() * names.len());
    }

    #[test]
    fn keys_of_others_are_no_sessions() {
        for key in [
            "p:{a}",
            "p:{a/b/c}",
            "q:{a/b}",
            "p:{a/b}x",
            "p:{a/b}:damaged",
            "p:{a/%zz}",
            "p:{a/%2f}",
        ] {
            assert_eq!(session("p", key), None, "{key}");
        }
    }

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(pattern("a*[b]"), r"a\*\[b\]:{*}");
    }
}
