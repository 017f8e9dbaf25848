//! What is said over the wire: events, and the broker that carries them.

mod broker;
mod documents;
