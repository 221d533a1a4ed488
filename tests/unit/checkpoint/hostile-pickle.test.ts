import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckpointError, openCheckpoint } from '../../../src/checkpoint/checkpoint.ts'
import { readPickle } from '../../../src/checkpoint/pickle.ts'
import { dict, op, pickle, tensor, torchFile } from './builders.ts'

const bytes = (...values: number[]) => Buffer.from(values)
const ascii = (text: string) => Buffer.from(text)
const list = (count: number, item: Buffer) =>
  Buffer.concat([op.emptyList, op.mark, ...new Array(count).fill(item), ascii('e')])

describe('a hostile pickle', () => {
  it.each([
    [
      'os.system by REDUCE',
      [op.global('os', 'system'), op.text('touch /tmp/owned'), op.tuple1, op.reduce],
      '"os.system"',
    ],
    ['posix.system', [op.global('posix', 'system')], '"posix.system"'],
    ['builtins.eval', [op.global('builtins', 'eval'), op.text('1'), op.tuple1, op.reduce], '"builtins.eval"'],
    ['a name by STACK_GLOBAL', [op.text('subprocess'), op.text('Popen'), op.stackGlobal], '"subprocess.Popen"'],
    [
      'a dotted path through an allowed module',
      [op.text('torch'), op.text('_utils.os.system'), op.stackGlobal],
      'os.system',
    ],
    ['a name of Object.prototype', [op.global('constructor', 'constructor')], '"constructor.constructor"'],
    ['torch.load', [op.global('torch', 'load')], '"torch.load"'],
    ['a name that is no string', [op.emptyList, op.text('x'), op.stackGlobal], 'no string'],
    [
      'calling an allowed name that is no function',
      [op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce],
      'torch.FloatStorage',
    ],
    ['calling a string', [op.text('os.system'), op.emptyTuple, op.reduce], 'not a name'],
    ['INST', [op.mark, ascii('ios\nsystem\n')], 'INST'],
    ['OBJ', [op.mark, op.global('argparse', 'Namespace'), ascii('o')], 'OBJ'],
    ['NEWOBJ_EX', [op.emptyTuple, bytes(0x92)], 'NEWOBJ_EX'],
    ['NEWOBJ of another class', [op.global('torch', 'Size'), op.emptyTuple, op.newObject], 'torch.Size'],
    ['EXT1', [bytes(0x82, 1)], 'EXT1'],
    ['PERSID', [ascii('Pabc\n')], 'PERSID'],
    ['BUILD on a name', [op.global('collections', 'OrderedDict'), dict({ __setstate__: op.none }), op.build], 'state'],
    ['BUILD on a list', [op.emptyList, dict({}), op.build], 'state'],
    [
      'BUILD of a Namespace by a pair of states',
      [op.global('argparse', 'Namespace'), op.emptyTuple, op.newObject, op.emptyTuple, op.build],
      'not a dict',
    ],
    ['an unknown opcode', [bytes(0xff)], '0xff'],
    ['a huge LONG4', [op.long4(0xffffffff)], '4294967295 bytes'],
    ['a negative LONG4', [op.long4(0x80000000)], 'bytes'],
    ['a string longer than the file', [ascii('X'), bytes(0xff, 0xff, 0xff, 0xff)], 'ends in the middle'],
    ['a string of 2^64 bytes', [bytes(0x8d, 255, 255, 255, 255, 255, 255, 255, 255)], 'ends in the middle'],
    ['an endless name', [ascii(`c${'a'.repeat(10_000)}\n`)], 'does not end'],
    ['a memo that was never stored', [op.get(7)], 'memo 7'],
    ['an empty stack', [ascii('0')], 'empty stack'],
    ['a mark that was never set', [op.tuple], 'mark'],
    ['marks without end', new Array(2000).fill(op.mark), 'deep'],
    ['a key without a value', [op.emptyDict, op.mark, op.none, op.setItems], 'no value'],
    ['items set on a list', [op.emptyList, op.none, op.none, op.setItem], 'not a dict'],
    ['values appended to a dict', [op.emptyDict, op.none, op.append], 'not a list'],
    ['a storage that is none', [op.text('storage'), op.tuple1, op.persistentId], 'storage'],
    [
      'a tensor over nothing',
      [op.global('torch._utils', '_rebuild_tensor_v2'), op.emptyTuple, op.reduce],
      'no storage',
    ],
    [
      'a shape of many sides',
      [tensor({ key: '0', storage: 'FloatStorage', storageElements: 1, shape: new Array(65).fill(1), strides: [] })],
      'shape',
    ],
    ['more operations than any checkpoint', [Buffer.alloc(2_000_001, '(t0')], 'operations'],
  ])('of %s executes nothing and is refused', (_, parts, reason) => {
    const read = () => readPickle(pickle(...(parts as Buffer[])))
    expect(read).toThrow(CheckpointError)
    expect(read).toThrow(reason)
  })

  it('is refused through openCheckpoint too, whose message names the file', async () => {
    const data = pickle(
      dict({ model: Buffer.concat([op.global('os', 'system'), op.text('id'), op.tuple1, op.reduce]) }),
    )
    const path = torchFile(data)
    await expect(openCheckpoint(path)).rejects.toThrow(
      `Cannot read the checkpoint ${path}. Its pickle asks for "os.system"`,
    )
  })

  it('cannot make a configuration that is endless', async () => {
    const endless = Buffer.concat([op.emptyList, op.put(0), op.get(0), op.append])
    await expect(
      openCheckpoint(torchFile(pickle(dict({ cfg: dict({ endless }), model: op.emptyDict })))),
    ).rejects.toThrow('beyond measure')
  })

  it('cannot make a configuration that explodes', async () => {
    const layers = Array.from({ length: 40 }, (_, i) => Buffer.concat([list(9, op.get(i)), op.put(i + 1)]))
    const bomb = Buffer.concat([op.emptyList, op.put(0), ...layers.flatMap((layer) => [ascii('0'), layer])])
    await expect(openCheckpoint(torchFile(pickle(dict({ cfg: dict({ bomb }), model: op.emptyDict }))))).rejects.toThrow(
      'beyond measure',
    )
  })

  it('cannot copy one long list over and over', () => {
    const pairs = Buffer.concat([list(100, Buffer.concat([op.none, op.none, bytes(0x86)])), op.put(0)])
    const call = Buffer.concat([op.global('collections', 'OrderedDict'), op.get(0), op.tuple1, op.reduce])
    expect(() => readPickle(pickle(pairs, call))).toThrow('64')
  })
})

