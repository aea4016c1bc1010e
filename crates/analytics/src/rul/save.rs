//! A model as JSON.

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::features;
use super::interval::Calibration;
use super::wear::Wear;
use super::{Error, Lookback, Model};
use crate::trees::Forest;

/// Version 2 of the file: errors are over the root of their expected size, in version 1 over the size itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileV2 {
    version: u32,
    #[serde(with = "crate::saved")]
    cap: f64,
    lookback: Lookback,
    #[serde(with = "crate::saved")]
    coverage: f64,
    conditions: Conditions,
    sensors: Vec<usize>,
    wear: Wear,
    /// Each as [`Forest::to_json`] writes it.
    #[serde(with = "crate::saved")]
    bag: Vec<Forest>,
    #[serde(with = "crate::saved")]
    spread: Vec<Forest>,
    calibration: Calibration,
}

impl Model {
    /// Writes the model as JSON, exactly: [`Model::from_json`] gives an equal model.
    pub fn to_json(&self) -> String {
        let file = FileV2 {
            version: 2,
            cap: self.cap,
            lookback: self.lookback,
            coverage: self.coverage,
            conditions: self.conditions.clone(),
            sensors: self.sensors.clone(),
            wear: self.wear.clone(),
            bag: self.bag.clone(),
            spread: self.spread.clone(),
            calibration: self.calibration.clone(),
        };
        serde_json::to_string(&file).expect("numbers, lists and text are always JSON")
    }

    /// Reads what [`Model::to_json`] wrote.
    ///
    /// # Errors
    /// If the text is not such a file or its parts do not fit together.
    pub fn from_json(text: &str) -> Result<Model, Error> {
        let file: FileV2 = serde_json::from_str(text)?;
        let n_sensors = file.conditions.n_sensors();
        let n_features = features::count(file.sensors.len() + file.wear.count(), file.lookback);
        let fits = |bag: &[Forest]| {
            let fits = |f: &Forest| f.n_columns() == n_features && f.n_outputs() == 1;
            !bag.is_empty() && bag.iter().all(fits)
        };
        let checks = [
            (file.version == 2, "its version is unknown"),
            (file.sensors.iter().all(|&i| i < n_sensors), "it looks at a sensor that is not there"),
            (file.conditions.is_good(), "its operating conditions are incomplete"),
            (file.wear.fits(file.sensors.len()), "its directions of wear do not fit its sensors"),
            (fits(&file.bag) && fits(&file.spread), "its forests do not fit its features"),
            (file.calibration.is_good(), "its errors are not in order"),
        ];
        if let Some((_, problem)) = checks.iter().find(|(is_good, _)| !is_good) {
            return Err(Error::Damaged(problem));
        }
        Ok(Model {
            cap: file.cap,
            lookback: file.lookback,
            coverage: file.coverage,
            conditions: file.conditions,
            sensors: file.sensors,
            wear: file.wear,
            bag: file.bag,
            spread: file.spread,
            calibration: file.calibration,
        })
    }
}
