//! Scheduling: which operation runs where and when.

mod shop;

pub use shop::{Choice, Placed, Shop, ShopError, ShopPlan, solve as solve_shop};
