//! minimax
