//! What each tool reads: one data file.

use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Deserialize;
use serde_json::Value;

use super::setting::{Format, Leaf, Lenient};
use super::tree::Tree;
use crate::commands::tools::Place;

/// The settings of each tool.
const RECIPES: &str = include_str!("recipes.json");

/// A program whose settings can be written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) title: String,
    /// For the API of a provider.
    pub(super) model: Option<Recipe>,
    /// For an MCP server.
    pub(super) mcp: Option<Recipe>,
    /// What to run if the settings cannot name a command that prints a token.
    pub(super) instead: Option<String>,
}

/// The settings for one purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub(super) file: Place,
    pub(super) format: Format,
    /// With placeholders.
    settings: Tree,
    /// What the tool does not read in the file.
    #[serde(default)]
    pub(super) without: Vec<Lenient>,
    /// Members that hold a credential or a URL beside the settings, with placeholders.
    #[serde(default)]
    rivals: Vec<String>,
    /// Members of the user's that may name the provider, alone or as in `provider/model`: the tool does
    /// not work if it is gone.
    #[serde(default)]
    pub(super) named_by: Vec<String>,
    /// The arguments of this command.
    pub(super) call: Vec<String>,
    /// The line that starts the tool then.
    run: String,
}

static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    // A test reads it too.
    serde_json::from_str(RECIPES).unwrap_or_default()
});

/// A tool as the command line names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named(pub(super) &'static Tool);

pub(super) fn tool() -> impl TypedValueParser<Value = Named> {
    let names = ALL.iter().map(|tool| {
        let value = PossibleValue::new(tool.name.as_str());
        value.help(tool.title.as_str())
    });
    PossibleValuesParser::new(names).try_map(|name| {
        let found = ALL.iter().find(|tool| tool.name == name);
        found.map(Named).ok_or("there is no such tool")
    })
}

/// Those with settings for the API of a provider.
pub(super) fn for_models() -> impl Iterator<Item = &'static str> {
    let tools = ALL.iter().filter(|tool| tool.model.is_some());
    tools.map(|tool| tool.name.as_str())
}

/// Whether a tool has settings for the API of a provider.
pub(super) fn writes_model(name: &str) -> bool {
    for_models().any(|other| other == name)
}

/// What the placeholders stand for.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// `{provider}`, `{title}`, `{api}`, `{model}`.
    pub(super) texts: Vec<(&'static str, String)>,
    /// The program and its arguments: `{command}` and `{args}`, `{words}`, or `{line}` for a shell.
    pub(super) words: Vec<String>,
    /// The same, quoted for a shell.
    pub(super) line: String,
}

impl Recipe {
    /// Whether a placeholder is in the settings or the line.
    pub(super) fn needs(&self, placeholder: &str) -> bool {
        self.settings.contains(placeholder) || self.run.contains(placeholder)
    }

    /// The settings, one by one.
    pub(super) fn leaves(&self, meaning: &Meaning) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        meaning.collect(&mut leaves, &mut Vec::new(), &self.settings);
        leaves
    }

    /// The members that go beside the settings.
    pub(super) fn rivals(&self, meaning: &Meaning) -> Vec<Vec<String>> {
        let rivals = self.rivals.iter();
        let path = |rival: &String| rival.split('.').map(|name| meaning.text(name)).collect();
        rivals.map(path).collect()
    }

    /// Whether a path begins as its settings do.
    pub(super) fn begins(&self, path: &[String]) -> bool {
        match &self.settings {
            Tree::Members(members) => members.iter().any(|(name, _)| Some(name) == path.first()),
            Tree::Value(_) => false,
        }
    }

    /// The line that starts the tool.
    pub(super) fn run(&self, meaning: &Meaning) -> String {
        meaning.text(&self.run).replace("{line}", &meaning.line)
    }
}

impl Meaning {
    /// A text without its placeholders.
    pub(super) fn text(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        self.texts.iter().fold(text.to_owned(), fill)
    }

    fn collect(&self, leaves: &mut Vec<Leaf>, path: &mut Vec<String>, tree: &Tree) {
        match tree {
            Tree::Members(members) => {
                for (name, below) in members {
                    path.push(self.text(name));
                    self.collect(leaves, path, below);
                    path.pop();
                }
            }
            Tree::Value(value) => leaves.push(Leaf {
                path: path.clone(),
                value: self.filled(value),
            }),
        }
    }

    fn filled(&self, value: &Value) -> Value {
        let arguments = self.words.get(1..).unwrap_or_default();
        match value.as_str() {
            Some("{command}") => self.words.first().cloned().into(),
            Some("{args}") => arguments.into(),
            Some("{words}") => self.words.as_slice().into(),
            Some("{line}") => self.line.as_str().into(),
            Some(text) => self.text(text).into(),
            None => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tools::named;

    #[test]
    fn every_recipe_is_complete_and_knows_its_placeholders() {
        const KNOWN: [&str; 4] = ["{provider}", "{title}", "{api}", "{model}"];
        let tools: Vec<Tool> = serde_json::from_str(RECIPES).unwrap();
        assert!(tools.len() > 5);
        for tool in &tools {
            assert!(tool.mcp.is_some(), "{}", tool.name);
            let is_for_models = tool.model.is_some() || tool.instead.is_some();
            assert!(
                !is_for_models || named(&tool.name).is_some(),
                "{}",
                tool.name
            );
            for recipe in [&tool.model, &tool.mcp].into_iter().flatten() {
                let meaning = Meaning {
                    texts: KNOWN
                        .into_iter()
                        .map(|name| (name, "x".to_owned()))
                        .collect(),
                    words: vec!["x".to_owned()],
                    line: "x".to_owned(),
                };
                let mut texts: Vec<String> = Vec::new();
                for Leaf { path, value } in recipe.leaves(&meaning) {
                    texts.extend(path);
                    texts.push(value.to_string().replace("{env:", ""));
                }
                let call = recipe.call.iter().map(|word| meaning.text(word));
                texts.extend(call.chain([recipe.run(&meaning)]));
                texts.extend(recipe.rivals(&meaning).into_iter().flatten());
                assert!(texts.iter().all(|text| !text.contains('{')), "{texts:?}");
                assert!(
                    recipe.call.contains(&"{provider}".to_owned()),
                    "{}",
                    tool.name
                );
                assert!(recipe.file.is_complete(), "{}", tool.name);
            }
        }
    }
}
