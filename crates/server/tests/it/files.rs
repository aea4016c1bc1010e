//! Caching of the embedded screens.

use crate::plant::Plant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let plant = Plant::start().await;
    let first = plant.client.get(plant.url("/")).send().await.expect("an answer");
    let etag = first.headers()["etag"].clone();
    let again = plant.client.get(plant.url("/")).header("if-none-match", etag.clone()).send().await;
    let again = again.expect("an answer");
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &etag));
    assert!(again.bytes().await.expect("a body").is_empty());
    let other = plant.client.get(plant.url("/")).header("if-none-match", "\"old\"").send().await;
    assert_eq!(other.expect("an answer").status(), 200);
    plant.stop().await;
}
