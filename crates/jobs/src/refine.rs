//! Fits the detectors of all machines again to what they have seen, in a quiet hour.

use crate::House;

pub(crate) async fn once(house: &House) {
    let (mut machines, mut models) = (0, 0);
    for detector in house.ingest.detectors() {
        if !detector.enabled || detector.learning {
            continue;
        }
        // One machine at a time, so that samples never wait for all of them.
        let changed = house.ingest.refine(detector.asset).await;
        machines += usize::from(changed > 0);
        models += changed;
    }
    if models > 0 {
        tracing::info!(tenant = %house.tenant, machines, models, "detectors refined");
    }
}
