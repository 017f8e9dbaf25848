//! Routing keys as senders write them.

/// The binding keys by which a topic exchange takes a routing key in its usual spellings, each with any suffix: for
/// `image.arrived.stat` also `image.arrived.STAT` and `image.arrived.stat.site1`. No more of them: each is a step of every
/// declaration.
pub(crate) fn spellings(key: &str) -> [String; 2] {
    let (before, last) = key.rsplit_once('.').unwrap_or(("", key));
    [format!("{key}.#"), format!("{before}.{}.#", last.to_uppercase())]
}

/// Whether a topic exchange takes a routing key by one of our binding keys: the same, or with `.#` at its end any longer one.
pub(crate) fn takes(binding: &str, routing_key: &str) -> bool {
    match binding.strip_suffix(".#") {
        Some(start) => routing_key.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => binding == routing_key,
    }
}

#[cfg(test)]
mod tests {
    use super::{spellings, takes};

    #[test]
    fn a_key_is_bound_in_its_usual_spellings_with_any_suffix() {
        let expected = ["image.arrived.stat.#", "image.arrived.STAT.#"];
        assert_eq!(spellings("image.arrived.stat"), expected);
    }

    #[test]
    fn a_binding_takes_its_key_and_with_a_hash_any_longer_one() {
        for key in ["image.arrived.stat", "image.arrived.stat.site1", "image.arrived.stat.a.b"] {
            assert!(takes("image.arrived.stat.#", key), "{key}");
        }
        assert!(
            !takes("image.arrived.stat.#", "image.arrived.statim") && !takes("image.arrived.stat.#", "image.arrived")
        );
        assert!(takes("study.status", "study.status") && !takes("study.status", "study.status.x"));
    }
}
