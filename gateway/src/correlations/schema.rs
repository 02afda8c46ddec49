//! The tables, as the migrations make them.

diesel::table! {
    correlations (own, home) {
        own -> Text,
        home -> Text,
        there -> Text,
        origin -> Integer,
        confidence -> Nullable<Integer>,
        learned -> BigInt,
        valid_until -> BigInt,
        own_sealed -> Nullable<Text>,
        there_sealed -> Nullable<Text>,
    }
}

diesel::table! {
    at_rest (number) {
        number -> Integer,
        wrapped -> Text,
        progress -> Nullable<Text>,
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
        failures -> Integer,
        not_before -> BigInt,
    }
}
