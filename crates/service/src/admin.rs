//! `/healthz`, `/readyz`, `/metrics`.
//!
//! One request a connection, and for both a time limit: whoever opens connections and says nothing cannot use up the
//! process's file handles.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Health;

/// Gives the service's metrics as OpenMetrics text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Connections at once; others wait until one of them ends.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to say what it wants.
const HEADER_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take from its beginning to its end.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
/// Before accepting again after an error, such as too many open files: it must not spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Shown {
    health: Arc<Health>,
    metrics: Metrics,
}

/// Serves until stopped.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Metrics, stop: CancellationToken) {
    let routes = axum::Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(Shown { health, metrics });
    let _ = stop.run_until_cancelled(accept(listener, routes)).await;
}

async fn accept(listener: TcpListener, routes: axum::Router) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = connections.clone().acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                tokio::spawn(async move {
                    answer(stream, routes).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "no connection to the admin address");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Answers one request. A client that is too slow, or speaks no HTTP, is no news.
async fn answer(stream: TcpStream, routes: axum::Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
}

async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    let (missing, faults) = (shown.health.missing(), shown.health.faults());
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": missing.is_empty(), "missing": missing, "faults": faults })))
}

async fn metrics_text(State(shown): State<Shown>) -> impl IntoResponse {
    ([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], (shown.metrics)())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;

    use super::{CONNECTIONS_MAX, serve};
    use crate::Health;

    async fn started() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(|| "# EOF\n".to_owned());
        tokio::spawn(serve(listener, Arc::new(Health::default()), metrics, CancellationToken::new()));
        address
    }

    /// What the server says before it closes the connection.
    async fn said(mut stream: TcpStream) -> String {
        let mut said = String::new();
        // A server that resets has closed it too.
        let _ = stream.read_to_string(&mut said).await;
        said
    }

    #[tokio::test]
    async fn a_page_is_answered_and_its_connection_closed_though_the_client_would_keep_it() {
        let address = started().await;
        for page in ["/healthz", "/readyz", "/metrics"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("GET {page} HTTP/1.1\r\nhost: it\r\n\r\n").as_bytes()).await.unwrap();
            assert!(said(stream).await.starts_with("HTTP/1.1 200"), "{page}");
        }
    }

    #[tokio::test]
    async fn connections_that_say_nothing_are_closed_and_keep_nobody_out() {
        let address = started().await;
        let mut silent = Vec::new();
        for number in 0..2 * CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
            }
            silent.push(stream);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: it\r\n\r\n").await.unwrap();
        assert!(said(stream).await.starts_with("HTTP/1.1 200"), "it was answered behind the silent ones");
        for stream in silent {
            said(stream).await;
        }
    }
}
