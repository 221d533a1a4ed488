/**
 * An interpreter for the part of Python's pickle format that checkpoints need, and nothing else.
 *
 * The idea: a pickle is a program for a stack machine. Its opcodes push values (numbers, strings, containers), remember
 * them in a memo, and, dangerously, look up any global of any module and call it. Here a global is never code: it is one
 * of a short list of names, each of which stands for data that this file itself builds (a tensor's place, an ordered
 * dict). Any other name, any other opcode and any other call is an error that names it. Nothing of the file is executed,
 * and time and memory are bounded by the length of the input.
 *
 * Data sets of Python 2's time (refs of RefCOCO) are pickles too, in protocols 0 and 1, which no checkpoint is in: they are read
 * where the caller says so, with the values of `pickle-text.ts`.
 *
 *   80 02                      PROTO 2
 *   7d 71 00                   EMPTY_DICT, BINPUT 0 (memo[0] = the dict)
 *   58 05 00 00 00 m o d e l   BINUNICODE "model"
 *   63 torch._utils\n_rebuild_tensor_v2\n    GLOBAL
 *   28 … 74 51 … 52            MARK … TUPLE BINPERSID … REDUCE: a storage by its key, a tensor over it
 *   73 2e                      SETITEM, STOP
 *
 * Reference: CPython Lib/pickletools.py (opcodes, protocols 0 to 5). The names are in `pickle-names.ts`.
 */
import { CheckpointError } from './checkpoint-error.ts'
import {
  allowedGlobal,
  asDict,
  callGlobal,
  damaged,
  forbidden,
  PickleGlobal,
  PickleNamespace,
  type PickleValue,
  storageOf,
} from './pickle-names.ts'
import { floatOf, integerOf, textOfEscapes, textOfRepr } from './pickle-text.ts'

/** A pickle of the largest checkpoint, optimiser state included, takes some 300,000 operations. */
const MAX_OPERATIONS = 2_000_000
/** CPython's parser does not nest; a checkpoint's marks are one to three deep. */
const MAX_MARKS = 1000
/** The longest whole number torch writes is its 10-byte magic number. */
const MAX_INTEGER_BYTES = 255
const MAX_NAME_BYTES = 256
/** Of a string in protocol 0: a sentence, escaped. */
const MAX_LINE_BYTES = 65_536

export interface PickleLimits {
  maxOperations?: number
  /** Whether protocols 0 and 1 are read as well. */
  oldProtocols?: boolean
}

/**
 * The value a pickle describes.
 * @throws CheckpointError naming what the pickle asked for beyond data, or saying how it is damaged
 */
export function readPickle(bytes: Uint8Array, limits: PickleLimits = {}): PickleValue {
  return new Interpreter(bytes, limits).run()
}

/** The stack machine; what each opcode does with it is in the table below. */
class Interpreter {
  private at = 0
  readonly view: DataView
  private stack: PickleValue[] = []
  /** Stacks put aside by MARK; the part above a mark is `stack`. */
  private readonly marked: PickleValue[][] = []
  readonly memo = new Map<number, PickleValue>()

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: PickleLimits,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  run(): PickleValue {
    const { maxOperations = MAX_OPERATIONS } = this.limits
    const isOld = this.start()
    for (let operations = 0; operations < maxOperations; operations++) {
      const opcode = this.uint8()
      if (opcode === 0x2e) return this.result()
      const act = OPCODES.get(opcode) ?? (isOld ? TEXT_OPCODES.get(opcode) : undefined)
      if (!act) throw new CheckpointError(refusedOpcode(opcode))
      act(this)
    }
    throw damaged(`it takes more than ${maxOperations} operations`)
  }

  /** Past the protocol number, which protocols 0 and 1 do not have. @returns whether it is one of these */
  private start(): boolean {
    if (this.bytes[0] !== 0x80) {
      if (this.limits.oldProtocols) return true
      throw damaged('it does not begin with a protocol number of 2 or more')
    }
    this.take(1)
    const protocol = this.uint8()
    if (protocol < 2 || protocol > 5) throw damaged(`it is of protocol ${protocol}, not 2 to 5`)
    return false
  }

  private result(): PickleValue {
    if (this.marked.length > 0 || this.stack.length !== 1) throw damaged('it does not end with one value')
    return this.pop()
  }

  reduce(): void {
    const [callee, args] = this.popMany(2) as [PickleValue, PickleValue]
    this.push(callGlobal(callee, args))
  }

