//! The table of flags in `docs/cli/README.md`, against the help of every command.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::user::User;

const PAGE: &str = include_str!("../../../../docs/cli/README.md");

type Names = BTreeSet<String>;

#[test]
fn the_page_of_flags_names_each_command_that_has_a_flag_and_no_other() {
    let helps = helps(&User::new());
    let all: Names = helps.keys().cloned().collect();
    let page = page(&all);
    assert!(page.len() > 30, "{page:?}");
    for (flag, named) in page {
        let has = |help: &String| help.lines().any(|line| flag_of(line) == Some(&flag));
        let having = helps.iter().filter(|(_, help)| has(help));
        let having: Names = having.map(|(name, _)| name.clone()).collect();
        assert_eq!(named, having, "{flag}: the page, and the help");
    }
}

/// The help of each command.
fn helps(user: &User) -> BTreeMap<String, String> {
    let help = |words: &[&str]| user.run(&[words, &["--help"]].concat()).out;
    let list = help(&[]);
    let list = list.split("Commands:\n").nth(1).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !["", "help"].contains(name))
        .map(|name| match name {
            "mcp" => ("mcp bridge".to_owned(), help(&["mcp", "bridge"])),
            name => (name.to_owned(), help(&[name])),
        })
        .collect()
}

/// The flag that a line of a help text begins with.
fn flag_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    // A letter may stand before it: `-v, --verbose`.
    let line = match line.split_once(", --") {
        Some((letter, _)) if letter.len() == 2 => &line[4..],
        _ => line,
    };
    let flag = line.split([' ', ',', '.']).next()?;
    flag.starts_with("--").then_some(flag)
}

/// The commands of each flag, as the table has them.
fn page(all: &Names) -> BTreeMap<String, Names> {
    let table = PAGE.split("\n## Flags\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let mut flags: BTreeMap<String, Names> = BTreeMap::new();
    let mut before = Names::new();
    for row in table.lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let named = quoted(cells[1]).map(|words| match words.split(" --").next().unwrap() {
            "login oidc" => "login".to_owned(),
            command => command.to_owned(),
        });
        let named: Names = named.collect();
        assert!(named.is_subset(all), "{row}");
        let commands = match cells[1] {
            "all" => all.clone(),
            of if of.starts_with("all but ") => all - &named,
            of if of.starts_with("the same") => &before | &named,
            _ => named,
        };
        for flag in quoted(cells[0]) {
            let flag = flag.split(' ').next().unwrap().to_owned();
            flags.entry(flag).or_default().extend(commands.clone());
        }
        before = commands;
    }
    flags
}

/// What stands between backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}
