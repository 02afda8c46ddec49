//! What is answered on an association that others have asked for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AssociationRJResult, AssociationRJServiceUserReason,
    AssociationRJSource, Pdu,
};
use dicom_ul::pdu::{AssociationRJ, AssociationRQ};
use hilum_audit::{Event, Parties};
use hilum_security::{Caller, Permission};
use hilum_transport::streams::{Connection, Incoming};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use xds_schemas::soap::Fault;

use super::super::Room;
use super::DimseConfig;
use super::association::{Association, Ended, Next};
use super::command::{self, Command};
use super::commitment::{self, Reports};
use super::negotiation::{Agreement, negotiate, title};
use super::pdu::{Received, Wire};
use super::requestor::Requestor;
use super::store;
use super::told::Told;

/// How long who connects may take to ask for an association (ARTIM of PS3.8 section 9.1.5).
const ASKING: Duration = Duration::from_secs(30);
/// How long an association may be idle. Some modalities keep one open between images.
const IDLE: Duration = Duration::from_secs(300);
/// A data set behind a command that takes none.
const SUPERFLUOUS: usize = 1024 * 1024;

/// Status (PS3.7 annex C).
pub(super) const SUCCESS: u16 = 0x0000;
const UNRECOGNIZED_OPERATION: u16 = 0x0211;

/// An application entity that others call. Clones share it.
#[derive(Clone)]
pub struct Provider {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) room: Arc<Room>,
    pub(super) config: DimseConfig,
    pub(super) requestor: Requestor,
    /// Rung when a storage commitment is to be answered.
    pub(super) owed: Arc<Notify>,
}

/// An association, and what has happened on it.
pub(super) struct Serving<'a> {
    pub(super) shared: &'a Shared,
    pub(super) association: Association,
    /// AE title of the one who called.
    pub(super) calling: String,
    pub(super) caller: Caller,
    pub(super) told: Told,
    pub(super) reports: Reports,
}

