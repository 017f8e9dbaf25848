//! What is said over the wire: events, and the broker that carries them.

mod broker;
mod deleted;
mod documents;
mod lines;
mod routing;
mod tolerance;
