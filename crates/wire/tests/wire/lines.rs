//! The line to the broker breaks.

use std::time::Duration;

use cspine_domain::OrderPriority;
use cspine_wire::{Broker, Lane, LinkState, Message, Publisher, Queue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::broker::{DEADLINE, broker, consume, event, next, topology, url};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Open,
    Silent,
    Cut,
}

/// A proxy before the broker whose line can be cut, or go silent without a word.
async fn proxy() -> (String, watch::Sender<Line>) {
    let target = url();
    let (before, rest) = target.rsplit_once('@').unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let (listener, address) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), address.to_owned());
    let through = format!("{before}@{}/{path}?heartbeat=1", listener.local_addr().unwrap());
    let (line, state) = watch::channel(Line::Open);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&address).await else { continue };
            let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
            tokio::spawn(pump(client_in, server_out, state.clone()));
            tokio::spawn(pump(server_in, client_out, state.clone()));
        }
    });
    (through, line)
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            changed = line.changed() => { if changed.is_err() || *line.borrow() == Line::Cut { return } continue }
        };
        let Ok(length @ 1..) = read else { return };
        let now = *line.borrow();
        match now {
            Line::Open if to.write_all(&buffer[..length]).await.is_err() => return,
            Line::Cut => return,
            _ => {}
        }
    }
}

/// Consumes one message before and one after the line breaks; the held one comes again.
async fn consumer_survives(broken: Line) {
    let topology = topology();
    let (through, line) = proxy().await;
    let direct = broker(&url(), topology.clone());
    let publisher = Publisher::new(direct.clone());
    let mut consumer = consume(&broker(&through, topology), &[Queue::Lane(Lane::Routine)]);
    let message = Message::to_lane(&direct.topology, OrderPriority::Routine, b"{}".to_vec());
    publisher.publish(&message).await.unwrap();
    let held = next(&mut consumer).await;

    let mut state = consumer.state();
    state.borrow_and_update();
    line.send_replace(broken);
    tokio::time::timeout(DEADLINE, state.wait_for(|state| *state != LinkState::Up)).await.unwrap().unwrap();
    assert!(held.ack().await.is_err(), "an acknowledgement on a lost connection is not taken for one");

    line.send_replace(Line::Open);
    let again = next(&mut consumer).await;
    assert!(again.deliveries_before >= 1);
    again.ack().await.unwrap();
    direct.delete_topology().await.unwrap();
}

#[tokio::test]
async fn a_consumer_goes_on_after_its_connection_was_cut() {
    consumer_survives(Line::Cut).await;
}

#[tokio::test]
async fn a_consumer_notices_a_half_open_connection_by_its_heartbeat() {
    consumer_survives(Line::Silent).await;
}

#[tokio::test]
async fn a_publisher_says_that_no_confirm_came_and_works_again_once_the_line_does() {
    let topology = topology();
    let (through, line) = proxy().await;
    let direct = broker(&url(), topology.clone());
    let publisher = Publisher::new(Broker::new(&through, topology, Duration::from_secs(2)).unwrap());
    let message = event(&direct, "study.status");
    publisher.publish(&message).await.unwrap();
    line.send_replace(Line::Silent);
    assert!(publisher.publish(&message).await.is_err());
    line.send_replace(Line::Open);
    let mut stored = false;
    for _ in 0..20 {
        stored |= publisher.publish(&message).await.is_ok();
    }
    assert!(stored);
    direct.delete_topology().await.unwrap();
}
