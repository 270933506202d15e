//! Telling an operator that a ledger has outgrown its engine.

use crate::store::EngineKind;
use tokio::sync::watch;

/// Warns once, as soon as a ledger has more entries than its engine is at ease with: at the start, or when it gets there.
pub async fn warn_when_outgrown(kind: EngineKind, size: watch::Receiver<u64>) {
    if let Some(warning) = outgrown(kind, size).await {
        tracing::warn!("{warning}");
    }
}

/// Waits for that moment; none if it never comes.
async fn outgrown(kind: EngineKind, mut size: watch::Receiver<u64>) -> Option<String> {
    let most = kind.warns_beyond()?;
    let entries = *size.wait_for(|entries| *entries > most).await.ok()?;
    kind.warning(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn sled_is_outgrown_at_the_start_or_when_the_ledger_gets_there() {
        let size = watch::Sender::new(200_001);
        assert!(outgrown(EngineKind::Sled, size.subscribe()).await.is_some());
        size.send_replace(199_000);
        let waiting = actix_web::rt::spawn(outgrown(EngineKind::Sled, size.subscribe()));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        size.send_replace(200_400);
        assert!(waiting.await.unwrap().unwrap().contains("for 200400 entries"));
    }

    #[actix_web::test]
    async fn fjall_is_never_outgrown() {
        assert_eq!(outgrown(EngineKind::Fjall, watch::Sender::new(u64::MAX).subscribe()).await, None);
    }
}
