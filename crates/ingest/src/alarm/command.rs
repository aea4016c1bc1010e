//! What people do to alarms, and when it is refused.

use analytics::alarm::Input;
use signal::MINUTE_US;

use super::Alarm;

/// Longest time for which an alarm may be shelved, in minutes (ISA-18.2 asks for a limit; UI.md says 8 h).
pub const MAX_SHELVE_MINUTES: u32 = 480;

/// What a person does to an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum AlarmCommand {
    /// I have seen it.
    Ack,
    /// Not now.
    Shelve {
        /// For how long, at most [`MAX_SHELVE_MINUTES`].
        minutes: u32,
        /// Why.
        reason: String,
    },
    /// Ring again.
    Unshelve,
    /// Maintenance works on it.
    OutOfService {
        /// Why.
        reason: String,
        /// Number of the work order.
        work_order: String,
    },
    /// Maintenance is done.
    InService,
    /// Let go of a latched alarm.
    Reset,
    /// Say something about it.
    Comment {
        /// What.
        text: String,
    },
}

/// Why a command had no effect.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// There is no such alarm.
    #[error("alarm {0} does not exist")]
    NotFound(u32),
    /// The command does not fit the alarm's state.
    #[error("{action} does not fit an alarm that is {state}")]
    NotAllowed {
        /// What was asked.
        action: &'static str,
        /// The present state.
        state: String,
    },
    /// A part of the command is missing or out of bounds.
    #[error("{0}")]
    Invalid(String),
    /// The change could not be recorded, so it was not made.
    #[error("the change could not be recorded: {0}")]
    NotRecorded(String),
    /// Fettler is stopping.
    #[error("Fettler is stopping")]
    Stopping,
}

impl Alarm {
    pub(super) fn take(&mut self, command: &AlarmCommand, now_us: i64, actor: &str) {
        match command {
            AlarmCommand::Ack => {
                self.acked_by = Some(actor.to_owned());
                self.acked_us = Some(now_us);
                self.respond_by_us = None;
            }
            AlarmCommand::Shelve { .. } | AlarmCommand::OutOfService { .. } => {
                self.overlay_reason = Some(reason_of(command));
                self.overlay_by = Some(actor.to_owned());
            }
            AlarmCommand::Comment { text } => self.comment = Some(text.clone()),
            AlarmCommand::Unshelve | AlarmCommand::InService | AlarmCommand::Reset => {}
        }
    }
}

pub(super) fn check(command: &AlarmCommand) -> Result<(), CommandError> {
    let missing = |what: &str| {
        Err(CommandError::Invalid(format!("{what} is missing: say why, in a few words")))
    };
    match command {
        AlarmCommand::Shelve { minutes, .. } if *minutes == 0 || *minutes > MAX_SHELVE_MINUTES => {
            Err(CommandError::Invalid(format!(
                "an alarm can be shelved for 1 to {MAX_SHELVE_MINUTES} minutes, not {minutes}"
            )))
        }
        AlarmCommand::Shelve { reason, .. } if reason.trim().is_empty() => missing("reason"),
        AlarmCommand::OutOfService { reason, .. } if reason.trim().is_empty() => missing("reason"),
        AlarmCommand::OutOfService { work_order, .. } if work_order.trim().is_empty() => {
            missing("work_order")
        }
        AlarmCommand::Comment { text } if text.trim().is_empty() => missing("text"),
        _ => Ok(()),
    }
}

pub(super) fn input_of(command: &AlarmCommand, now_us: i64) -> Option<Input> {
    match command {
        AlarmCommand::Ack => Some(Input::Ack),
        AlarmCommand::Shelve { minutes, .. } => {
            Some(Input::Shelve { until_us: now_us + i64::from(*minutes) * MINUTE_US })
        }
        AlarmCommand::Unshelve => Some(Input::Unshelve),
        AlarmCommand::OutOfService { .. } => Some(Input::OutOfService),
        AlarmCommand::InService => Some(Input::InService),
        AlarmCommand::Reset => Some(Input::Reset),
        AlarmCommand::Comment { .. } => None,
    }
}

pub(super) fn action_of(command: &AlarmCommand) -> &'static str {
    match command {
        AlarmCommand::Ack => "acknowledging",
        AlarmCommand::Shelve { .. } => "shelving",
        AlarmCommand::Unshelve => "unshelving",
        AlarmCommand::OutOfService { .. } => "taking out of service",
        AlarmCommand::InService => "putting back into service",
        AlarmCommand::Reset => "resetting",
        AlarmCommand::Comment { .. } => "commenting",
    }
}

pub(super) fn reason_of(command: &AlarmCommand) -> String {
    match command {
        AlarmCommand::Shelve { reason, .. } => reason.clone(),
        AlarmCommand::OutOfService { reason, work_order } => {
            format!("{reason} (work order {work_order})")
        }
        AlarmCommand::Comment { text } => text.clone(),
        _ => String::new(),
    }
}
