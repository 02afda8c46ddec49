//! What several communities said, as one answer.

use std::sync::Arc;

use hilum_audit::Parties;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::metadata::HomeCommunityId;

use crate::asking::Silence;
use crate::communities::Known;
use crate::outcome::{any_error, misdirected, status, unexplained};

/// Objects that an error names.
const NAMED: usize = 10;

/// Who was asked.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// The own registry.
    Own,
    /// Another community.
    Other(Arc<Known>),
}

impl Whose {
    /// `homeCommunityId`, where this is the own.
    pub(super) fn home<'a>(&'a self, own: &'a HomeCommunityId) -> &'a HomeCommunityId {
        match self {
            Self::Own => own,
            Self::Other(known) => &known.community.home,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Own => "the registry of this community",
            Self::Other(known) => &known.community.name,
        }
    }

    /// A response that says why it is a failure, if it is one.
    pub(super) fn explained(
        &self,
        own: &HomeCommunityId,
        mut response: AdhocQueryResponse,
    ) -> AdhocQueryResponse {
        let home = self.home(own);
        let name = match self {
            Self::Own => self.name().to_owned(),
            Self::Other(_) => format!("{} ({home})", self.name()),
        };
        let code = ErrorCode::RegistryError;
        let missing = unexplained(response.status, &response.errors, code, &name);
        let missing = missing.map(|error| error.at(home.as_str()));
        response.errors.extend(missing);
        response
    }
}

/// What somebody answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) whose: Whose,
    pub(super) parties: Parties,
    pub(super) request: AdhocQueryRequest,
    pub(super) answer: Result<AdhocQueryResponse, Silence>,
}

/// One answer of several, of each of which this was taken. `errors` are those of communities that were not
/// asked.
pub(super) fn merge(
    taken: impl IntoIterator<Item = Taken>,
    errors: Vec<RegistryError>,
) -> AdhocQueryResponse {
    let mut merged = Taken {
        errors,
        ..Taken::default()
    };
    for one in taken {
        merged.objects.extend(one.objects);
        merged.errors.extend(one.errors);
        merged.any_success |= one.any_success;
        merged.unknown_patient = one.unknown_patient.or(merged.unknown_patient);
    }
    // Not to know a patient is no failure as long as somebody may have known it.
    if let (false, Some(unknown)) = (merged.any_success, merged.unknown_patient)
        && merged.errors.is_empty()
    {
        merged.errors.push(unknown);
    }
    AdhocQueryResponse {
        status: status(merged.any_success, &merged.errors),
        errors: merged.errors,
        objects: merged.objects,
    }
}

/// The answer of the own registry to another community.
pub(super) fn of_one(own: &HomeCommunityId, answered: Answered) -> AdhocQueryResponse {
    merge([Taken::of(own, answered)], Vec::new())
}

/// What is taken of what somebody answered.
#[derive(Debug, Default)]
pub(super) struct Taken {
    objects: Vec<RegistryObject>,
    errors: Vec<RegistryError>,
    /// Whether it could answer.
    any_success: bool,
    /// That it does not know the patient.
    unknown_patient: Option<RegistryError>,
}

impl Taken {
    pub(super) fn of(own: &HomeCommunityId, answered: Answered) -> Self {
        let mut taken = Self::default();
        let whose = &answered.whose;
        let response = match answered.answer {
            Ok(response) => response,
            Err(silence) => {
                taken.errors.push(unavailable(whose, &silence));
                return taken;
            }
        };
        // Who says that it failed and gives objects nevertheless has done a part of it.
        taken.any_success =
            response.status != ResponseStatus::Failure || !response.objects.is_empty();
        for error in response.errors {
            match error.code {
                ErrorCode::UnknownPatientId => taken.unknown_patient = Some(error),
                _ => taken.errors.push(located(error, whose)),
            }
        }
        match whose {
            Whose::Own => {
                let objects = response.objects.into_iter();
                taken
                    .objects
                    .extend(objects.map(|object| at_home(object, own)));
            }
            Whose::Other(known) => taken.take_others(own, known, response.objects),
        }
        taken
    }

    /// What it is alone, if there is something; the objects leave it. What is only an error has its place beside
    /// what the others say.
    pub(super) fn alone(&mut self) -> Option<AdhocQueryResponse> {
        if self.objects.is_empty() && (!self.any_success || any_error(&self.errors)) {
            return None;
        }
        Some(AdhocQueryResponse {
            status: status(true, &self.errors),
            errors: self.errors.clone(),
            objects: std::mem::take(&mut self.objects),
        })
    }

