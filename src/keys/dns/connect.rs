//! Connections to name servers, and why there was none: hickory's pool forgets that.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::config::ConnectionConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ConnectionProvider, PoolContext};

/// Connects as hickory does, and remembers the last failure.
#[derive(Clone, Default)]
pub(in crate::keys::dns) struct Connector {
    runtime: TokioRuntimeProvider,
    failure: Arc<Mutex<Option<String>>>,
}

type Connection = <TokioRuntimeProvider as ConnectionProvider>::Conn;

impl Connector {
    /// Why the last connection that failed did.
    pub(in crate::keys::dns) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ConnectionProvider for Connector {
    type Conn = Connection;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Connection, NetError>> + Send + 'static>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let connecting = self.runtime.new_connection(ip, config, cx)?;
        let failure = Arc::clone(&self.failure);
        Ok(Box::pin(async move {
            connecting.await.inspect_err(|error| {
                let told = Some(error.to_string());
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = told;
            })
        }))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.runtime
    }
}
