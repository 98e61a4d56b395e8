//! Lists and signs in writing.

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 replica`, `2 replicas`.
pub(super) fn counted(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        _ => format!("{n} {one}s"),
    }
}

/// An amount with its sign: `+0.192`, `-3`.
pub(super) fn signed(amount: &str) -> String {
    if amount.starts_with('-') {
        amount.to_owned()
    } else {
        format!("+{amount}")
    }
}