    /// An object without its community could not be asked for again (ITI-38 section 3.38.4.1.3).
    /// One of the own community would be asked for here.
    fn take_others(
        &mut self,
        own: &HomeCommunityId,
        known: &Known,
        mut objects: Vec<RegistryObject>,
    ) {
        self.errors
            .extend(without_ours(own, known, &mut objects, |it| it));
        if known.community.partner.assume_home {
            let home = &known.community.home;
            let at_home = |object| at_home(object, home);
            objects = objects.into_iter().map(at_home).collect();
        }
        let is_homeless = |object: &RegistryObject| {
            has_home(object) && object.home.as_deref().unwrap_or_default().is_empty()
        };
        let (homeless, good): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_homeless);
        self.objects.extend(good);
        if homeless.is_empty() {
            return;
        }
        let ids: Vec<&str> = homeless.iter().map(|it| it.id.as_str()).collect();
        let context = format!(
            "{} ({}) did not say of {} objects from which community they are: {}",
            known.community.name,
            known.community.home,
            ids.len(),
            ids[..ids.len().min(NAMED)].join(" ")
        );
        let error = RegistryError::error(ErrorCode::MissingHomeCommunityId, context);
        self.errors.push(error.at(known.community.home.as_str()));
    }
}

/// Leaves out what another community gives as of this one, which has nothing but what its own registry says.
/// Each of `all` has one `object`.
pub(crate) fn without_ours<T>(
    own: &HomeCommunityId,
    known: &Known,
    all: &mut Vec<T>,
    object: impl Fn(&T) -> &RegistryObject,
) -> Option<RegistryError> {
    let before = all.len();
    all.retain(|one| object(one).home.as_deref() != Some(own.as_str()));
    let left_out = before - all.len();
    (left_out > 0).then(|| {
        let community = &known.community;
        let (name, home) = (&community.name, community.home.as_str());
        let context =
            format!("{name} ({home}) gave {left_out} objects as those of {own}, which it is not");
        RegistryError::error(ErrorCode::RegistryError, context).at(home)
    })
}

/// Whether objects of this kind name their community.
pub(crate) fn has_home(object: &RegistryObject) -> bool {
    !matches!(object.body, Body::Association { .. })
}

/// The object with this community for its own, if it names none.
pub(crate) fn at_home(mut object: RegistryObject, own: &HomeCommunityId) -> RegistryObject {
    if has_home(&object) && object.home.as_deref().unwrap_or_default().is_empty() {
        object.home = Some(own.0.clone());
    }
    object
}

fn located(error: RegistryError, whose: &Whose) -> RegistryError {
    match whose {
        Whose::Other(known) if error.code == ErrorCode::UnknownCommunity => {
            let home = known.community.home.as_str();
            misdirected(error, &format!("{} ({home})", known.community.name), home)
        }
        Whose::Other(known) if error.location.is_none() => error.at(known.community.home.as_str()),
        _ => error,
    }
}

