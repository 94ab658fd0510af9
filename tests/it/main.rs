//! The integration tests.

mod data_shapes;
