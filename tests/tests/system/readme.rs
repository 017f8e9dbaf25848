//! What the README tells integration engineers works as it stands there.

use std::time::Duration;

use cspine_tests::database::Database;
use cspine_tests::python::python;
use cspine_tests::tools::{output_of, repository};
use cspine_tests::wait;
use cspine_tests::worker::Site;

use crate::files::pngs;

/// The first Python block under the heading for integration engineers. It is run with the path of an image as its
/// argument, and `AMQP_URL` and `CSPINE_STORE_URL` in its environment.
#[tokio::test]
async fn the_readmes_python_example_gets_an_image_onto_the_list() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let heading =
        readme.lines().find(|line| line.starts_with('#') && line.to_lowercase().contains("integration engineers"));
    let section = readme.split_once(heading.expect("a heading for integration engineers")).expect("its section").1;
    let (_, block) = section.split_once("```python\n").expect("a Python block in it");
    let (example, _) = block.split_once("```").expect("its end");

    let db = Database::create().await;
    let amqp_url = std::env::var("AMQP_URL").expect("deploy/test sets AMQP_URL");
    // the example names the exchange as everyone does
    let site = Site::new("readme", &db.url, &amqp_url).with_prefix("cspine");
    let worker = site.start_worker("worker");
    worker.ready().await;
    let (script, image) = (site.folder.path().join("example.py"), site.folder.path().join("radiograph.png"));
    std::fs::write(&script, example).expect("the script");
    std::fs::write(&image, &pngs()[0]).expect("the image");
    let store_url = format!("file://{}", site.objects().display());
    let mut run = std::process::Command::new(python());
    output_of(run.arg(&script).arg(&image).env("AMQP_URL", &amqp_url).env("CSPINE_STORE_URL", store_url));

    let scored = wait::until("the example's study is scored", Duration::from_secs(60), async || {
        db.store.worklist(10).await.ok()?.into_iter().find(|row| row.status != "waiting")
    })
    .await;
    assert_eq!((scored.status.as_str(), scored.images_assessed), ("scored", 1));
    worker.stop().await;
    site.clean_up();
}
