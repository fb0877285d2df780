//! The tests of this crate, as one program.

mod second_step;
