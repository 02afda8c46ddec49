//! The registry from outside: over the wire, with either database.
//!
//! Each case gets a [`Site`] with a fresh database and runs twice: as a test of its own on SQLite,
//! and as a part of `everything_on_postgresql`, which starts a server for all of them.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod access;
mod at_rest;
mod concurrency;
mod consumer;
mod door;
mod dsub;
mod imaging_queries;
mod iti108;
mod iti18;
mod iti18_parameters;
mod iti42;
mod iti42_rules;
mod iti44;
mod iti45;
mod iti47;
mod iti53;
mod iti57;
mod iti61;
mod iti62;
mod iti64;
mod iti8;
mod iti92;
mod postgres;
mod site;
mod twins;
mod vault;
mod words;

use site::Site;

macro_rules! cases {
    ($($module:ident::$case:ident,)*) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$module::$case(super::Site::on_sqlite()).await;
                }
            )*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn everything_on_postgresql() {
            let Some(server) = postgres::Server::start() else {
                return;
            };
            $(
                eprintln!("{} on PostgreSQL", stringify!($case));
                // On the heap: all of them together are too much for a stack.
                Box::pin($module::$case(Site::on(server.new_database()))).await;
            )*
            at_rest::no_file_names_anybody(&server.path().join("data"));
        }
    };
}

