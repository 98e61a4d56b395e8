//! A connection that is one for requests no more, in two directions.

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf},
    sync::oneshot,
};

use super::{Chunks, LARGEST_CHUNK};

/// What will be read of a connection once it has become another. It is empty where that never happens.
pub fn later() -> (oneshot::Sender<Chunks>, Chunks) {
    let (sender, receiver) = oneshot::channel::<Chunks>();
    let chunks = stream::once(receiver)
        .filter_map(|read| async { read.ok() })
        .flatten();
    (sender, chunks.boxed())
}

/// Writes to a connection what comes, and gives what is read from it. Each direction ends by itself.
pub fn join<C>(connection: C, incoming: Chunks) -> Chunks
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, writer) = tokio::io::split(connection);
    tokio::spawn(write(writer, incoming));
    stream::try_unfold(reader, |mut reader| async move {
        let mut piece = vec![0; LARGEST_CHUNK];
        let count = reader.read(&mut piece).await;
        match count.map_err(|error| error.to_string())? {
            0 => Ok(None),
            count => {
                piece.truncate(count);
                Ok(Some((Bytes::from(piece), reader)))
            }
        }
    })
    .boxed()
}

async fn write<C: AsyncRead + AsyncWrite>(mut writer: WriteHalf<C>, mut incoming: Chunks) {
    // A cut is told by the end as well: there are no other words for it.
    while let Some(Ok(piece)) = incoming.next().await {
        let written = writer.write_all(&piece).await;
        if written.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    // Whoever is gone already need not be told.
    let _ = writer.shutdown().await;
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_each_way_has_its_own_end() {
        let (near, mut far) = duplex(64);
        let (sender, incoming) = later();
        let mut read = join(near, incoming);
        far.write_all(b"first").await.unwrap();
        assert_eq!(read.try_next().await.unwrap().unwrap(), "first");
        let said = stream::iter([Ok(Bytes::from(vec![7; 1000]))]).boxed();
        assert!(sender.send(said).is_ok());
        let mut back = Vec::new();
        far.read_to_end(&mut back).await.unwrap();
        assert_eq!(back.len(), 1000);
        far.write_all(b"last").await.unwrap();
        drop(far);
        assert_eq!(read.try_next().await.unwrap().unwrap(), "last");
        assert_eq!(read.try_next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_never_becomes_another_is_empty() {
        let (sender, mut chunks) = later();
        drop(sender);
        assert!(chunks.next().await.is_none());
    }
}
