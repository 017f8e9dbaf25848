//! The few pickle instructions of which `torch.save` makes a state dict. Nothing is executed: names of Python objects are
//! looked up in a fixed list, and a name that is not on it, like an instruction that is not known, ends the reading.
//!
//! Instructions: Python's Lib/pickletools.py, protocol 2. Bounds: instructions, nesting; texts lie within the file.

use std::collections::HashMap;
use std::rc::Rc;

use super::rebuild;
use super::value::{Global, Items, Value};

/// Most instructions of a file; GoogLeNet with its auxiliary heads takes some thirty thousand.
const STEPS_MAX: usize = 1_000_000;

/// Why a pickle is not read.
#[derive(Debug, thiserror::Error)]
#[error("byte {at} of a pickle: {fault}")]
pub struct PickleError {
    /// Where, from the pickle's beginning.
    pub at: usize,
    /// What is there.
    pub fault: Fault,
}

/// What is wrong with a pickle.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends too early.
    #[error("the file ends here")]
    Truncated,
    /// An instruction that no state dict needs.
    #[error("instruction 0x{0:02x} does not belong in a state dict written by torch.save with its default protocol")]
    Instruction(u8),
    /// A protocol other than 2.
    #[error("pickle protocol {0}, not torch.save's default 2")]
    Protocol(u8),
    /// A Python object that is no weight. It is not loaded, and nothing of it is run.
    #[error("it holds {0:?}, which is no weight: write a state dict, torch.save(model.state_dict(), …)")]
    Object(String),
    /// Instructions that make no sense.
    #[error("{0}")]
    Structure(&'static str),
}

/// Reads the pickle at the beginning of `bytes`; gives what it makes and its length.
pub(super) fn read(bytes: &[u8]) -> Result<(Value<'_>, usize), PickleError> {
    let mut machine = Machine { bytes, at: 0, stack: vec![], marks: vec![], memo: HashMap::new() };
    for _ in 0..STEPS_MAX {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(value)) => return Ok((value, machine.at)),
            Err(fault) => return Err(PickleError { at, fault }),
        }
    }
    Err(PickleError { at: machine.at, fault: Fault::Structure("too many instructions for a state dict") })
}

const EMPTY: Fault = Fault::Structure("an instruction finds nothing on the stack");

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
}

