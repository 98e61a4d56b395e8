#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::{Value, json};

#[test]
fn cores_as_people_write_them() {
    for (written, millis, printed) in [
        (json!(2), 2000, json!(2)),
        (json!(0.5), 500, json!("500m")),
        (json!("500m"), 500, json!("500m")),
        (json!("2"), 2000, json!(2)),
        (json!("1k"), 1_000_000, json!(1000)),
        (json!(0), 0, json!(0)),
        (json!(0.0001), 1, json!("1m")),
        (json!("100u"), 1, json!("1m")),
        (json!(1.1), 1100, json!("1100m")),
        (json!("1e3"), 1_000_000, json!(1000)),
    ] {
        let cores: Cores = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(cores.millis(), millis, "{written}");
        assert_eq!(serde_json::to_value(cores).unwrap(), printed, "{written}");
    }
}

#[test]
fn memory_as_people_write_it() {
    for (written, mib, printed) in [
        (json!(16), 16 * 1024, json!(16)),
        (json!("16"), 16 * 1024, json!(16)),
        (json!(0.5), 512, json!("512Mi")),
        (json!("512Mi"), 512, json!("512Mi")),
        (json!("4Gi"), 4096, json!(4)),
        (json!("1Ti"), 1 << 20, json!(1024)),
        (json!("1G"), 954, json!("954Mi")),
        (json!("1Ki"), 1, json!("1Mi")),
        (json!(8000), 8_192_000, json!(8000)),
    ] {
        let memory: MemoryGi = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(memory.mib(), mib, "{written}");
        assert_eq!(serde_json::to_value(memory).unwrap(), printed, "{written}");
    }
    assert_eq!(
        MemoryGi::parse_bytes("134217728"),
        Ok(MemoryGi::from_mib(128))
    );
}

#[test]
fn what_is_no_quantity() {
    for text in [
        "", "m", "Gi", "lots", "1 Gi", "1Zi", "1.2.3", "--1", "nan", "inf", "0x10", "1mm",
    ] {
        assert!(
            matches!(Cores::parse(text), Err(QuantityError::Malformed(..))),
            "{text:?} {:?}",
            Cores::parse(text)
        );
    }
    assert!(matches!(
        Cores::parse("-1"),
        Err(QuantityError::Negative(_))
    ));
    assert!(matches!(
        Cores::parse("1000001"),
        Err(QuantityError::TooLarge(..))
    ));
    assert!(matches!(
        MemoryGi::parse("2000000000"),
        Err(QuantityError::TooLarge(..))
    ));
    assert!(matches!(
        MemoryGi::parse("16E"),
        Err(QuantityError::TooLarge(..))
    ));
    assert!(Cores::parse("99999999999999999999999999999999999").is_err());
    assert_eq!(Cores::parse("-0"), Ok(Cores::default()));
}

#[test]
fn only_numbers_and_texts_are_read() {
    for value in [Value::Null, json!(true), json!([1]), json!({})] {
        assert!(serde_json::from_value::<Cores>(value).is_err());
    }
}
