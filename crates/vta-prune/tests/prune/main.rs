//! The method of pruning: blocks, allocation, directions, plans, counted cycles, orders of channels.

mod admm;
mod allocation;
mod blocks;
mod cycles;
mod permute;
mod plan;
mod pruner;
mod shared;
