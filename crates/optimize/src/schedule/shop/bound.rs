//! Lower bounds of the makespan that need no search.

use std::collections::BinaryHeap;

use super::Shop;

/// The best of: the longest job, and for every machine the operations that only it can do, scheduled with
/// interruptions between the job's heads and tails (Jackson's preemptive schedule; Carlier & Pinson 1989).
pub(super) fn bound(shop: &Shop) -> i64 {
    let mut on_machine: Vec<Vec<Task>> = vec![Vec::new(); shop.n_machines()];
    let mut longest = 0;
    let mut total = 0;
    for job in 0..shop.n_jobs() {
        let length: i64 = shop.operations(job).map(|op| shop.shortest(op)).sum();
        longest = longest.max(length);
        total += length;
        let mut head = 0;
        for op in shop.operations(job) {
            let duration = shop.shortest(op);
            let tail = length - head - duration;
            if let Some(machine) = shop.only_machine(op) {
                on_machine[machine].push(Task { head, duration, tail });
            }
            head += duration;
        }
    }
    let shared = (total as u64).div_ceil(shop.n_machines().max(1) as u64) as i64;
    let machines = on_machine.into_iter().map(preemptive);
    machines.fold(longest.max(shared), i64::max)
}

#[derive(Debug, Clone, Copy)]
struct Task {
    head: i64,
    duration: i64,
    tail: i64,
}

/// Makespan of one machine where tasks may be interrupted: always run the one with the longest tail.
fn preemptive(mut tasks: Vec<Task>) -> i64 {
    tasks.sort_unstable_by_key(|task| task.head);
    let mut waiting: BinaryHeap<(i64, i64)> = BinaryHeap::new();
    let (mut now, mut longest) = (0, 0);
    let mut coming = tasks.iter().peekable();
    loop {
        while let Some(task) = coming.next_if(|task| task.head <= now) {
            waiting.push((task.tail, task.duration));
        }
        let next = coming.peek().map(|task| task.head);
        let Some((tail, left)) = waiting.pop() else {
            match next {
                Some(head) => now = head,
                None => return longest,
            }
            continue;
        };
        let end = now + left;
        match next.filter(|&head| head < end) {
            Some(head) => {
                waiting.push((tail, end - head));
                now = head;
            }
            None => {
                now = end;
                longest = longest.max(end + tail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_with_interruptions() {
        let task = |head, duration, tail| Task { head, duration, tail };
        assert_eq!(preemptive(vec![]), 0);
        assert_eq!(preemptive(vec![task(3, 2, 4)]), 9);
        // The long one is interrupted at 1 for the one with the longer tail, and ends at 6.
        assert_eq!(preemptive(vec![task(0, 4, 0), task(1, 2, 5)]), 8);
    }

    #[test]
    fn a_shop_is_bounded_by_its_longest_job_and_its_busiest_machine() {
        let shop = Shop::classic(&[vec![(0, 3), (1, 2)], vec![(0, 2), (1, 1)]]).unwrap();
        assert_eq!(bound(&shop), 6);
        assert_eq!(bound(&Shop::classic(&[]).unwrap()), 0);
    }
}
