//! The worker against a real RabbitMQ and a real Postgres (`eval "$(deploy/stack up)"`): a database, a topology prefix and
//! an object store a test.

mod answers;
mod away;
mod classify;
mod failures;
mod following;
mod labels;
mod model;
mod rescore;
mod shadow;
mod site;
mod stopping;
