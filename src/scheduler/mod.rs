//! The solver: snapshot in, solution out. Pure: no clock, no IO, no randomness.
