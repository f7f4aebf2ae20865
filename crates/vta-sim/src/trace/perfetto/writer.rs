//! Packets, one after the other, to a file.

use super::proto::{
    CounterDescriptor, InternedData, Name, ProcessDescriptor, TracePacket, TrackDescriptor, Type,
};
use prost::Message;
use std::collections::BTreeMap;
use std::io::{self, Write};
use vta_tensor::printable::printable;

/// The one sequence of packets.
const SEQUENCE: u32 = 1;
/// The root's number.
const ROOT: u64 = 1;
/// Bytes that are handed on together.
const BLOCK: usize = 1 << 16;

/// What an event has beside its kind, track and cycle.
#[derive(Default)]
struct Event<'a> {
    name: Option<u64>,
    insn: Option<u32>,
    value: Option<i64>,
    begins: Option<u64>,
    ends: &'a [u64],
}

/// Seven bits a byte, the lowest first.
fn varint(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

/// Bytes of a number.
const fn varint_len(n: u64) -> u8 {
    (70 - (n | 1).leading_zeros() as u8) / 7
}

/// Makes packets, which [`Self::write_out`] writes in blocks.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    buffer: Vec<u8>,
    /// The event that is written.
    event: Vec<u8>,
    names: BTreeMap<String, u64>,
    /// Names by their places.
    known: [((usize, usize), u64); 64],
    tracks: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file; `process` is the root of all tracks.
    pub fn new(to: W, process: &str) -> Self {
        let mut w = Self {
            to,
            buffer: Vec::with_capacity(BLOCK + 4096),
            event: Vec::new(),
            known: [((0, 0), 0); 64],
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
                    process_name: Some(printable(process).into_owned()),
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

    /// A packet that is rare.
    fn packet(&mut self, mut packet: TracePacket) {
        packet.trusted_packet_sequence_id = Some(SEQUENCE);
        // Field 1 of `Trace`, with a length.
        self.buffer.push(0x0a);
        self.buffer.extend(packet.encode_length_delimited_to_vec());
    }

    /// Writes what is there, if it is a block.
    ///
    /// # Errors
    /// Those of the writer.
    #[inline]
    pub fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.len() < BLOCK {
            return Ok(());
        }
        self.write_all()
    }

    fn write_all(&mut self) -> io::Result<()> {
        self.bytes += self.buffer.len() as u64;
        let written = self.to.write_all(&self.buffer);
        self.buffer.clear();
        written
    }

    /// The number of a name. A new one is written first.
    pub fn name(&mut self, name: &str) -> u64 {
        if let Some(iid) = self.names.get(name) {
            return *iid;
        }
        let iid = self.names.len() as u64 + 1;
        self.names.insert(name.into(), iid);
        let name = Name {
            iid: Some(iid),
            name: Some(printable(name).into_owned()),
        };
        self.packet(TracePacket {
            sequence_flags: Some(2),
            interned_data: Some(InternedData {
                event_names: vec![name],
                debug_annotation_names: Vec::new(),
            }),
            ..TracePacket::default()
        });
        iid
    }

    /// The number of a name that stays where it is: found by its place.
    pub fn fixed(&mut self, name: &'static str) -> u64 {
        let place = (name.as_ptr() as usize, name.len());
        let slot = (place.0 / 4 + place.1) % self.known.len();
        if self.known[slot].0 != place {
            self.known[slot] = (place, self.name(name));
        }
        self.known[slot].1
    }

    /// A packet with an event, as `prost` would write it: half of a timeline's
    /// time would go there.
    fn event(&mut self, cycle: u64, kind: Type, track: u64, event: &Event<'_>) {
        let e = &mut self.event;
        e.clear();
        if let Some(insn) = event.insn {
            // Field 4: name 1, and field 3 of it, the value.
            e.extend([0x22, 3 + varint_len(insn.into()), 0x08, 1, 0x18]);
            varint(e, insn.into());
        }
        e.extend([0x48, kind as u8]);
        if let Some(iid) = event.name {
            e.push(0x50);
            varint(e, iid);
        }
        e.push(0x58);
        varint(e, track);
        if let Some(value) = event.value {
            e.extend([0xf0, 0x01]);
            varint(e, value as u64);
        }
        if let Some(flow) = event.begins {
            e.extend([0xf9, 0x02]);
            e.extend(flow.to_le_bytes());
        }
        for flow in event.ends {
            e.extend([0x81, 0x03]);
            e.extend(flow.to_le_bytes());
        }
        let inner = e.len() as u64;
        let length = 1 + varint_len(cycle) + 2 + 1 + varint_len(inner) + 2;
        let b = &mut self.buffer;
        b.push(0x0a);
        varint(b, u64::from(length) + inner);
        b.push(0x40);
        varint(b, cycle);
        b.extend([0x50, SEQUENCE as u8, 0x5a]);
        varint(b, inner);
        b.extend_from_slice(&self.event);
        b.extend([0x68, 2]);
    }

    /// A slice begins; `insn` is shown with it, flows end there.
    pub fn begin(&mut self, track: u64, cycle: u64, name: u64, insn: Option<u32>, flows: &[u64]) {
        let event = Event {
            name: Some(name),
            insn,
            ends: flows,
            ..Event::default()
        };
        self.event(cycle, Type::SliceBegin, track, &event);
    }

    /// The innermost slice ends; `cycle` is the first that is not in it.
    pub fn end(&mut self, track: u64, cycle: u64) {
        self.event(cycle, Type::SliceEnd, track, &Event::default());
    }

    /// Something without a length, where a flow begins.
    pub fn instant(&mut self, track: u64, cycle: u64, name: u64, flow: u64) {
        let event = Event {
            name: Some(name),
            begins: Some(flow),
            ..Event::default()
        };
        self.event(cycle, Type::Instant, track, &event);
    }

    /// A counter's value from a cycle on.
    pub fn counter(&mut self, track: u64, cycle: u64, value: i64) {
        let event = Event {
            value: Some(value),
            ..Event::default()
        };
        self.event(cycle, Type::Counter, track, &event);
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.bytes + self.buffer.len() as u64
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_all()?;
        self.to.flush()?;
        Ok(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{DebugAnnotation, Trace, TrackEvent};
    use super::*;

    /// An event as `prost` writes it.
    fn packet(cycle: u64, event: TrackEvent) -> Vec<u8> {
        let packet = TracePacket {
            timestamp: Some(cycle),
            trusted_packet_sequence_id: Some(SEQUENCE),
            track_event: Some(event),
            sequence_flags: Some(2),
            ..TracePacket::default()
        };
        let packet = vec![packet];
        Trace { packet }.encode_to_vec()
    }

    #[test]
    fn events_are_written_as_prost_writes_them() {
        for n in [0, 1, 127, 128, 16_383, 16_384, 1 << 35, u64::MAX] {
            let mut w = Writer::new(Vec::new(), "x");
            let before = w.buffer.len();
            let insn = n as u32;
            w.begin(n, n, n, Some(insn), &[n, 7]);
            let begins = TrackEvent {
                r#type: Some(Type::SliceBegin.into()),
                track_uuid: Some(n),
                name_iid: Some(n),
                debug_annotations: vec![DebugAnnotation {
                    name_iid: Some(1),
                    uint_value: Some(insn.into()),
                }],
                terminating_flow_ids: vec![n, 7],
                ..TrackEvent::default()
            };
            w.instant(3, n, 4, n);
            let instant = TrackEvent {
                r#type: Some(Type::Instant.into()),
                track_uuid: Some(3),
                name_iid: Some(4),
                flow_ids: vec![n],
                ..TrackEvent::default()
            };
            w.counter(5, n, n as i64);
            let counter = TrackEvent {
                r#type: Some(Type::Counter.into()),
                track_uuid: Some(5),
                counter_value: Some(n as i64),
                ..TrackEvent::default()
            };
            w.end(6, n);
            let end = TrackEvent {
                r#type: Some(Type::SliceEnd.into()),
                track_uuid: Some(6),
                ..TrackEvent::default()
            };
            let expected = [begins, instant, counter, end].map(|e| packet(n, e));
            assert_eq!(w.buffer[before..], expected.concat(), "{n}");
        }
    }

    #[test]
    fn names_have_one_number_wherever_they_stand() {
        let mut w = Writer::new(Vec::new(), "x");
        let load = w.fixed("load");
        assert_eq!(w.fixed("load"), load);
        assert_eq!(w.name(&String::from("load")), load);
        assert_ne!(w.fixed("store"), load);
    }
}
