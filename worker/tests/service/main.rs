//! The worker against a real RabbitMQ and a real Postgres (`eval "$(deploy/stack up)"`): a database, a topology prefix and
//! an object store a test.

mod answers;
mod away;
mod bucket;
mod classify;
mod commands;
mod database;
mod failures;
mod following;
mod hanging;
mod labels;
mod model;
mod odd;
mod orientation;
mod panics;
mod readiness;
mod reconcile;
mod rescore;
mod shadow;
mod site;
mod stopping;
