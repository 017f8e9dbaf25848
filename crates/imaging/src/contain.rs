//! Foreign decoders panic on some hostile inputs; here a panic becomes an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::DecodeError;

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder. A panic inside gives `on_panic`, and its message, which may quote the file, is not printed.
///
/// It contains panics only; what aborts (a stack overflow, memory that runs out) the callers rule out beforehand.
pub(crate) fn contain<T>(
    on_panic: DecodeError,
    decoder: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    silence_decoders();
    let outer = DECODING.replace(true);
    // What the closure touched is dropped with it, so a broken invariant in there is never seen again.
    let answer = catch_unwind(AssertUnwindSafe(decoder));
    DECODING.set(outer);
    answer.unwrap_or(Err(on_panic))
}

/// Puts a filter before the process's panic hook, once: panics of a decoder stay silent, all others pass.
fn silence_decoders() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if !DECODING.get() {
                hook(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::contain;
    use crate::DecodeError;

    #[test]
    fn a_panicking_decoder_gives_an_error() {
        let answer: Result<(), _> = contain(DecodeError::UnknownFormat, || panic!("a decoder's own message"));
        assert_eq!(answer, Err(DecodeError::UnknownFormat));
        assert_eq!(contain(DecodeError::UnknownFormat, || Ok(1)), Ok(1));
    }
}
