//! Packets, one after the other, to a file.

use super::proto::{
    CounterDescriptor, DebugAnnotation, InternedData, Name, ProcessDescriptor, TracePacket,
    TrackDescriptor, TrackEvent, Type,
};
use prost::Message;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The one sequence of packets.
const SEQUENCE: u32 = 1;
/// The root's number.
const ROOT: u64 = 1;

/// Writes packets. The first error ends the writing and is kept.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    error: Option<io::Error>,
    buffer: Vec<u8>,
    names: BTreeMap<String, u64>,
    tracks: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file; `process` is the root of all tracks.
    pub fn new(to: W, process: &str) -> Self {
        let mut w = Self {
            to,
            error: None,
            buffer: Vec::new(),
            names: BTreeMap::new(),
            tracks: ROOT,
            bytes: 0,
        };
        w.packet(TracePacket {
            sequence_flags: Some(1),
            interned_data: Some(InternedData {
                event_names: Vec::new(),
                debug_annotation_names: vec![Name {
                    iid: Some(1),
                    name: Some("instruction".into()),
                }],
            }),
            ..TracePacket::default()
        });
        w.packet(TracePacket {
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(ROOT),
                process: Some(ProcessDescriptor {
                    pid: Some(1),
                    process_name: Some(process.into()),
                }),
                child_ordering: Some(3),
                ..TrackDescriptor::default()
            }),
            ..TracePacket::default()
        });
        w
    }

    /// A new track below the root; a counter if it has a unit.
    pub fn track(&mut self, name: &str, unit: Option<&str>) -> u64 {
        self.tracks += 1;
        let uuid = self.tracks;
        self.packet(TracePacket {
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(uuid),
                name: Some(name.into()),
                parent_uuid: Some(ROOT),
                sibling_order_rank: Some(uuid as i32),
                counter: unit.map(|u| CounterDescriptor {
                    unit_name: Some(u.into()),
                }),
                ..TrackDescriptor::default()
            }),
            ..TracePacket::default()
        });
        uuid
    }

    fn packet(&mut self, mut packet: TracePacket) {
        packet.trusted_packet_sequence_id = Some(SEQUENCE);
        self.buffer.clear();
        // Field 1 of `Trace`, with a length.
        self.buffer.push(0x0a);
        if let Err(e) = packet.encode_length_delimited(&mut self.buffer) {
            self.error.get_or_insert(e.into());
        }
        self.bytes += self.buffer.len() as u64;
        if self.error.is_none() {
            self.error = self.to.write_all(&self.buffer).err();
        }
    }

    /// The number of a name, and the name with it if it is new.
    fn name(&mut self, name: &str) -> (u64, Option<InternedData>) {
        if let Some(iid) = self.names.get(name) {
            return (*iid, None);
        }
        let iid = self.names.len() as u64 + 1;
        self.names.insert(name.into(), iid);
        let name = Name {
            iid: Some(iid),
            name: Some(name.into()),
        };
        let data = InternedData {
            event_names: vec![name],
            debug_annotation_names: Vec::new(),
        };
        (iid, Some(data))
    }

    fn event(&mut self, cycle: u64, event: TrackEvent, names: Option<InternedData>) {
        self.packet(TracePacket {
            timestamp: Some(cycle),
            track_event: Some(event),
            interned_data: names,
            sequence_flags: Some(2),
            ..TracePacket::default()
        });
    }

    /// A slice begins; `insn` is shown with it, flows end there.
    pub fn begin(&mut self, track: u64, cycle: u64, name: &str, insn: Option<u32>, flows: &[u64]) {
        let (iid, names) = self.name(name);
        let annotation = insn.map(|n| DebugAnnotation {
            name_iid: Some(1),
            uint_value: Some(n.into()),
        });
        let event = TrackEvent {
            r#type: Some(Type::SliceBegin.into()),
            track_uuid: Some(track),
            name_iid: Some(iid),
            debug_annotations: annotation.into_iter().collect(),
            terminating_flow_ids: flows.to_vec(),
            ..TrackEvent::default()
        };
        self.event(cycle, event, names);
    }

    /// The innermost slice ends; `cycle` is the first that is not in it.
    pub fn end(&mut self, track: u64, cycle: u64) {
        let event = TrackEvent {
            r#type: Some(Type::SliceEnd.into()),
            track_uuid: Some(track),
            ..TrackEvent::default()
        };
        self.event(cycle, event, None);
    }

    /// Something without a length, where a flow begins.
    pub fn instant(&mut self, track: u64, cycle: u64, name: &str, flow: u64) {
        let (iid, names) = self.name(name);
        let event = TrackEvent {
            r#type: Some(Type::Instant.into()),
            track_uuid: Some(track),
            name_iid: Some(iid),
            flow_ids: vec![flow],
            ..TrackEvent::default()
        };
        self.event(cycle, event, names);
    }

    /// A counter's value from a cycle on.
    pub fn counter(&mut self, track: u64, cycle: u64, value: i64) {
        let event = TrackEvent {
            r#type: Some(Type::Counter.into()),
            track_uuid: Some(track),
            counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(cycle, event, None);
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The first error of any packet.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(e) = self.error {
            return Err(e);
        }
        self.to.flush()?;
        Ok(self.to)
    }
}