describe('a broken pickle', () => {
  const whole = pickle(
    dict({
      cfg: dict({ a: op.float(1) }),
      n: op.int(2 ** 40),
      t: tensor({ key: '0', storage: 'FloatStorage', storageElements: 4, shape: [2], strides: [1] }),
    }),
  )

  it('is refused wherever it is cut', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => readPickle(whole.subarray(0, length))).toThrow(CheckpointError)
    }
  })

  it('of a protocol before 2 is refused, where the caller does not ask for such', () => {
    expect(() => readPickle(ascii("(lp0\nS'a'\na."))).toThrow('a protocol number of 2 or more')
    expect(readPickle(ascii("(lp0\nS'a'\na."), { oldProtocols: true })).toEqual(['a'])
    expect(() => readPickle(Buffer.concat([op.start, ascii('I1\n.')]), { oldProtocols: true })).toThrow('0x49')
    expect(() => readPickle(ascii('cos\nsystem\n.'), { oldProtocols: true })).toThrow('"os.system"')
  })

  it('gives a value or a CheckpointError whatever its bytes', () => {
    const attempt = (data: Uint8Array) => {
      try {
        readPickle(data, { oldProtocols: true })
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError)
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => attempt(Buffer.concat([op.start, tail]))),
      { seed: 1, numRuns: 2000 },
    )
    const old = fc.array(fc.constantFrom(...`()0IFSVLlpgdats.N'"1e\\ux\n`), { maxLength: 60 })
    fc.assert(
      fc.property(old, (chars) => attempt(ascii(chars.join('')))),
      { seed: 1, numRuns: 5000 },
    )
    const flip = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    const mutate = fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
      const copy = Buffer.from(whole)
      for (const [at, value] of flips) copy[at] = value
      attempt(copy)
    })
    fc.assert(mutate, { seed: 1, numRuns: 2000 })
  })
})

describe('an honest pickle', () => {
  it.each([
    [
      'protocol 4 framing and memo',
      Buffer.concat([
        bytes(0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, 0x5d, 0x94, 0x28, 0x8c, 1),
        ascii('a'),
        bytes(0x94, 0x4b, 3),
        ascii('e.'),
      ]),
      ['a', 3],
    ],
    [
      'whole numbers of any length',
      pickle(
        op.emptyList,
        op.mark,
        bytes(0x8a, 0),
        bytes(0x8a, 1, 0xff),
        bytes(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1),
        ascii('e'),
      ),
      [0, -1, 1n << 64n],
    ],
    [
      'torch.Size',
      pickle(op.global('torch', 'Size'), op.mark, op.int(2), op.int(-3), op.tuple, op.tuple1, op.reduce),
      [2, -3],
    ],
  ])('of %s is read', (_, data, expected) => {
    expect(readPickle(data as Buffer)).toEqual(expected)
  })
})
