//! The kinds of the API group, one file a kind, with conditions, labels, quantities and money.
