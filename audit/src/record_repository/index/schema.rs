//! The tables, as the migrations make them.

diesel::table! {
    position (id) {
        id -> Integer,
        next -> BigInt,
        log -> Nullable<Text>,
        shape -> Integer,
        salt -> Binary,
    }
}

diesel::table! {
    batches (number) {
        number -> BigInt,
        first -> BigInt,
        last -> BigInt,
        earliest -> BigInt,
        latest -> BigInt,
        events -> Integer,
        members -> Binary,
    }
}

diesel::table! {
    postings (word, batch) {
        word -> BigInt,
        batch -> BigInt,
        members -> Binary,
    }
}

diesel::table! {
    strings (kind, value) {
        kind -> Integer,
        value -> Text,
        word -> BigInt,
        sealed -> Nullable<Text>,
    }
}

diesel::table! {
    at_rest (number) {
        number -> Integer,
        wrapped -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(postings, strings);
