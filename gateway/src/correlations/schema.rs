//! The table, as the migrations make it.

diesel::table! {
    correlations (own, home) {
        own -> Text,
        home -> Text,
        there -> Text,
        origin -> Integer,
        confidence -> Nullable<Integer>,
        learned -> BigInt,
        valid_until -> BigInt,
    }
}
