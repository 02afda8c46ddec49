//! The tables, as `migrations/` makes them.

diesel::table! {
    studies (number) {
        number -> BigInt,
        uid -> Text,
        generation -> BigInt,
        domain_patient_id -> Nullable<Text>,
        facts -> Text,
        registered -> Nullable<Text>,
        planned -> Nullable<Text>,
        due -> Nullable<BigInt>,
        claimed_by -> Text,
        claimed_until -> BigInt,
        attempts -> Integer,
        trouble -> Nullable<Text>,
        held -> Nullable<Text>,
        released -> Bool,
        changed -> BigInt,
        patient_id -> Text,
        patient_name -> Text,
        birth_date -> Text,
        sex -> Text,
        study_date -> Text,
        study_time -> Text,
        accession_number -> Text,
        study_id -> Text,
        description -> Text,
        referring_physician -> Text,
        modalities -> Text,
        series_count -> Integer,
        instance_count -> Integer,
    }
}

diesel::table! {
    series (number) {
        number -> BigInt,
        study -> BigInt,
        uid -> Text,
        modality -> Text,
        series_number -> Nullable<BigInt>,
        description -> Text,
        facts -> Text,
        instance_count -> Integer,
    }
}

diesel::table! {
    instances (number) {
        number -> BigInt,
        study -> BigInt,
        series -> BigInt,
        uid -> Text,
        sop_class_uid -> Text,
        instance_number -> Nullable<BigInt>,
        facts -> Text,
        collection -> Nullable<Text>,
    }
}

diesel::table! {
    quarantined (number) {
        number -> BigInt,
        study_uid -> Text,
        series_uid -> Text,
        uid -> Text,
        patient_id -> Text,
        arrived -> BigInt,
        origin -> Text,
        reasons -> Text,
        path -> Text,
        released -> Bool,
        volume -> Bool,
    }
}

diesel::table! {
    volumes (number) {
        number -> BigInt,
        path -> Text,
        basis -> Text,
        unique_id -> Text,
    }
}

diesel::table! {
    commitments (number) {
        number -> BigInt,
        calling -> Text,
        transaction_uid -> Text,
        instances -> Text,
        asked -> BigInt,
        due -> BigInt,
        attempts -> Integer,
    }
}

diesel::table! {
    archived (number) {
        number -> BigInt,
        archive -> Text,
        uid -> Text,
        series_count -> Nullable<BigInt>,
        instance_count -> Nullable<BigInt>,
        missed -> Integer,
        trouble -> Nullable<Text>,
    }
}

diesel::table! {
    notes (number) {
        number -> BigInt,
        study_uid -> Text,
        uid -> Text,
        title -> Text,
        arrived -> BigInt,
        path -> Text,
    }
}

diesel::table! {
    taken_back (study_uid, uid) {
        study_uid -> Text,
        uid -> Text,
        title -> Text,
    }
}

diesel::table! {
    doomed (path) {
        path -> Text,
    }
}

diesel::table! {
    removals (study_uid) {
        study_uid -> Text,
        documents -> Text,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    at_rest (number) {
        number -> Integer,
        wrapped -> Text,
        progress -> Nullable<Text>,
    }
}

diesel::joinable!(series -> studies (study));
diesel::joinable!(instances -> series (series));
diesel::allow_tables_to_appear_in_same_query!(studies, series, instances, quarantined, archived);
