//! The examples of the project's README and of the command's pages, compiled.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/cli/mcp.md")]
pub struct McpPage;
