//! The method of pruning: blocks, rates, directions, plans, orders of channels.
#![cfg(feature = "train")]

mod support;

#[path = "prune/admm.rs"]
mod admm;
#[path = "prune/blocks.rs"]
mod blocks;
#[path = "prune/export.rs"]
mod export;
#[path = "prune/permute.rs"]
mod permute;
#[path = "prune/plan.rs"]
mod plan;
#[path = "prune/pruner.rs"]
mod pruner;
#[path = "prune/rates.rs"]
mod rates;
#[path = "prune/shared.rs"]
mod shared;
