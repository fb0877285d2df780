//! What `tools.json` says of each tool: where it comes from, and what the providers must have seen.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A tool, pinned, and its script's name.
pub(super) struct Recipe {
    pub(super) name: String,
    /// Packages of npm, each with its version.
    pub(super) npm: Vec<String>,
    /// Packages of PyPI, each with its version.
    pub(super) pip: Vec<String>,
    /// Programs that must be there already.
    pub(super) needs: Vec<String>,
    /// Provider, counter, number.
    expected: Vec<(String, String, u64)>,
}

/// All recipes, in the order of the file.
pub(super) fn all(directory: &Path) -> Result<Vec<Recipe>, String> {
    let file = directory.join("tools.json");
    let failed = |why: &dyn fmt::Display| format!("{}: {why}", file.display());
    let text = fs::read_to_string(&file).map_err(|error| failed(&error))?;
    let tools: Vec<Value> = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    Ok(tools.iter().map(Recipe::read).collect())
}

impl Recipe {
    fn read(tool: &Value) -> Self {
        let mut expected = Vec::new();
        for (provider, counters) in tool["expect"].as_object().into_iter().flatten() {
            for (counter, number) in counters.as_object().into_iter().flatten() {
                let number = number.as_u64().unwrap_or_default();
                expected.push((provider.clone(), counter.clone(), number));
            }
        }
        Self {
            name: tool["name"].as_str().unwrap_or_default().to_owned(),
            npm: words(&tool["npm"]),
            pip: words(&tool["pip"]),
            needs: words(&tool["needs"]),
            expected,
        }
    }

    /// Compares what the providers counted: chats that succeeded, refreshes as expected, and no
    /// refresh token that came twice.
    pub(super) fn judge(&self, state: &Value) -> Result<(), String> {
        let providers = state.as_object().into_iter().flatten();
        for (provider, counters) in providers.map(|(name, state)| (name, &state["counters"])) {
            if counters["reuse"].as_u64().unwrap_or_default() > 0 {
                return Err(format!("{provider}: a refresh token came twice"));
            }
        }
        if self.expected.is_empty() {
            return Err("tools.json expects nothing of it".to_owned());
        }
        for (provider, counter, expected) in &self.expected {
            let counters = &state[provider]["counters"];
            if counters["chats_ok"].as_u64().unwrap_or_default() == 0 {
                return Err(format!("{provider}: no chat succeeded"));
            }
            let is = counters[counter].as_u64();
            if is != Some(*expected) {
                return Err(format!("{provider}: {counter} is {is:?}, not {expected}"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for package in self.npm.iter().chain(&self.pip) {
            write!(f, " {package}")?;
        }
        Ok(())
    }
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten();
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recipe() -> Recipe {
        Recipe::read(&json!({"name": "x", "expect": {"qwen": {"refreshes": 1}}}))
    }

    fn state(chats: u64, refreshes: u64, reuse: u64) -> Value {
        let counters = json!({"chats_ok": chats, "refreshes": refreshes, "reuse": reuse});
        json!({"base_url": "http://127.0.0.1:1", "qwen": {"counters": counters}})
    }

    #[test]
    fn a_recipe_fails_without_a_chat_with_another_count_or_with_a_token_that_came_twice() {
        assert_eq!(recipe().judge(&state(3, 1, 0)), Ok(()));
        let no_chat = recipe().judge(&state(0, 1, 0)).unwrap_err();
        assert!(no_chat.contains("no chat"), "{no_chat}");
        let refreshed = recipe().judge(&state(3, 2, 0)).unwrap_err();
        assert!(refreshed.contains("refreshes is Some(2)"), "{refreshed}");
        let twice = recipe().judge(&state(3, 1, 1)).unwrap_err();
        assert!(twice.contains("came twice"), "{twice}");
    }

    #[test]
    fn every_recipe_has_a_script_expects_something_and_is_pinned_to_the_version_on_the_page() {
        let directory = Path::new("../crates/cli/tests/tools");
        let page = fs::read_to_string("../docs/tools/README.md").unwrap();
        for recipe in all(directory).unwrap() {
            let script = directory.join(format!("{}.sh", recipe.name));
            assert!(script.is_file(), "{}", script.display());
            assert!(!recipe.expected.is_empty(), "{}", recipe.name);
            for package in recipe.npm.iter().chain(&recipe.pip) {
                let version = package.rsplit(['@', '=']).next().unwrap_or_default();
                assert!(version.starts_with(char::is_numeric), "{package}");
                assert!(page.contains(&format!(" {version}")), "{package}");
            }
        }
    }
}
