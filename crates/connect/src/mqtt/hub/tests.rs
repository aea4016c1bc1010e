//! Sessions and routing, without sockets.

use proptest::prelude::*;

use super::*;

fn hub() -> Hub {
    Hub::new(vec!["secret/#".to_owned()], false)
}

fn options(qos: Qos) -> SubOpts {
    SubOpts::new().set_qos(qos)
}

fn left(keep_s: u64) -> Left {
    Left {
        keep: (keep_s > 0).then_some(Duration::from_secs(keep_s)),
        stored: Vec::new(),
        received: Vec::new(),
        will: None,
    }
}

fn publish(hub: &Hub, topic: &str, payload: &str, retain: bool) {
    let message = Arc::new(Message::from_house(topic, payload.as_bytes(), retain));
    hub.publish(&message, None, &Counters::default());
}

fn texts(attached: &Attached) -> Vec<String> {
    std::iter::from_fn(|| attached.queue.pop())
        .map(|outgoing| String::from_utf8_lossy(&outgoing.message.payload).into_owned())
        .collect()
}

#[tokio::test]
async fn an_absent_session_is_kept_until_its_time_is_over() {
    let hub = hub();
    let attached = hub.attach("a", false).await;
    hub.subscribe("a", "t", options(Qos::AtLeastOnce), None);
    hub.detach("a", &attached, left(100));
    drop(attached);
    publish(&hub, "t", "1", false);
    let now = Instant::now();
    assert!(hub.sweep(now + Duration::from_secs(99)).is_empty());
    assert_eq!((hub.sizes().sessions, hub.sizes().subscriptions), (1, 1));
    assert!(hub.sizes().waiting_bytes > 0);
    hub.sweep(now + Duration::from_secs(101));
    assert_eq!(hub.sizes(), Sizes::default(), "swept with its subscription and its queue");
    assert!(!hub.attach("a", false).await.present);
}

#[tokio::test]
async fn a_session_that_goes_on_gets_what_came_meanwhile() {
    let hub = hub();
    let attached = hub.attach("a", false).await;
    hub.subscribe("a", "t", options(Qos::AtLeastOnce), None);
    publish(&hub, "t", "1", false);
    hub.detach("a", &attached, left(100));
    publish(&hub, "t", "2", false);
    let again = hub.attach("a", false).await;
    assert!(again.present);
    assert_eq!(texts(&again), ["1", "2"]);
    assert!(attached.queue.pop().is_none());
}

#[tokio::test]
async fn a_delayed_will_waits_and_is_taken_back_by_the_client_that_returns() {
    let hub = hub();
    let will = || Some((Duration::from_secs(10), Arc::new(Message::from_house("w", b"x", false))));
    let now = Instant::now();

    let attached = hub.attach("a", false).await;
    hub.detach("a", &attached, Left { will: will(), ..left(100) });
    assert!(hub.sweep(now + Duration::from_secs(9)).is_empty());
    assert_eq!(hub.sweep(now + Duration::from_secs(11)).len(), 1);
    assert!(hub.sweep(now + Duration::from_secs(12)).is_empty(), "once");

    let attached = hub.attach("a", false).await;
    hub.detach("a", &attached, Left { will: will(), ..left(100) });
    let attached = hub.attach("a", false).await;
    assert!(attached.will.is_none() && hub.sweep(now + Duration::from_secs(11)).is_empty());

    hub.detach("a", &attached, Left { will: will(), ..left(100) });
    let attached = hub.attach("a", true).await;
    assert!(attached.will.is_some(), "a clean start ends the session, so the will is due");

    hub.detach("a", &attached, Left { will: will(), ..left(5) });
    assert_eq!(hub.sweep(now + Duration::from_secs(7)).len(), 1, "the session ends first");
}

#[tokio::test]
async fn what_may_not_be_read_reaches_nobody() {
    let hub = hub();
    let attached = hub.attach("a", true).await;
    for (filter, may) in
        [("secret", false), ("secret/x", false), ("secret/+/y", false), ("#", true), ("+/x", true)]
    {
        assert_eq!(hub.may_subscribe(filter), may, "{filter}");
    }
    assert!(!hub.may_subscribe("$share/g/secret/x"));
    hub.subscribe("a", "#", options(Qos::AtLeastOnce), None);
    publish(&hub, "secret/x", "no", true);
    publish(&hub, "open", "yes", true);
    assert_eq!(texts(&attached), ["yes"]);
    let retained = hub.subscribe("a", "+/#", options(Qos::AtLeastOnce), None);
    assert_eq!(retained.len(), 1);
}

#[tokio::test]
async fn those_who_share_get_each_message_once_and_an_absent_one_is_passed_over() {
    let hub = hub();
    let (a, b) = (hub.attach("a", false).await, hub.attach("b", false).await);
    for client in ["a", "b"] {
        hub.subscribe(client, "$share/g/t", options(Qos::AtLeastOnce), None);
    }
    (0..10).for_each(|n| publish(&hub, "t", &n.to_string(), false));
    let (from_a, from_b) = (texts(&a), texts(&b));
    assert_eq!((from_a.len(), from_b.len()), (5, 5), "{from_a:?} {from_b:?}");
    hub.detach("b", &b, left(100));
    (0..4).for_each(|n| publish(&hub, "t", &n.to_string(), false));
    assert_eq!(texts(&a).len(), 4);
    hub.detach("a", &a, left(100));
    publish(&hub, "t", "later", false);
    let (a, b) = (hub.attach("a", false).await, hub.attach("b", false).await);
    assert_eq!([texts(&a), texts(&b)].concat(), ["later"], "kept for one of them");
}

#[tokio::test]
async fn overlapping_subscriptions_give_one_message_at_the_best_quality() {
    let hub = hub();
    let attached = hub.attach("a", true).await;
    hub.subscribe("a", "x/+", options(Qos::AtMostOnce), Some(1));
    hub.subscribe("a", "x/#", options(Qos::AtLeastOnce), Some(2));
    publish(&hub, "x/y", "1", false);
    let outgoing = attached.queue.pop().expect("one");
    let mut identifiers = outgoing.identifiers.clone();
    identifiers.sort_unstable();
    assert_eq!((outgoing.qos, identifiers), (Qos::AtLeastOnce, vec![1, 2]));
    assert!(attached.queue.pop().is_none());
}

proptest! {
    /// What a covered filter matches, the covering one matches.
    #[test]
    fn covering_follows_matching(
        outer in "(\\$|[ab]|\\+)(/([ab]|\\+)){0,2}(/#)?|#",
        inner in "(\\$|[ab]|\\+)(/([ab]|\\+)){0,2}(/#)?|#",
        topics in prop::collection::vec("[ab$](/[ab]){0,3}", 1..30),
    ) {
        if covers(&outer, &inner) {
            for topic in topics.iter().filter(|topic| matches(&inner, topic)) {
                prop_assert!(matches(&outer, topic), "{} {} {}", outer, inner, topic);
            }
        }
        prop_assert!(covers(&outer, &outer));
    }
}
