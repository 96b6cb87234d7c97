//! Coinbase Advanced Trade: its messages, its counter, its subscriptions and keys.

pub mod auth;
pub mod level2;
pub mod sequence;
pub mod subscription;
