//! The method of pruning: blocks, allocation, directions, plans, corrections, orders of channels.

mod admm;
mod allocation;
mod blocks;
mod correct;
mod permute;
mod plan;
mod pruner;
mod shared;