  stackGlobal(): void {
    const [module, member] = this.popMany(2) as [PickleValue, PickleValue]
    this.push(allowedGlobal(module, member))
  }

  newObject(): void {
    const [type] = this.popMany(2)
    if (!(type instanceof PickleGlobal)) throw forbidden('to make an object of a value that is not a class')
    if (type.name !== 'argparse.Namespace') throw forbidden(`to make an object of ${type.name}`)
    this.push(new PickleNamespace())
  }

  /** In Python, BUILD may call `__setstate__` or set any attribute; here it fills a Namespace and nothing else. */
  build(): void {
    const state = this.pop()
    const object = this.top()
    if (object instanceof PickleNamespace) object.fields = asDict(state, 'the state of a Namespace')
    // torch hangs `_metadata` (module versions) on a state dict; it is of no use here.
    else if (!(object instanceof Map)) throw forbidden('to set the state of a value that has none')
  }

  extend(values: PickleValue[]): void {
    const list = this.top()
    if (!Array.isArray(list)) throw damaged('it appends to what is not a list')
    for (const value of values) list.push(value)
  }

  setItems(flat: PickleValue[]): void {
    const dict = asDict(this.top(), 'what it sets items of')
    for (const [key, value] of inPairs(flat)) dict.set(key, value)
  }

  mark(): void {
    if (this.marked.length >= MAX_MARKS) throw damaged(`it nests more than ${MAX_MARKS} deep`)
    this.marked.push(this.stack)
    this.stack = []
  }

  toMark(): PickleValue[] {
    const values = this.stack
    const below = this.marked.pop()
    if (!below) throw damaged('it closes a mark that was never set')
    this.stack = below
    return values
  }

  push(value: PickleValue): void {
    this.stack.push(value)
  }

  pop(): PickleValue {
    return this.popMany(1)[0]!
  }

  popMany(count: number): PickleValue[] {
    if (this.stack.length < count) throw damaged('it takes a value from an empty stack')
    return this.stack.splice(this.stack.length - count, count)
  }

  top(): PickleValue {
    if (this.stack.length === 0) throw damaged('it uses a value of an empty stack')
    return this.stack[this.stack.length - 1]!
  }

  recall(key: number): PickleValue {
    const value = this.memo.get(key)
    if (value === undefined) throw damaged(`it recalls memo ${key}, which was never stored`)
    return value
  }

  /** Position of the next `count` bytes, which are now consumed. */
  take(count: number): number {
    const start = this.at
    if (count > this.bytes.length - start) throw damaged('it ends in the middle of a value')
    this.at += count
    return start
  }

  uint8(): number {
    return this.view.getUint8(this.take(1))
  }

