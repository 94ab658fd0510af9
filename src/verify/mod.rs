//! Turns bytes into proof: a report whose signature holds, or a reason why not.
