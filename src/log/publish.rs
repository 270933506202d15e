//! Pushing each new checkpoint outside the host, so that even the operator's root cannot rewrite what others hold.
//!
//! One thread a sink, and no queue: a slow sink gets the newest checkpoint when it is ready for one, and the newest
//! covers all before it. Appending never waits for a sink.
