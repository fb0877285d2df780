//! What a provider records with a session, in as little memory as a service with many needs.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names and values that a provider needs to refresh one session, sorted by name.
///
/// A session has few, and a process may hold a million sessions: this takes 32 bytes for each besides
/// its text, where a map of the standard library takes half a kilobyte for the first. Changes are rare,
/// and copy it.
///
/// # Examples
///
/// ```
/// use llm_auth_core::store::ProviderData;
///
/// let mut data = ProviderData::default();
/// data.insert("region", "global");
/// data.insert("client_id", "made-up");
/// assert_eq!(data.get("region"), Some("global"));
/// assert_eq!(&data["client_id"], "made-up");
/// let names: Vec<_> = data.iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["client_id", "region"]);
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct ProviderData {
    /// Sorted by name, each once.
    entries: Box<[(Box<str>, Box<str>)]>,
}

impl ProviderData {
    /// The value of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// assert_eq!(ProviderData::default().get("region"), None);
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.find(name).ok()?;
        self.entries.get(at).map(|(_, value)| &**value)
    }

    /// Whether there is a value of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// assert!(!ProviderData::default().contains("region"));
    /// ```
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Whether there is nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// assert!(ProviderData::default().is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets a value, in place of a former one.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// let mut data = ProviderData::default();
    /// data.insert("region", "global");
    /// data.insert("region", "cn");
    /// assert_eq!(data.get("region"), Some("cn"));
    /// ```
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl Into<Box<str>>) {
        let name = name.as_ref();
        match self.find(name) {
            Ok(at) => {
                if let Some((_, former)) = self.entries.get_mut(at) {
                    *former = value.into();
                }
            }
            Err(at) => {
                let mut entries = std::mem::take(&mut self.entries).into_vec();
                entries.reserve_exact(1);
                entries.insert(at, (name.into(), value.into()));
                self.entries = entries.into_boxed_slice();
            }
        }
    }

    /// Adds the entries whose names are not there yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// let mut data = ProviderData::default();
    /// data.insert("region", "cn");
    /// data.add([("region", "global"), ("dialect", "mmx")]);
    /// assert_eq!((&data["region"], &data["dialect"]), ("cn", "mmx"));
    /// ```
    pub fn add<N: AsRef<str>, V: Into<Box<str>>>(
        &mut self,
        entries: impl IntoIterator<Item = (N, V)>,
    ) {
        for (name, value) in entries {
            if !self.contains(name.as_ref()) {
                self.insert(name, value);
            }
        }
    }

    /// The names and values, by name.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ProviderData;
    ///
    /// let mut data = ProviderData::default();
    /// data.insert("region", "cn");
    /// assert_eq!(data.iter().next(), Some(("region", "cn")));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (&**name, &**value))
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<N: AsRef<str>, V: Into<Box<str>>> Extend<(N, V)> for ProviderData {
    /// Sets each value, in place of a former one.
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.insert(name, value);
        }
    }
}

impl Index<&str> for ProviderData {
    type Output = str;

    /// # Panics
    ///
    /// If there is no value of this name.
    fn index(&self, name: &str) -> &str {
        self.get(name)
            .unwrap_or_else(|| panic!("no entry {name:?}"))
    }
}

impl fmt::Debug for ProviderData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for ProviderData {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ProviderData {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<Box<str>, Box<str>>::deserialize(from)?;
        Ok(Self {
            entries: entries.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_replaced_and_written_as_they_were_read() {
        let mut data = ProviderData::default();
        for (name, value) in [("b", "1"), ("c", "2"), ("a", "3"), ("b", "4")] {
            data.insert(name, value);
        }
        data.add([("a", "kept"), ("d", "5")]);
        let json = r#"{"a":"3","b":"4","c":"2","d":"5"}"#;
        assert_eq!(serde_json::to_string(&data).unwrap(), json);
        assert_eq!(serde_json::from_str::<ProviderData>(json).unwrap(), data);
        let twice = serde_json::from_str::<ProviderData>(r#"{"b":"1","a":"2","b":"3"}"#).unwrap();
        assert_eq!((&twice["a"], &twice["b"]), ("2", "3"));
        assert!(serde_json::from_str::<ProviderData>(r#"{"a":5}"#).is_err());
    }

    #[test]
    fn a_session_with_two_entries_takes_less_than_half_a_node_of_a_tree() {
        // Eleven names and eleven values, whatever there is.
        let node = 11 * 2 * size_of::<String>();
        let entries = size_of::<ProviderData>() + 2 * size_of::<(Box<str>, Box<str>)>();
        assert!(2 * entries < node, "{entries}");
    }
}
