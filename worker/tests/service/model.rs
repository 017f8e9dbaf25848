//! A model that answers with what is no number.

use cspine_domain::Reason;
use cspine_nets::{Architecture, Checkpoint, init};

use crate::away::{free_address, readyz};
use crate::site::{Site, eventually, model, png};

/// Its norms overflow whatever it is shown.
fn overflowing() -> Vec<u8> {
    let sound = Checkpoint::read(&std::fs::read(model()).unwrap()).unwrap();
    let mut state = init::network(Architecture::GoogLeNet, 7, 3).unwrap();
    for (name, tensor) in &mut state {
        if name.ends_with("bn.weight") {
            *tensor = (&*tensor * 1e30).unwrap();
        }
    }
    Checkpoint { card: sound.card, state }.write().unwrap()
}

#[tokio::test]
async fn three_answers_in_a_row_that_are_no_numbers_are_parked_and_make_the_worker_unready() {
    let site = Site::new().await;
    let broken = site.folder.join("overflowing.safetensors");
    std::fs::write(&broken, overflowing()).unwrap();
    let address = free_address();
    let worker = site.start(&["--model", broken.to_str().unwrap(), "--admin-addr", &address]);
    for number in 0..3 {
        let event = site.image(&png(128, 128));
        site.publish(&event).await;
        assert_eq!(site.parked(&event.id).await.reason, Reason::NotFinite);
        if number < 2 {
            let (status, body) = readyz(&address).await.unwrap();
            assert_eq!(status, 200, "one image may be at fault: {body}");
        }
    }
    eventually("readyz names the model", async || {
        readyz(&address).await.filter(|(status, body)| *status == 503 && body["missing"].get("model").is_some())
    })
    .await;
    worker.stop().await;
    site.remove().await;
}
