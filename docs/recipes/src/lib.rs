//! The recipes of docs/extending.md as tests: what they use is what anybody can use.
#![doc = include_str!("../../extending.md")]
