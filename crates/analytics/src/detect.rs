//! Detectors for streams: how unusual is this value or row, given what came before?
//!
//! | one signal | several signals | any score |
//! |---|---|---|
//! | [`ewma`] robust level and spread | [`mahalanobis`] lagged, shrunk | [`quantile`] P² and t-digest |
//! | [`cusum`] small lasting shifts | [`half_space`] trees, no distances | [`conformal`] p-values, e-processes |
//! | [`seasonal`] residual of a daily pattern | [`isolation`] forest, batch | [`fuse`] ranks of several scores |
//! | [`adwin`] a window that forgets what changed | | [`budget`] one false alarm in so many rows |
//! | [`records`] beyond everything seen so far | [`levels`] each for itself | |
//!
//! Those of several signals are a [`Detector`](crate::Detector) and blame columns; [`findings`](crate::findings) runs any
//! of them over a table. All but [`fuse`] and the fits of [`isolation`] and [`mahalanobis`], which take a whole table, are
//! updated value by value without allocation once they are warm; all that have a state can be saved and restored bit
//! for bit. NaN is missing: it changes nothing and its score is NaN.

pub mod adwin;
pub mod budget;
pub mod conformal;
pub mod cusum;
pub mod ewma;
pub mod fuse;
pub mod half_space;
pub mod isolation;
pub mod levels;
pub mod mahalanobis;
pub mod quantile;
pub mod records;
pub mod seasonal;

#[cfg(test)]
mod tests;
