use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    pub model: String,
    pub version: String,
    pub day: i32,
}
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DayStats {
    n: u64,
}
impl DayStats {
    pub fn add(&mut self, _: &Contribution) {
        self.n += 1;
    }
    pub fn remove(&mut self, _: &Contribution) {
        self.n -= 1;
    }
}
