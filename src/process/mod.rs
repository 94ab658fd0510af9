//! One verified report, one change, one transaction.
