//! Subscriptions by topic level, so that a message visits only what may match.

use std::cell::Cell;
use std::collections::HashMap;

use mqtt_protocol_core::mqtt::packet::SubOpts;

/// How a client wants what a filter matches.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) options: SubOpts,
    /// MQTT 5 subscription identifier.
    pub(crate) identifier: Option<u32>,
}

/// Clients that share what a filter matches (MQTT 5 §4.8.2): each message goes to one of them.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<(String, Subscription)>,
    turn: Cell<usize>,
}

impl Group {
    /// The members, beginning with the one whose turn it is.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = (&str, &Subscription)> {
        let first = self.turn.get();
        self.turn.set((first + 1) % self.members.len().max(1));
        let (before, after) = self.members.split_at(first.min(self.members.len()));
        after.iter().chain(before).map(|(client, subscription)| (client.as_str(), subscription))
    }

    fn insert(&mut self, client: &str, subscription: Subscription) {
        match self.members.iter_mut().find(|(member, _)| member == client) {
            Some((_, known)) => *known = subscription,
            None => self.members.push((client.to_owned(), subscription)),
        }
    }
}

/// One level of the tree.
#[derive(Default)]
pub(crate) struct Node {
    children: HashMap<String, Node>,
    /// Client → subscription that ends here.
    here: HashMap<String, Subscription>,
    /// Share name → those who share.
    groups: HashMap<String, Group>,
}

/// Who wants a message.
pub(crate) enum Wants<'a> {
    /// This client.
    One(&'a str, &'a Subscription),
    /// One of these.
    OneOf(&'a Group),
}

/// `$share/name/filter` → (name, filter); none for other filters and for malformed ones.
///
/// ```text
/// $share/workers/line1/#  →  ("workers", "line1/#")
/// ```
pub(crate) fn shared(filter: &str) -> Option<(&str, &str)> {
    let (name, filter) = filter.strip_prefix("$share/")?.split_once('/')?;
    (!name.is_empty() && !name.contains(['+', '#']) && !filter.is_empty()).then_some((name, filter))
}

impl Node {
    /// Whether nobody is subscribed to anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty() && self.groups.is_empty()
    }

    /// Adds or replaces the subscription of `client`; `filter` may be a shared one.
    pub(crate) fn insert(&mut self, filter: &str, client: &str, subscription: Subscription) {
        match shared(filter) {
            Some((name, filter)) => {
                let groups = &mut self.reach(filter).groups;
                groups.entry(name.to_owned()).or_default().insert(client, subscription);
            }
            None => {
                self.reach(filter).here.insert(client.to_owned(), subscription);
            }
        }
    }

    /// Takes the subscription of `client` away, and the levels that nobody needs any more.
    pub(crate) fn remove(&mut self, filter: &str, client: &str) {
        match shared(filter) {
            Some((name, filter)) => self.remove_at(filter, &|node| {
                if let Some(group) = node.groups.get_mut(name) {
                    group.members.retain(|(member, _)| member != client);
                    if group.members.is_empty() {
                        node.groups.remove(name);
                    }
                }
            }),
            None => self.remove_at(filter, &|node| {
                node.here.remove(client);
            }),
        }
    }

    /// Tells `on` of everybody who wants a topic. `is_system`: it begins with `$`.
    pub(crate) fn visit(&self, levels: &[&str], is_system: bool, on: &mut impl FnMut(Wants<'_>)) {
        // MQTT 5 §4.7.2: a wildcard at the front does not match topics that begin with $.
        if !is_system && let Some(rest) = self.children.get("#") {
            rest.tell(on);
        }
        let Some((level, deeper)) = levels.split_first() else {
            self.tell(on);
            return;
        };
        if let Some(child) = self.children.get(*level) {
            child.visit(deeper, false, on);
        }
        if !is_system && let Some(child) = self.children.get("+") {
            child.visit(deeper, false, on);
        }
    }

    fn tell(&self, on: &mut impl FnMut(Wants<'_>)) {
        self.here.iter().for_each(|(client, subscription)| on(Wants::One(client, subscription)));
        self.groups.values().for_each(|group| on(Wants::OneOf(group)));
    }

    fn reach(&mut self, filter: &str) -> &mut Node {
        let mut node = self;
        for level in filter.split('/') {
            node = node.children.entry(level.to_owned()).or_default();
        }
        node
    }

    fn remove_at(&mut self, filter: &str, f: &dyn Fn(&mut Node)) {
        let (level, rest) = match filter.split_once('/') {
            Some((level, rest)) => (level, Some(rest)),
            None => (filter, None),
        };
        let Some(child) = self.children.get_mut(level) else { return };
        match rest {
            Some(rest) => child.remove_at(rest, f),
            None => f(child),
        }
        if child.is_empty() {
            self.children.remove(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::super::matches;
    use super::*;

    fn subscription() -> Subscription {
        Subscription { options: SubOpts::new(), identifier: None }
    }

    fn who_wants(tree: &Node, topic: &str) -> Vec<String> {
        let levels: Vec<&str> = topic.split('/').collect();
        let mut found = Vec::new();
        tree.visit(&levels, topic.starts_with('$'), &mut |wants| match wants {
            Wants::One(client, _) => found.push(client.to_owned()),
            Wants::OneOf(group) => found.extend(group.in_turn().next().map(|it| it.0.to_owned())),
        });
        found
    }

    #[test]
    fn those_who_share_take_turns() {
        let mut tree = Node::default();
        for client in ["a", "b", "a"] {
            tree.insert("$share/g/x/+", client, subscription());
        }
        tree.insert("x/#", "c", subscription());
        let turns: Vec<Vec<String>> = (0..3).map(|_| who_wants(&tree, "x/1")).collect();
        assert!(turns.iter().all(|found| found.len() == 2 && found.contains(&"c".to_owned())));
        assert_ne!(turns[0], turns[1]);
        assert_eq!(turns[0], turns[2]);
        for client in ["a", "b"] {
            tree.remove("$share/g/x/+", client);
        }
        tree.remove("x/#", "c");
        assert!(tree.is_empty());
    }

    #[test]
    fn shared_filters_are_told_from_plain_ones() {
        assert_eq!(shared("$share/g/x/+"), Some(("g", "x/+")));
        for plain in ["x/+", "$share/g", "$share//x", "$share/g/", "$share/+/x", "$shared/g/x"] {
            assert_eq!(shared(plain), None, "{plain}");
        }
    }

    proptest! {
        /// The tree finds exactly the subscriptions that the rule of §4.7 finds.
        #[test]
        fn the_tree_agrees_with_the_rule(
            filters in prop::collection::vec("(\\$|[ab]|\\+)(/([ab]|\\+)){0,3}(/#)?|#", 1..20),
            topics in prop::collection::vec("[ab$](/[ab]){0,4}", 1..20),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut tree = Node::default();
            let mut kept: BTreeSet<String> = filters.iter().cloned().collect();
            for filter in &kept {
                tree.insert(filter, filter, subscription());
            }
            for at in removed {
                let filter = at.get(&filters);
                tree.remove(filter, filter);
                kept.remove(filter);
            }
            for topic in topics {
                let found: BTreeSet<String> = who_wants(&tree, &topic).into_iter().collect();
                let expected: BTreeSet<String> =
                    kept.iter().filter(|filter| matches(filter, &topic)).cloned().collect();
                prop_assert_eq!(found, expected, "{}", topic);
            }
        }
    }
}