  uint16(): number {
    return this.view.getUint16(this.take(2), true)
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true)
  }

  uint64(): number {
    return Number(this.view.getBigUint64(this.take(8), true))
  }

  raw(count: number): Uint8Array {
    const start = this.take(count)
    return this.bytes.subarray(start, start + count)
  }

  text(count: number): string {
    return Buffer.from(this.raw(count)).toString('utf8')
  }

  /** A name, up to the newline. */
  line(): string {
    return Buffer.from(this.rawLine(MAX_NAME_BYTES)).toString('utf8')
  }

  /** A value of protocol 0, up to the newline; a byte a character. */
  textLine(): string {
    return Buffer.from(this.rawLine(MAX_LINE_BYTES)).toString('latin1')
  }

  private rawLine(maxBytes: number): Uint8Array {
    const end = this.bytes.indexOf(0x0a, this.at)
    if (end < 0 || end - this.at > maxBytes) throw damaged('a name in it does not end')
    const line = this.raw(end - this.at)
    this.at++
    return line
  }

  /** Little-endian two's complement; a bigint only where a number could not hold it. */
  integer(count: number): number | bigint {
    if (count > MAX_INTEGER_BYTES) throw damaged(`it holds a whole number of ${count} bytes`)
    const raw = this.raw(count)
    if (count === 0) return 0
    const magnitude = BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`)
    const value = BigInt.asIntN(count * 8, magnitude)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
}

type Action = (machine: Interpreter) => unknown

/** What each opcode does, in the order of pickletools. Any other is refused. */
const OPCODES: ReadonlyMap<number, Action> = new Map<number, Action>([
  [0x4b, (m) => m.push(m.uint8())], // BININT1
  [0x4d, (m) => m.push(m.uint16())], // BININT2
  [0x4a, (m) => m.push(m.view.getInt32(m.take(4), true))], // BININT
  [0x8a, (m) => m.push(m.integer(m.uint8()))], // LONG1
  [0x8b, (m) => m.push(m.integer(m.uint32()))], // LONG4
  [0x47, (m) => m.push(m.view.getFloat64(m.take(8), false))], // BINFLOAT, the one big-endian field
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x8c, (m) => m.push(m.text(m.uint8()))], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.text(m.uint32()))], // BINUNICODE
  [0x8d, (m) => m.push(m.text(m.uint64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.text(m.uint8()))], // SHORT_BINSTRING, a Python 2 str
  [0x54, (m) => m.push(m.text(m.uint32()))], // BINSTRING
  [0x43, (m) => m.push(m.raw(m.uint8()))], // SHORT_BINBYTES
  [0x42, (m) => m.push(m.raw(m.uint32()))], // BINBYTES
  [0x8e, (m) => m.push(m.raw(m.uint64()))], // BINBYTES8
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x29, (m) => m.push([])], // EMPTY_TUPLE
  [0x61, (m) => m.extend([m.pop()])], // APPEND
  [0x65, (m) => m.extend(m.toMark())], // APPENDS
  [0x6c, (m) => m.push(m.toMark())], // LIST
  [0x74, (m) => m.push(m.toMark())], // TUPLE
  [0x85, (m) => m.push(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.push(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.push(m.popMany(3))], // TUPLE3
  [0x7d, (m) => m.push(new Map())], // EMPTY_DICT
  [0x64, (m) => m.push(new Map(inPairs(m.toMark())))], // DICT
  [0x73, (m) => m.setItems(m.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.toMark())], // SETITEMS
  [0x30, (m) => m.pop()], // POP
  [0x32, (m) => m.push(m.top())], // DUP
  [0x28, (m) => m.mark()], // MARK
  [0x31, (m) => m.toMark()], // POP_MARK
  [0x68, (m) => m.push(m.recall(m.uint8()))], // BINGET
  [0x6a, (m) => m.push(m.recall(m.uint32()))], // LONG_BINGET
  [0x71, (m) => m.memo.set(m.uint8(), m.top())], // BINPUT
  [0x72, (m) => m.memo.set(m.uint32(), m.top())], // LONG_BINPUT
  [0x94, (m) => m.memo.set(m.memo.size, m.top())], // MEMOIZE
  [0x95, (m) => m.uint64()], // FRAME: a hint for buffered reading
  [0x63, (m) => m.push(allowedGlobal(m.line(), m.line()))], // GLOBAL
  [0x93, (m) => m.stackGlobal()], // STACK_GLOBAL
  [0x52, (m) => m.reduce()], // REDUCE
  [0x81, (m) => m.newObject()], // NEWOBJ
  [0x62, (m) => m.build()], // BUILD
  [0x51, (m) => m.push(storageOf(m.pop()))], // BINPERSID
])

/** What only protocols 0 and 1 have. */
const TEXT_OPCODES: ReadonlyMap<number, Action> = new Map<number, Action>([
  [0x53, (m) => m.push(textOfRepr(m.textLine()))], // STRING
  [0x56, (m) => m.push(textOfEscapes(m.textLine()))], // UNICODE
  [0x49, (m) => m.push(integerOf(m.textLine()))], // INT
  [0x4c, (m) => m.push(integerOf(m.textLine()))], // LONG
  [0x46, (m) => m.push(floatOf(m.textLine()))], // FLOAT
  [0x70, (m) => m.memo.set(Number(integerOf(m.textLine())), m.top())], // PUT
  [0x67, (m) => m.push(m.recall(Number(integerOf(m.textLine()))))], // GET
])

/** Opcodes that a pickle may not use, by the names of pickletools. */
const REFUSED_OPCODES: ReadonlyMap<number, string> = new Map([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x92, 'NEWOBJ_EX'],
  [0x50, 'PERSID'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x97, 'NEXT_BUFFER'],
])

function refusedOpcode(opcode: number): string {
  const name = REFUSED_OPCODES.get(opcode) ?? `0x${opcode.toString(16).padStart(2, '0')}`
  return `Its pickle uses the operation ${name}, which no checkpoint needs; nothing was executed. Do not trust this file.`
}

function inPairs(flat: PickleValue[]): [PickleValue, PickleValue][] {
  if (flat.length % 2 !== 0) throw damaged('a key in it has no value')
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
}
