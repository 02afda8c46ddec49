//! The registry from outside: over the wire, with either database.
//!
//! Each case gets a [`Site`] with a fresh database and runs twice: as a test of its own on SQLite,
//! and as a part of `everything_on_postgresql`, which starts a server for all of them.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod iti18;
mod iti42;
mod postgres;
mod site;
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
                $module::$case(Site::on(server.new_database())).await;
            )*
        }
    };
}

cases! {
    iti42::a_submission_is_registered_and_found,
    iti42::an_unknown_patient_is_refused,
}
