//! The tables, as `migrations/` make them on both databases.

diesel::table! {
    patients (number) {
        number -> BigInt,
        patient_id -> Text,
        next_seq -> BigInt,
        merged_into -> Nullable<BigInt>,
        known_since -> BigInt,
        sealed -> Nullable<Text>,
    }
}

diesel::table! {
    registry_objects (key) {
        key -> BigInt,
        patient -> BigInt,
        kind -> SmallInt,
        status -> SmallInt,
        entry_uuid -> Text,
        unique_id -> Nullable<Text>,
        time -> Nullable<Text>,
        service_start_time -> Nullable<Text>,
        service_stop_time -> Nullable<Text>,
        class_code -> Nullable<Text>,
        type_code -> Nullable<Text>,
        format_code -> Nullable<Text>,
        healthcare_facility_type_code -> Nullable<Text>,
        practice_setting_code -> Nullable<Text>,
        content_type_code -> Nullable<Text>,
        confidentiality_codes -> Nullable<Text>,
        event_codes -> Nullable<Text>,
        folder_codes -> Nullable<Text>,
        author_persons -> Nullable<Text>,
        reference_ids -> Nullable<Text>,
        origin -> Nullable<Text>,
        hash -> Nullable<Text>,
        size -> Nullable<BigInt>,
        association_type -> Nullable<Text>,
        source_key -> Nullable<BigInt>,
        source_uuid -> Nullable<Text>,
        target_key -> Nullable<BigInt>,
        target_uuid -> Nullable<Text>,
        ebrim -> Text,
        logical_uuid -> Nullable<Text>,
        version -> Integer,
        hidden -> SmallInt,
    }
}

diesel::table! {
    entry_uuids (uuid) {
        uuid -> Binary,
        key -> BigInt,
    }
}

diesel::table! {
    unique_ids (unique_id, copy) {
        unique_id -> Text,
        copy -> Integer,
        key -> BigInt,
    }
}

diesel::table! {
    links (object, association) {
        object -> BigInt,
        association -> BigInt,
    }
}

diesel::table! {
    versions (logical_uuid, version) {
        logical_uuid -> Binary,
        version -> Integer,
        key -> BigInt,
    }
}

diesel::table! {
    subscriptions (number) {
        number -> BigInt,
        reference -> Text,
        address -> Text,
        patient_id -> Text,
        topic -> Text,
        filter -> Text,
        consumer -> Text,
        destination -> Text,
        pull_point -> Nullable<BigInt>,
        created -> BigInt,
        terminates -> BigInt,
        failed -> Bool,
        attempts -> Integer,
        next_attempt -> BigInt,
        claimed_until -> BigInt,
        last_error -> Nullable<Text>,
        last_delivery -> Nullable<BigInt>,
        subscriber -> Nullable<Text>,
        sealed -> Nullable<Text>,
    }
}

diesel::table! {
    pull_points (number) {
        number -> BigInt,
        reference -> Text,
        capacity -> BigInt,
        lost -> BigInt,
        created -> BigInt,
        used -> BigInt,
    }
}

diesel::table! {
    notifications (number) {
        number -> BigInt,
        subscription -> BigInt,
        pull_point -> Nullable<BigInt>,
        patient_id -> Nullable<Text>,
        objects -> Text,
        message -> Text,
        created -> BigInt,
        described -> Nullable<Text>,
    }
}

diesel::table! {
    acquisitions (key) {
        key -> BigInt,
        series -> Integer,
        facts -> Text,
    }
}

diesel::table! {
    acquisition_numbers (keyword, number, key) {
        keyword -> Text,
        number -> Double,
        key -> BigInt,
    }
}

diesel::table! {
    acquisition_words (keyword, word, key) {
        keyword -> Text,
        word -> Text,
        key -> BigInt,
    }
}

diesel::table! {
    measurements (key, place) {
        key -> BigInt,
        place -> Integer,
        concept -> Text,
        number -> Nullable<Double>,
        dimension -> Text,
        value -> Nullable<Double>,
        unit -> Nullable<Text>,
        coded_value -> Nullable<Text>,
        qualifier -> Nullable<Text>,
        finding -> Nullable<Text>,
        site -> Nullable<Text>,
        laterality -> Nullable<Text>,
        method -> Nullable<Text>,
        derivation -> Nullable<Text>,
        algorithm -> Nullable<Text>,
        algorithm_version -> Nullable<Text>,
        tracking_identifier -> Nullable<Text>,
        tracking_uid -> Nullable<Text>,
        said_in -> Nullable<Text>,
        source_series -> Nullable<Text>,
    }
}

diesel::table! {
    specimens (specimen, key) {
        specimen -> Text,
        key -> BigInt,
        sealed -> Nullable<Text>,
    }
}

diesel::table! {
    consents (number) {
        number -> BigInt,
        id -> Text,
        version -> Integer,
        newest -> Bool,
        patient -> BigInt,
        updated -> BigInt,
        resource -> Text,
    }
}

diesel::table! {
    consent_documents (patient, key) {
        patient -> BigInt,
        key -> BigInt,
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
    demographics (patient) {
        patient -> BigInt,
        resource -> Text,
        updated -> BigInt,
    }
}

diesel::table! {
    demographic_keys (kind, key, patient) {
        kind -> SmallInt,
        key -> Text,
        patient -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(subscriptions, notifications);