fn unavailable(whose: &Whose, silence: &Silence) -> RegistryError {
    let told = silence.told();
    match whose {
        Whose::Own => {
            let context = format!("{}: {told}", whose.name());
            RegistryError::error(ErrorCode::RegistryNotAvailable, context)
        }
        Whose::Other(known) => {
            let home = &known.community.home;
            let context = format!("{} ({home}): {told}", known.community.name);
            let error = RegistryError::error(ErrorCode::UnavailableCommunity, context);
            error.at(home.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::asking::Crowd;
    use crate::communities::Community;
    use crate::partner::Partner;
    use crate::patients::PatientsThere;

    fn other(home: &str) -> Whose {
        let deadline = Duration::from_secs(1);
        let community = Community {
            home: home.into(),
            name: "elsewhere".to_owned(),
            query: None,
            retrieve: None,
            imaging: None,
            fetch: None,
            provide: None,
            wado: None,
            pass_tokens: false,
            deadline,
            calls: 1,
            partner: Partner::default(),
            patients: PatientsThere::default(),
        };
        let known = Known::new(community, &Crowd::of(1), Arc::default());
        Whose::Other(Arc::new(known))
    }

    fn answered(whose: Whose, answer: Result<AdhocQueryResponse, Silence>) -> Answered {
        Answered {
            whose,
            parties: Parties::asked("http://gateway.example/"),
            request: AdhocQueryRequest::default(),
            answer,
        }
    }

    fn success(homes: &[Option<&str>]) -> Result<AdhocQueryResponse, Silence> {
        let object = |home: &Option<&str>| RegistryObject {
            home: home.map(str::to_owned),
            ..RegistryObject::new("urn:uuid:1", Body::ObjectRef)
        };
        Ok(AdhocQueryResponse {
            status: ResponseStatus::Success,
            errors: Vec::new(),
            objects: homes.iter().map(object).collect(),
        })
    }

    fn failure(code: ErrorCode) -> Result<AdhocQueryResponse, Silence> {
        Ok(AdhocQueryResponse {
            status: ResponseStatus::Failure,
            errors: vec![RegistryError::error(code, "no")],
            objects: Vec::new(),
        })
    }

    fn merged(answers: Vec<Answered>) -> AdhocQueryResponse {
        let own = "urn:oid:1".into();
        let taken = answers.into_iter().map(|it| Taken::of(&own, it));
        merge(taken, Vec::new())
    }

    #[test]
    fn own_objects_get_their_home_and_others_must_have_one() {
        let both = merged(vec![
            answered(Whose::Own, success(&[None])),
            answered(other("urn:oid:2"), success(&[Some("urn:oid:2"), None])),
        ]);
        let homes: Vec<_> = both.objects.iter().map(|it| it.home.as_deref()).collect();
        assert_eq!(homes, [Some("urn:oid:1"), Some("urn:oid:2")]);
        assert_eq!(both.status, ResponseStatus::PartialSuccess);
        assert_eq!(both.errors[0].code, ErrorCode::MissingHomeCommunityId);
        assert_eq!(both.errors[0].location.as_deref(), Some("urn:oid:2"));
    }

    #[test]
    fn nobody_else_has_objects_of_the_own_community() {
        let homes = [Some("urn:oid:1"), Some("urn:oid:3")];
        let answers = vec![answered(other("urn:oid:2"), success(&homes))];
        let given = merged(answers);
        let homes: Vec<_> = given.objects.iter().map(|it| it.home.as_deref()).collect();
        assert_eq!(homes, [Some("urn:oid:3")]);
        assert_eq!(given.status, ResponseStatus::PartialSuccess);
        assert_eq!(given.errors[0].code, ErrorCode::RegistryError);
        assert_eq!(given.errors[0].location.as_deref(), Some("urn:oid:2"));
    }

    #[test]
    fn who_takes_itself_for_somebody_else_is_named() {
        let mut answer = failure(ErrorCode::UnknownCommunity).unwrap();
        answer.errors[0].location = Some("urn:oid:3".to_owned());
        let told = merged(vec![answered(other("urn:oid:2"), Ok(answer))]);
        assert_eq!(told.errors.len(), 1);
        assert!(told.errors[0].context.contains("elsewhere (urn:oid:2)"));
        assert_eq!(told.errors[0].location.as_deref(), Some("urn:oid:2"));
    }

    #[test]
    fn a_failure_without_a_reason_is_named_and_has_no_part() {
        let own = "urn:oid:1".into();
        for (whose, home, status) in [
            (Whose::Own, "urn:oid:1", ResponseStatus::Failure),
            (other("urn:oid:2"), "urn:oid:2", ResponseStatus::Failure),
            (
                other("urn:oid:2"),
                "urn:oid:2",
                ResponseStatus::PartialSuccess,
            ),
        ] {
            let answer = AdhocQueryResponse {
                status,
                ..success(&[]).unwrap()
            };
            let answer = whose.explained(&own, answer);
            let mut taken = Taken::of(&own, answered(whose, Ok(answer)));
            assert!(taken.alone().is_none());
            assert_eq!(taken.errors.len(), 1);
            assert_eq!(taken.errors[0].location.as_deref(), Some(home));
        }
    }

    #[test]
    fn who_is_away_leaves_one_error_beside_the_others() {
        let away = || Err(Silence::Late(Duration::from_millis(20)));
        let both = merged(vec![
            answered(Whose::Own, success(&[None])),
            answered(other("urn:oid:2"), away()),
        ]);
        assert_eq!(both.status, ResponseStatus::PartialSuccess);
        assert_eq!(both.errors.len(), 1);
        assert_eq!(both.errors[0].code, ErrorCode::UnavailableCommunity);
        let none = merged(vec![
            answered(Whose::Own, away()),
            answered(other("urn:oid:2"), away()),
        ]);
        assert_eq!(none.status, ResponseStatus::Failure);
        assert_eq!(none.errors[0].code, ErrorCode::RegistryNotAvailable);
    }

    #[test]
    fn a_patient_whom_nobody_knows_is_unknown_and_otherwise_nobody_says_so() {
        let unknown = || failure(ErrorCode::UnknownPatientId);
        let some = merged(vec![
            answered(Whose::Own, unknown()),
            answered(other("urn:oid:2"), success(&[])),
        ]);
        assert_eq!(
            (some.status, some.errors.len()),
            (ResponseStatus::Success, 0)
        );
        let none = merged(vec![
            answered(Whose::Own, unknown()),
            answered(other("urn:oid:2"), unknown()),
        ]);
        assert_eq!(none.status, ResponseStatus::Failure);
        assert_eq!(none.errors.len(), 1);
        assert_eq!(none.errors[0].code, ErrorCode::UnknownPatientId);
    }
}
