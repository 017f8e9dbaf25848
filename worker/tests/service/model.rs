//! A model that answers with what is no number, or with something else than it should.

use cspine_domain::Reason;
use cspine_nets::{Architecture, Checkpoint, init};

use crate::away::{free_address, ready, readyz};
use crate::site::{Site, eventually, model, png, random};

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
    ready(&address).await;
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

#[tokio::test]
async fn a_file_whose_golden_inference_differs_is_not_served() {
    let site = Site::new().await;
    let mut model = random(9).with_golden().unwrap();
    model.card.golden.as_mut().unwrap().logits[1] += 1.0;
    let file = site.folder.join("differs.safetensors");
    std::fs::write(&file, model.write().unwrap()).unwrap();
    let worker = site.start(&["--model", file.to_str().unwrap()]);
    let error = worker.ended().await.unwrap_err();
    assert!(format!("{error:#}").contains("the golden inference differs"), "{error:#}");
    site.remove().await;
}
