//! What travels: shapes, limits, signed bytes, codes.
