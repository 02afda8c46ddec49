//! Answers in several messages, as a client takes them that shows each when it is there.

use std::time::{Duration, Instant};

use hilum_transport::ClientError;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::transaction::Transaction;

use crate::Town;
use crate::calls::Raw;

/// One message.
#[derive(Debug)]
pub struct Part {
    /// Of which community it is.
    pub community: String,
    /// How long after the question it came.
    pub after: Duration,
    /// What it says.
    pub response: AdhocQueryResponse,
}

/// A whole answer.
#[derive(Debug)]
pub struct Streamed {
    /// All messages but the last.
    pub parts: Vec<Part>,
    /// The last one.
    pub last: AdhocQueryResponse,
    /// How long after the question that came.
    pub after: Duration,
}

impl Streamed {
    /// The communities that have a message, in their order.
    pub fn communities(&self) -> Vec<&str> {
        self.parts.iter().map(|it| it.community.as_str()).collect()
    }

    /// What all messages together say.
    pub fn together(&self) -> AdhocQueryResponse {
        let objects = self.parts.iter().flat_map(|it| &it.response.objects);
        AdhocQueryResponse {
            objects: objects.cloned().collect(),
            ..self.last.clone()
        }
    }
}

/// The same answer, its objects in an order that does not depend on who was first.
pub fn ordered(mut answer: AdhocQueryResponse) -> AdhocQueryResponse {
    let name = |it: &RegistryObject| (it.home.clone(), it.id.clone());
    answer.objects.sort_by_key(name);
    answer
}

impl Town {
    /// ITI-18 or ITI-51 to the town's own gateway, answered in several messages.
    pub async fn query_as_it_comes<T>(&self, request: String) -> Result<Streamed, ClientError>
    where
        T: Transaction<Request = Raw, Response = AdhocQueryResponse>,
    {
        let (url, request) = (self.initiating(), Raw(request));
        let began = Instant::now();
        let mut coming = self.client.send_for_several::<T>(&url, &request).await?;
        let mut parts = Vec::new();
        while let Some((community, response)) = coming.next().await? {
            let after = began.elapsed();
            match community {
                Some(community) => parts.push(Part {
                    community,
                    after,
                    response,
                }),
                None => {
                    return Ok(Streamed {
                        parts,
                        last: response,
                        after,
                    });
                }
            }
        }
        panic!("an answer without its last message is an error");
    }
}