impl Provider {
    pub(super) fn open(room: Arc<Room>, config: DimseConfig, requestor: Requestor) -> Self {
        let shared = Arc::new(Shared {
            room,
            config,
            requestor,
            owed: Arc::new(Notify::new()),
        });
        tokio::spawn(commitment::run(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Serves one connection. What is refused leaves a record too.
    pub async fn receive(&self, incoming: Incoming) {
        match incoming {
            Incoming::Refused(refusal) => self.shared.record(Event::from(&refusal)).await,
            Incoming::Connection(connection) => self.shared.serve(connection).await,
        }
    }
}

impl Shared {
    /// A record of which nothing depends: if it cannot be written, that is logged where it fails.
    async fn record(&self, event: Event) {
        if let Ok(recorded) = self.room.audit.record(event, ()).await {
            recorded.into_inner();
        }
    }

    async fn serve(&self, connection: Connection) {
        let Connection {
            stream,
            caller,
            mut stopping,
        } = connection;
        let mut wire = Wire::new(stream);
        let came = tokio::select! {
            biased;
            came = wire.receive(Instant::now() + ASKING) => came,
            // Nothing was asked on it, so there is nothing to finish.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let request = match came {
            Ok(Received::Other(Pdu::AssociationRQ(request))) => request,
            Ok(Received::Closed) => return,
            came => {
                let reason = came.map_or_else(
                    |error| format!("{error:#}"),
                    |_| "no association was asked for".to_owned(),
                );
                tracing::info!(address = %caller.address, reason, "a connection was refused");
                let fault = Fault::sender(reason);
                self.record(Event::refused(&caller, &fault)).await;
                return wire
                    .abort(AbortRQServiceProviderReason::UnexpectedPdu)
                    .await;
            }
        };
        if let Some(association) = self.accept(wire, &caller, &request).await {
            self.work(association, caller, request, stopping).await;
        }
    }

    /// Accepts or rejects an association.
    async fn accept(
        &self,
        mut wire: Wire,
        caller: &Caller,
        request: &AssociationRQ,
    ) -> Option<Association> {
        let permitted = caller.may(Permission::Provide);
        let agreed = negotiate(&self.config, request);
        let (answer, fault) = match (permitted, agreed) {
            (Ok(()), Ok(agreement)) => {
                let Agreement {
                    answer,
                    contexts,
                    taken,
                } = agreement;
                let sent = wire.send(&Pdu::AssociationAC(answer)).await;
                return sent
                    .is_ok()
                    .then(|| Association::new(wire, contexts, taken));
            }
            (Ok(()), Err(rejected)) => {
                let reason = format!("an association was rejected: {}", rejected.reason);
                (rejected.answer, Fault::not_permitted(reason))
            }
            (Err(refused), _) => {
                let reason = AssociationRJServiceUserReason::NoReasonGiven;
                let answer = AssociationRJ {
                    result: AssociationRJResult::Permanent,
                    source: AssociationRJSource::ServiceUser(reason),
                };
                (answer, Fault::not_permitted(refused.to_string()))
            }
        };
        let (calling, called) = (&request.calling_ae_title, &request.called_ae_title);
        tracing::info!(address = %caller.address, calling, called, reason = fault.reason, "refused");
        self.record(Event::refused(caller, &fault)).await;
        if wire.send(&Pdu::AssociationRJ(answer)).await.is_ok() {
            wire.closed(ASKING).await;
        }
        None
    }

    /// Does what is asked on an association, and records what was sent on it, however it ends.
    async fn work(
        &self,
        association: Association,
        caller: Caller,
        request: AssociationRQ,
        stopping: watch::Receiver<bool>,
    ) {
        // What is no title was not accepted.
        let title = |text| title(text).unwrap_or_default().to_owned();
        let calling = title(&request.calling_ae_title);
        let caller = Caller {
            ae_title: Some(calling.clone()),
            ..caller
        };
        let parties = Parties::answered(&caller, "dicom:")
            .named(calling.clone(), title(&request.called_ae_title));
        let mut serving = Serving {
            shared: self,
            association,
            calling,
            caller,
            told: Told::of(parties),
            reports: Reports::default(),
        };
        let ended = serving.run(stopping).await;
        let Serving {
            association,
            calling,
            caller,
            told,
            reports,
            ..
        } = serving;
        if let Err(error) = &ended {
            let reason = format!("{error:#}");
            tracing::warn!(address = %caller.address, calling, reason, "an association is aborted");
        }
        told.record(&self.room, &caller).await;
        reports.leave(self).await;
        match ended {
            Ok(Some(Ended::Released)) => association.close().await,
            Ok(Some(Ended::Aborted)) => {}
            Ok(None) | Err(_) => association.abort().await,
        }
    }
}

impl Serving<'_> {
    /// Message after message. `None` if we are the one who ends it: it was idle for too long, or we
    /// are to stop.
    async fn run(&mut self, mut stopping: watch::Receiver<bool>) -> anyhow::Result<Option<Ended>> {
        loop {
            let idle = Instant::now() + IDLE;
            let until = self.reports.due().map_or(idle, |due| due.min(idle));
            let next = tokio::select! {
                // If the sender is gone, so is the node.
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(None),
                next = self.association.next(until) => next?,
            };
            match next {
                Next::Message { context, command } => self.answer(context, command).await?,
                Next::End(ended) => return Ok(Some(ended)),
                Next::Silence if until == idle => return Ok(None),
                Next::Silence => commitment::report(self).await?,
            }
        }
    }

    /// Everything that is answered. Read this first.
    async fn answer(&mut self, context: u8, command: Command) -> anyhow::Result<()> {
        match command.field() {
            command::C_STORE_RQ => store::answer(self, context, command).await,
            command::C_ECHO_RQ => {
                self.skip_data(context, &command).await?;
                self.respond(context, &command, SUCCESS).await
            }
            command::N_ACTION_RQ => commitment::answer(self, context, command).await,
            command::N_EVENT_REPORT_RSP => commitment::taken(self, &command).await,
            // Nothing is done that could still be cancelled.
            command::C_CANCEL_RQ => Ok(()),
            _ if command.is_response() => self.skip_data(context, &command).await,
            _ => {
                self.skip_data(context, &command).await?;
                self.respond(context, &command, UNRECOGNIZED_OPERATION)
                    .await
            }
        }
    }

    /// Whether the rules let whoever calls hand in anything here, whatever it is.
    pub(super) fn admitted(&self) -> Result<(), Fault> {
        let access = &self.shared.room.config.access;
        access.admits(&self.caller, Permission::Provide, SystemTime::now())
    }

    pub(super) async fn skip_data(&mut self, context: u8, command: &Command) -> anyhow::Result<()> {
        if command.has_data() {
            let data = self.association.whole_data(context, SUPERFLUOUS).await?;
            data.context("a data set where none must be")?;
        }
        Ok(())
    }

    /// Answers with nothing but a status.
    pub(super) async fn respond(
        &mut self,
        context: u8,
        command: &Command,
        status: u16,
    ) -> anyhow::Result<()> {
        let response = command.response(status);
        self.association.send(context, &response, None).await
    }
}
