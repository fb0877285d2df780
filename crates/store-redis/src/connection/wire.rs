//! A connection to one server, or to a cluster.

use futures_util::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, FromRedisValue as _, RedisError, Value};

type Sent<T> = Result<T, RedisError>;

#[derive(Clone, Debug)]
pub(crate) enum Wire {
    One(MultiplexedConnection),
    Cluster(Shown<ClusterConnection>),
}

/// A connection without a useful form in a log.
#[derive(Clone)]
pub(crate) struct Shown<T>(pub(super) T);

impl<T> std::fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClusterConnection")
    }
}

impl Wire {
    /// To the server, or to the node that the key belongs to.
    pub(crate) async fn send(&mut self, command: &Cmd) -> Sent<Value> {
        match self {
            Self::One(one) => command.query_async(one).await,
            Self::Cluster(cluster) => command.query_async(&mut cluster.0).await,
        }
    }

    /// To all primaries; the replies with their addresses.
    pub(crate) async fn send_to_all(&mut self, command: &Cmd) -> Sent<Vec<(String, Value)>> {
        match self {
            Self::One(one) => Ok(vec![(String::new(), command.query_async(one).await?)]),
            Self::Cluster(cluster) => {
                let all = (MultipleNodeRoutingInfo::AllMasters, None);
                let routing = RoutingInfo::MultiNode(all);
                let replies = cluster.0.route_command(command.clone(), routing).await?;
                Vec::from_redis_value(replies).map_err(RedisError::from)
            }
        }
    }

    /// All keys of this pattern, on all primaries.
    pub(crate) async fn scan(&self, pattern: &str) -> Sent<Vec<String>> {
        let mut info = Cmd::new();
        info.arg("INFO").arg("server");
        let nodes = self.clone().send_to_all(&info).await?;
        let scans = nodes
            .iter()
            .map(|(address, _)| self.scan_node(address, pattern));
        Ok(try_join_all(scans).await?.concat())
    }

    async fn scan_node(&self, address: &str, pattern: &str) -> Sent<Vec<String>> {
        let (mut wire, mut keys, mut cursor) = (self.clone(), Vec::new(), 0_u64);
        loop {
            let mut scan = Cmd::new();
            scan.arg("SCAN").arg(cursor);
            scan.arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
            let page = match &mut wire {
                Self::One(one) => scan.query_async(one).await?,
                Self::Cluster(cluster) => {
                    let node = RoutingInfo::SingleNode(by_address(address)?);
                    cluster.0.route_command(scan, node).await?
                }
            };
            let (next, page) = <(u64, Vec<String>)>::from_redis_value(page)?;
            keys.extend(page);
            if next == 0 {
                return Ok(keys);
            }
            cursor = next;
        }
    }
}

fn by_address(address: &str) -> Sent<SingleNodeRoutingInfo> {
    let parsed = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let (host, port) =
        parsed.ok_or_else(|| RedisError::from((ErrorKind::Client, "a node has no address")))?;
    Ok(SingleNodeRoutingInfo::ByAddress { host, port })
}
