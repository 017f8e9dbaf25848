//! Who shares out the work.

/// Keeps Candle's own elementwise ops on the calling thread. Its pool spins while it waits and takes one caller at a
/// time, so that two inferences hinder each other; what is worth sharing out, our kernels share out by rayon.
///
/// # Safety
/// To be called at the start of `main`: no other thread may be reading or writing the environment.
pub unsafe fn keep_candle_to_one_thread() {
    // SAFETY: the caller's promise.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
}
