//! What keeps `/readyz` honest while nothing arrives: each dependency is asked whether it is there, by the clock.

use std::time::Duration;

use crate::failure::Dependency;
use crate::service::Service;

/// How often a dependency is asked that was there the last time.
const EVERY: Duration = Duration::from_secs(15);
/// How often one is asked that was not.
const EVERY_WHILE_AWAY: Duration = Duration::from_secs(1);

/// Asks until stopped. Steps that wait for a dependency speak for themselves; see [`Service::hold`].
pub async fn probe(service: Service, dependency: Dependency) {
    loop {
        // As a task of its own: a question may not be dropped half-way.
        let asking = tokio::spawn(ask(service.clone(), dependency));
        let answer = tokio::select! {
            answer = asking => answer.unwrap_or_else(|_| Err("panicked while asking".to_owned())),
            () = service.stop.cancelled() => return,
        };
        let pause = if answer.is_ok() { EVERY } else { EVERY_WHILE_AWAY };
        match answer {
            Ok(()) => service.health.up(dependency.as_str()),
            Err(why) => service.health.down(dependency.as_str(), &why),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = service.stop.cancelled() => return,
        }
    }
}

async fn ask(service: Service, dependency: Dependency) -> Result<(), String> {
    match dependency {
        Dependency::Postgres => service.store.probe().await.map_err(|error| format!("Postgres: {error}")),
        Dependency::RabbitMq => service.publisher.connect().await.map_err(|error| error.to_string()),
        Dependency::ObjectStore => service.objects.probe().await,
    }
}
