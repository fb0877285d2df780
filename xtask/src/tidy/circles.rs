//! No import circles: neither between files, nor between top-level modules, each with all its
//! submodules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Findings;
use super::imports::{self, Graph, Module};

/// The crates that the rule applies to.
const CRATES: [&str; 2] = ["crates/cli/src", "crates/testkit/src"];

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut findings = Findings::new();
    for name in CRATES {
        let graph = imports::graph(&root.join(name))?;
        let rooms = rooms(&graph);
        println!(
            "tidy: {name}: {} files, {} rooms on {} floors, {} imports between rooms",
            graph.len(),
            rooms.len(),
            floors(&rooms),
            rooms.values().map(BTreeSet::len).sum::<usize>(),
        );
        for (kind, graph) in [("files", &graph), ("rooms", &rooms)] {
            for circle in circles(graph) {
                let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
                findings.push(format!(
                    "{name}: {} {kind} import each other in a circle: {}",
                    circle.len(),
                    names.join(", ")
                ));
            }
        }
    }
    Ok(findings)
}

/// The graph of the top-level modules. The root is not one of them: it declares them all.
fn rooms(graph: &Graph) -> Graph {
    let room = |module: &Module| module.first().map(|first| vec![first.clone()]);
    let mut rooms = Graph::new();
    for (module, uses) in graph {
        let Some(from) = room(module) else { continue };
        let to = rooms.entry(from.clone()).or_default();
        to.extend(uses.iter().filter_map(room).filter(|to| *to != from));
    }
    rooms
}

/// The longest chain of top-level modules; a circle counts once.
fn floors(graph: &Graph) -> usize {
    let mut heights: BTreeMap<&Module, usize> = BTreeMap::new();
    // As many passes as the longest possible chain.
    for _ in 0..graph.len() {
        for (module, uses) in graph {
            let below = uses.iter().filter_map(|used| heights.get(used)).max();
            let height = below.map_or(1, |below| below + 1).min(graph.len());
            heights.insert(module, height);
        }
    }
    heights.values().copied().max().unwrap_or_default()
}

/// The sets of several modules that all reach each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<Module>> = graph
        .keys()
        .map(|module| (module, reach(graph, module)))
        .collect();
    let mut circles: BTreeSet<BTreeSet<Module>> = BTreeSet::new();
    for (module, there) in &reached {
        let back = there.iter().filter(|other| {
            reached
                .get(other)
                .is_some_and(|back| back.contains(*module))
        });
        let circle: BTreeSet<Module> = back.cloned().collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reach(graph: &Graph, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for used in graph.get(module).into_iter().flatten() {
            if reached.insert(used.clone()) {
                next.push(used);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry(module(to)).or_default();
            graph.entry(module(from)).or_default().insert(module(to));
        }
        graph
    }

    #[test]
    fn a_circle_of_files_is_found_however_long() {
        assert!(circles(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
        let found = circles(&graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), 3);
    }

    #[test]
    fn rooms_are_in_a_circle_though_their_files_are_not() {
        let files = graph(&[("a::x", "b"), ("b", "a::y")]);
        assert!(circles(&files).is_empty());
        assert_eq!(circles(&rooms(&files)).len(), 1);
    }

    #[test]
    fn floors_are_the_longest_chain() {
        assert_eq!(floors(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), 3);
    }
}
