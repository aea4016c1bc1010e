//! Identities. Each is a number handed out by the metastore and never reused.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A customer whose data lies in its own folder and is seen by nobody else. The first tenant is 1.
    TenantId
);
id!(
    /// A thing in the plant: site, line, machine, component.
    AssetId
);
id!(
    /// One measured or computed quantity of one asset. Small and dense, so that it can index an array.
    SignalId
);
id!(
    /// A door through which data comes in: the MQTT broker, the HTTP inlet, a file import.
    SourceId
);

impl TenantId {
    /// The tenant that a single-tenant installation uses.
    pub const FIRST: TenantId = TenantId(1);
}

impl SignalId {
    /// Position in a dense per-signal array.
    pub fn idx(self) -> usize {
        self.0 as usize
    }
}
