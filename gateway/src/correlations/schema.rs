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

diesel::table! {
    deferred_answers (number) {
        number -> BigInt,
        home -> Text,
        relates_to -> Text,
        lives -> BigInt,
        valid_until -> BigInt,
        message -> Binary,
    }
}
