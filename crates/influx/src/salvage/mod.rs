//! Decides which lines of a batch go into the next request, until each line is stored or refused. Pure: answers in, requests out.
//!
//! Lines are stored by requests that send the batch in order, so that the later of two lines with one key wins. If such a request is
//! refused, its answer mostly names the cause. Lines that fit the cause are *tried* in requests of their own, out of order: a trial only
//! finds out which lines are refused, and the lines that it stored are sent again at their position.
//!
//! ```text
//! in order:  [ a b X c Y d ]  refused, "integer field f of m"        X and Y fit this cause
//! trials:    [ X ]  refused        [ Y ]  refused
//! in order:  [ a b c d ]  204
//! ```
//!
//! A refusal of a line is *proven* in one of three ways:
//! - The answer names the line by number and a cause, and the text of the line shows this cause. If it names only the first bad line,
//!   and InfluxDB 3 refuses it for the type of a column, the lines behind it with the same conflict are refused with it.
//! - The answer names a cause that lies in the line. The line was refused alone, or together with a line that was refused alone for the
//!   same cause, if the server quotes the line or drops as many lines as the request has.
//! - The answer has unknown words, and the line was refused alone 8 times. Between these attempts the same address stored 8 other
//!   requests to the destination, the *controls*, in a random order of attempts and controls. If the batch stores no line itself, other
//!   lanes store the controls; then the line is refused 24 times, each time on a new connection, with three waits in between.
//!
//! A line that is refused alone without proof is *set aside*. If too many are set aside and nothing is stored in between, the batch is
//! blocked: one line after the other is tried again, with a backoff, until the server takes it or another line.
//!
//! A line that was stored once is never refused. An address that refuses lines with unknown words, and stores the same lines at another
//! time, *contradicts itself*: there may be a broken server behind a load balancer. Its unknown words prove nothing for an hour. Requests
//! that it refuses are sent again as a whole first, and lines that it refuses alone are retried until they are stored.
//!
//! A line that meets a limit of the server is *kept out*: other lines are stored, and this one is neither stored nor refused. After 32 such
//! lines, neighbours of the same measurement are kept out together.
//!
//! Nothing else in an answer settles a line. If answers do not help, pieces are halved in order. For k causes in n lines that makes at
//! most 2 k log2(n/k) + 4 k requests, and one more if a compressed line is sent again uncompressed. The proof for unknown words adds about
//! 15 requests for each line.
//!
//! | file | content |
//! |---|---|
//! | `plan` | the sequence of requests for one batch |
//! | `pieces` | the unsettled parts of the batch: cutting, halving, rejoining |
//! | `trial_from_answer` | from an answer to the lines that it is about |
//! | `column_conflicts` | type conflicts that an answer names by column, without a number |
//! | `numbered_lines` | lines that an answer names by number |
//! | `trial` | requests for those lines alone |
//! | `suspects` | lines that fit a cause |
//! | `evidence`, `proof`, `unproven` | what refusals of single lines prove |
//! | `refusal` | one refusal: its answer, its address, its time |
//! | `limited_series` | lines that probably meet a limit |
//! | `line_set`, `request_lines` | a set of lines; the lines of one request |
//! | `same_point` | lines with the same series and time |

mod column_conflicts;
mod evidence;
mod limited_series;
mod line_set;
mod numbered_lines;
mod pieces;
mod plan;
mod proof;
mod refusal;
mod request_lines;
mod same_point;
mod suspects;
mod trial;
mod trial_from_answer;
mod unproven;

pub use evidence::{LimitedLine, RefusedLine};
pub use plan::{BlockedReason, NextRequest, SalvagePlan};
pub use refusal::{AddressHistory, RefusedAt, RefusedRequest};

#[cfg(test)]
mod tests;
