//! Room for intermediate values, so that judging an event takes no memory.

/// What a type keeps only to avoid asking for it again: no part of its state, equal to any other, not saved, and empty in
/// a copy. Mark the field `#[serde(skip)]`.
#[derive(Debug, Default)]
pub(crate) struct Scratch<T>(pub(crate) T);

impl<T: Default> Clone for Scratch<T> {
    fn clone(&self) -> Scratch<T> {
        Scratch::default()
    }
}

impl<T> PartialEq for Scratch<T> {
    fn eq(&self, _: &Scratch<T>) -> bool {
        true
    }
}
