//! `serve`: the status page.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use serde_json::json;
use tokio::net::TcpListener;

use super::args::ServeArgs;
use super::context::Context;
use super::credentials;
use super::exit::Exit;
use super::failure::Usage;
use super::rolled_back;
use super::{signals, typed};
use crate::run::Interrupt;
use crate::web::{Lock, Server};

pub(super) async fn serve(context: &mut Context, args: ServeArgs) -> anyhow::Result<Exit> {
    let is_loopback = args.listen.ip().is_loopback();
    let lock = match &args.password_file {
        Some(file) => Lock::Password(credentials::page_password(file)?),
        None if is_loopback => Lock::Token,
        None => bail!(Usage(format!(
            "`--listen {}` lets other machines look, and nothing asks who they are\n\
             hint: `--password-file FILE` names a file with a password for them, or leave `--listen` out",
            args.listen
        ))),
    };
    let store = Arc::new(context.open_store().await?);
    rolled_back::tell(context, &store).await?;
    let notes = rolled_back::notes(context, &store).await?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| cannot_listen(args.listen, error))?;
    let mut interrupts = signals::listen()?;
    let server = Server::new(listener, lock, typed::database().map(str::to_owned))?;
    if !is_loopback {
        context.out.note(
            "warning: other machines can look, and everybody on the way can read what they see, the password too\n\
             hint: put a proxy in front that speaks TLS, and let only that one reach this port\n",
        );
    }
    if context.out.is_json() {
        context.out.data(&format!("{}\n", json!({ "url": server.url() })));
    } else {
        context.out.data(&format!("{}\n", server.url()));
        context.out.note("open it in a browser; it only shows. Ctrl-C ends it\n");
    }
    let shutdown = async move {
        // An error means that nobody listens for signals any more: then nothing else can end this either.
        let _ = interrupts.wait_for(|interrupt| *interrupt != Interrupt::None).await;
    };
    server.serve(Arc::clone(&store), notes, shutdown).await;
    store.close().await;
    Ok(Exit::Complete)
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AddrInUse {
        let free = SocketAddr::new(address.ip(), 0);
        return anyhow!(
            "cannot listen on {address}: the port is in use\nhint: `--listen {free}` takes one that is free"
        );
    }
    anyhow::Error::new(error).context(format!("cannot listen on {address}"))
}