cases! {
    iti42::a_submission_is_registered_and_found,
    iti42::everything_is_there_when_the_registry_is_opened_again,
    iti42::names_become_uuids,
    iti42::extra_metadata_comes_back,
    iti42::extra_metadata_may_be_dropped,
    iti42::slots_that_nobody_may_name_are_refused,
    iti42::an_unknown_patient_is_refused,
    iti42::unique_ids_of_sets_and_folders_are_new,
    iti42::the_same_document_may_be_registered_again,
    iti42::entry_uuids_are_given_once,
    iti42::everything_that_is_wrong_is_said_at_once,
    iti42::nothing_stays_of_what_is_refused,
    iti42::codes_of_other_domains_are_refused,
    iti42::a_replaced_document_is_deprecated_with_what_hangs_on_it,
    iti42::deprecated_documents_are_not_referred_to,
    iti42::a_replacement_goes_into_the_folders_of_what_it_replaces,
    iti42::a_replacement_is_put_into_a_folder_once,
    iti42::references_must_be_registered,
    iti42::patients_do_not_mix,
    iti42::another_patients_document_may_be_referred_to,
    iti42::submission_sets_and_folders_hold_what_they_may,
    iti42::documents_go_into_folders_later,
    iti42::many_submissions_at_a_time,
    iti42::a_race_for_one_unique_id,
    iti18::find_documents_by_what_is_asked,
    iti18::find_documents_by_reference_id,
    iti18::find_submission_sets,
    iti18::find_folders,
    iti18::get_everything,
    iti18::get_documents_by_name,
    iti18::whole_objects_are_of_one_patient,
    iti18::associations_of_objects,
    iti18::a_submission_set_and_its_contents,
    iti18::a_folder_and_its_contents,
    iti18::the_folders_of_a_document,
    iti18::documents_that_are_related,
    iti18::a_patient_whom_nobody_knows,
    iti18::too_much_is_not_answered,
    iti18::contents_of_several_patients,
    iti57::a_new_version_of_a_document_entry,
    iti57::documents_with_one_unique_id,
    iti57::links_are_carried_over,
    iti57::links_are_left_alone,
    iti57::new_versions_are_judged,
    iti57::registering_takes_no_versions,
    iti57::the_status_of_a_document_entry,
    iti57::the_status_of_versions,
    iti57::versions_and_statuses_of_folders,
    iti57::a_folder_and_its_document,
    iti57::the_status_of_associations,
    iti57::associations_are_submitted,
    iti57::a_document_moves_to_another_patient,
    iti57::documents_that_are_offline,
    iti57::a_race_for_one_version,
    iti62::everything_is_forgotten,
    iti62::removal_is_refused,
    iti62::memberships_in_folders_are_held,
    iti62::what_is_held_twice,
    iti62::several_patients_at_once,
    iti62::a_version_is_taken_back,
    iti62::one_of_two_copies_goes,
    iti92::a_correction,
    iti92::corrections_are_judged,
    iti8::patients_become_known,
    iti8::identifiers_of_other_domains_are_ignored,
    iti8::updates_are_ignored,
    iti8::what_cannot_be_taken_is_told,
    iti8::merges_that_must_be_refused,
    iti8::a_merge_shows_in_queries_and_submissions,
    iti8::merges_follow_each_other,
    iti8::chains_of_merges_have_an_end,
    iti8::relationships_and_folders_cross_merges,
    iti8::subsumed_patients_in_queries_may_be_refused,
    iti8::a_domain_that_takes_every_patient_merges_them_too,
    iti8::everything_is_recorded,
    iti8::merges_meet_submissions,
    iti8::merges_meet_each_other,
    iti64::documents_follow_their_local_patient,
    iti64::what_stays_behind_holds_up_what_is_linked_with_it,
    iti64::local_patients_are_merged,
    iti64::references_and_replacements_are_followed,
    iti64::changes_of_merged_and_unknown_patients,
    iti64::one_record_names_everybody,
    iti44::patients_become_known_in_hl7v3,
    iti44::merges_are_those_of_iti8,
    iti44::what_is_wrong_is_told_in_hl7v3,
    iti61::an_on_demand_document_is_registered_and_found,
    iti61::only_on_demand_documents_are_registered,
    iti61::what_describes_a_content_is_refused,
    iti61::unique_ids_of_contents_and_of_what_has_none,
    iti61::on_demand_documents_are_related,
    iti61::snapshots_are_of_on_demand_documents,
    iti61::on_demand_documents_get_new_versions,
    iti61::nothing_is_registered_by_half,
    iti61::every_registration_is_recorded,
    dsub::documents_are_told_in_full,
    dsub::documents_are_told_by_reference,
    dsub::submission_sets_are_told,
    dsub::folders_are_told,
    dsub::more_than_what_is_new_is_told_to_those_who_ask,
    dsub::patients_need_not_be_named,
    dsub::a_subscription_is_cancelled,
    dsub::a_subscription_ends,
    dsub::wrong_subscriptions_are_refused,
    dsub::a_pull_point_keeps_messages,
    dsub::a_full_pull_point_loses_its_oldest,
    dsub::what_others_publish_is_told,
    dsub::other_brokers_deliver_into_a_pull_point,
    dsub::a_subscription_matches_what_a_query_finds,
    dsub::updates_and_removals_are_told,
    dsub::merged_patients_are_told_as_who_they_are_now,
    dsub::a_broken_database_is_said_in_the_words_of_the_standard,
    iti53::a_consumer_is_told,
    iti53::a_consumer_that_was_away_is_told_everything,
    iti53::what_was_refused_is_told_again,
    iti53::a_slow_consumer_delays_nobody_else,
    iti53::a_hopeless_subscription_is_given_up,
    iti53::a_backlog_is_bounded,
    iti53::nothing_is_forgotten_when_the_registry_is_closed,
    iti53::a_dead_consumer_does_not_slow_registration,
    iti53::every_part_of_it_is_recorded,
    iti42_rules::answers_say_everything,
    iti42_rules::the_order_of_objects_means_nothing,
    iti42_rules::statuses_are_the_registrys,
    iti42_rules::uuids_stay_and_symbols_become_uuids,
    iti42_rules::only_stable_documents_are_registered,
    iti42_rules::extra_metadata_has_names_of_its_own,
    iti42_rules::only_code_and_scheme_are_constrained,
    iti42_rules::services_stop_after_they_start,
    iti42_rules::relationships_lead_to_documents,
    iti42_rules::folders_know_when_they_got_a_document,
    iti42_rules::parents_stay_approved_and_transformations_are_replaced,
    iti42_rules::a_transformation_that_replaces_stays_approved,
    iti42_rules::a_document_by_reference,
    iti42_rules::every_attribute_comes_back,
    iti18_parameters::every_query_with_every_parameter,
    iti18_parameters::values_as_they_are_written,
    iti18_parameters::what_is_not_known_is_passed_over,
    iti18_parameters::statuses_that_nobody_knows,
    iti18_parameters::what_is_returned,
    iti18_parameters::values_that_cannot_be_read,
    imaging_queries::conditions_hold_for_one_series,
    imaging_queries::documents_are_narrowed_as_ever,
    imaging_queries::our_queries_over_the_wire,
    imaging_queries::too_many_images_are_not_answered,
    imaging_queries::measured_values_are_found,
    imaging_queries::everything_is_asked_at_once,
    imaging_queries::specimens_are_found,
    imaging_queries::images_change_with_their_documents,
    imaging_queries::what_is_removed_leaves_no_index,
    imaging_queries::on_demand_documents_with_images,
    imaging_queries::what_is_not_understood_is_kept,
    imaging_queries::what_is_dropped_is_not_indexed,
    concurrency::of_many_replacements_one_succeeds,
    concurrency::readers_see_whole_submissions,
    twins::hidden_is_absent,
    access::existence_is_less_than_metadata,
    access::versions_are_as_confidential_as_the_newest,
    access::identifiers_of_hidden_documents_are_taken,
    access::what_is_hidden_holds_what_is_seen,
    access::subscribers_are_told_what_they_may_see,
    access::what_waits_is_decided_when_it_is_sent,
    access::what_is_not_registered_is_decided_by_what_is_known,
    iti108::withdrawal_counts_at_the_next_call,
    iti108::wishes_follow_a_merge,
    iti108::consents_are_kept_in_all_their_versions,
    iti108::consents_are_found,
    iti108::what_is_no_consent_is_refused,
    iti108::consents_are_hidden_too,
    iti108::acknowledged_policies_are_consents,
    at_rest::nothing_in_the_database_names_a_patient,
    at_rest::a_plain_database_is_encrypted,
    at_rest::a_database_in_use_is_not_encrypted,
    at_rest::exchanged_fields_are_refused,
    at_rest::keys_are_rotated_beside_a_registry,
    iti45::identifiers_in_other_domains,
    iti45::identifiers_that_nobody_knows,
    iti45::identifiers_follow_merges_and_links,
    iti47::patients_are_found_by_what_is_known,
    iti47::what_is_told_of_a_patient,
    iti47::an_answer_is_continued,
    iti47::what_is_said_later_counts,
    iti47::questions_that_are_refused,
    iti47::who_may_find_patients_is_said_by_rules,
    door::every_call_is_recorded,
    door::what_is_no_submission_is_refused,
    door::the_service_describes_itself,
}