impl<'a> Machine<'a> {
    /// One instruction; gives the result at the last.
    fn step(&mut self) -> Result<Option<Value<'a>>, Fault> {
        match self.byte()? {
            0x80 => match self.byte()? {
                2 => {}
                other => return Err(Fault::Protocol(other)),
            },
            b'.' => return self.pop().map(Some),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => self.integer(1)?,
            b'M' => self.integer(2)?,
            b'J' => {
                let value = self.number(4)? as i32;
                self.stack.push(Value::Int(value.into()));
            }
            0x8a => self.long()?,
            b'X' => self.text()?,
            b'c' => self.global()?,
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.tuple(0)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let marked = self.since_mark()?;
                self.push_tuple(marked)?;
            }
            b']' => self.stack.push(Value::List(Items::default())),
            b'}' => self.stack.push(Value::Dict(Items::default())),
            b'a' => {
                let values = vec![self.pop()?];
                self.extend(values)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend(vec![key, value])?;
            }
            b'e' | b'u' => {
                let marked = self.since_mark()?;
                self.extend(marked)?;
            }
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            b'Q' => {
                let storage = rebuild::storage(&self.pop()?)?;
                self.stack.push(Value::Storage(Rc::new(storage)));
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            other => return Err(Fault::Instruction(other)),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).ok_or(Fault::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Fault::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number of `width` bytes, at most 4.
    fn number(&mut self, width: usize) -> Result<u32, Fault> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').ok_or(Fault::Truncated)?;
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| Fault::Structure("a name that is not UTF-8"))
    }

    fn pop(&mut self) -> Result<Value<'a>, Fault> {
        // What lies below a mark is out of reach until the mark is taken away.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop().ok_or(EMPTY) } else { Err(EMPTY) }
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mark = self.marks.pop().ok_or(Fault::Structure("a mark is missing"))?;
        // Nothing below a mark is ever taken, so the stack is at least that high.
        Ok(self.stack.split_off(mark))
    }

    fn integer(&mut self, width: usize) -> Result<(), Fault> {
        let value = self.number(width)?;
        self.stack.push(Value::Int(value.into()));
        Ok(())
    }

    /// A number of up to eight bytes, with sign.
    fn long(&mut self) -> Result<(), Fault> {
        let width = self.byte()?;
        if width > 8 {
            return Err(Fault::Structure("a number of more than eight bytes"));
        }
        let bytes = self.take(width.into())?;
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
        self.stack.push(Value::Int(bytes.iter().rev().fold(sign, |number, byte| number << 8 | i64::from(*byte))));
        Ok(())
    }

    fn text(&mut self) -> Result<(), Fault> {
        let length = self.number(4)? as usize;
        let text = self.take(length)?;
        self.stack
            .push(Value::Text(std::str::from_utf8(text).map_err(|_| Fault::Structure("a text that is not UTF-8"))?));
        Ok(())
    }

    fn global(&mut self) -> Result<(), Fault> {
        let (module, name) = (self.line()?, self.line()?);
        let global = Global::find(module, name).ok_or_else(|| Fault::Object(format!("{module}.{name}")))?;
        self.stack.push(Value::Global(global));
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Result<(), Fault> {
        let mut values = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        values.reverse();
        self.push_tuple(values)
    }

    fn push_tuple(&mut self, values: Vec<Value<'a>>) -> Result<(), Fault> {
        let mut items = Items::default();
        items.add(values)?;
        self.stack.push(Value::Tuple(Rc::new(items)));
        Ok(())
    }

    /// Adds to the list or dictionary on top of the stack.
    fn extend(&mut self, values: Vec<Value<'a>>) -> Result<(), Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack[floor..].last_mut() {
            Some(Value::List(items)) => items.add(values),
            Some(Value::Dict(items)) if values.len().is_multiple_of(2) => items.add(values),
            _ => Err(Fault::Structure("items without a list or dictionary to go to")),
        }
    }

    fn put(&mut self, width: usize) -> Result<(), Fault> {
        let key = self.number(width)?;
        // What has one owner cannot be asked for again: it is simply not there.
        if let Some(value) = self.stack.last().ok_or(EMPTY)?.share() {
            self.memo.insert(key, value);
        }
        Ok(())
    }

    fn get(&mut self, width: usize) -> Result<(), Fault> {
        let key = self.number(width)?;
        let value = self.memo.get(&key).and_then(Value::share);
        self.stack.push(value.ok_or(Fault::Structure("a reference to nothing that was remembered"))?);
        Ok(())
    }

    /// The few calls there are.
    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Global(callable), Value::Tuple(arguments)) = (callable, arguments) else {
            return Err(Fault::Structure("a call of what cannot be called"));
        };
        let arguments = &arguments.values;
        self.stack.push(match callable {
            Global::OrderedDict if arguments.is_empty() => Value::Dict(Items::default()),
            Global::RebuildTensor => Value::Tensor(Rc::new(rebuild::tensor(arguments)?)),
            Global::RebuildParameter => Value::Tensor(rebuild::parameter(arguments)?),
            _ => return Err(Fault::Structure("a call that makes no weights")),
        });
        Ok(())
    }

    /// Attributes: a state dict has `_metadata`, of which nothing is needed.
    fn build(&mut self) -> Result<(), Fault> {
        let attributes = self.pop()?;
        let object = self.pop()?;
        match (&object, attributes) {
            (Value::Dict(_), Value::Dict(_)) => {
                self.stack.push(object);
                Ok(())
            }
            _ => Err(Fault::Structure("attributes of what has none")),
        }
    }
}
