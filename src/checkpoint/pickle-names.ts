/**
 * What a pickle may name, and the data each name stands for here. Values only: the interpreter is in `pickle.ts`.
 *
 * Reference: torch/_weights_only_unpickler.py (which names a checkpoint needs), torch/_utils.py (`_rebuild_*`),
 * torch/serialization.py `persistent_id` (storages).
 */
import { CheckpointError } from './checkpoint-error.ts'
import type { CheckpointDtype } from './tensor-layout.ts'

/** A name the pickle may use; never the thing it names in Python. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** A torch storage, by the key of its entry in the zip file. `elements` counts elements of `dtype`. */
export class PickleStorage {
  constructor(
    readonly key: string,
    readonly dtype: CheckpointDtype,
    readonly elements: number,
  ) {}
}

/** A torch tensor: a view of a storage, in elements. Numbers are as the file says, not yet checked. */
export class PickleTensor {
  constructor(
    readonly storage: PickleStorage,
    readonly dtype: CheckpointDtype,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** argparse.Namespace. */
export class PickleNamespace {
  fields: PickleDict = new Map()
}

export type PickleDict = Map<PickleValue, PickleValue>

/** dict and OrderedDict become Map; list, tuple and torch.Size become arrays. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | PickleNamespace
  | PickleGlobal
  | PickleStorage
  | PickleTensor

const MAX_NAME_CHARACTERS = 256
/** As one list could be given to each of many calls, what a call copies is bounded. */
const MAX_PAIRS = 64

const DTYPE_OF_STORAGE: Readonly<Record<string, CheckpointDtype>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  UntypedStorage: 'uint8',
}

const DTYPE_OF_NAME: Readonly<Record<string, CheckpointDtype>> = {
  'torch.float64': 'float64',
  'torch.double': 'float64',
  'torch.float32': 'float32',
  'torch.float': 'float32',
  'torch.float16': 'float16',
  'torch.half': 'float16',
  'torch.bfloat16': 'bfloat16',
  'torch.int64': 'int64',
  'torch.long': 'int64',
  'torch.int32': 'int32',
  'torch.int16': 'int16',
  'torch.int8': 'int8',
  'torch.uint8': 'uint8',
  'torch.bool': 'bool',
}

type Callee = (args: PickleValue[]) => PickleValue

/** The names that may be called, each with what the call builds here. */
const CALLABLE: Readonly<Record<string, Callee>> = {
  'collections.OrderedDict': ([pairs]) => new Map(pairs === undefined ? [] : asPairs(pairs)),
  'torch.Size': ([sides]) => asList(sides, 'torch.Size'),
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) => tensor(storage, offset, shape, strides),
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , dtype]) =>
    tensor(storage, offset, shape, strides, dtype),
  'torch._utils._rebuild_parameter': ([data]) => asTensor(data),
  'torch._utils._rebuild_parameter_with_state': ([data]) => asTensor(data),
  // numpy numbers among an old trainer's metrics: kept as their name only, as nothing reads them.
  'numpy.dtype': () => new Map(),
  'numpy.core.multiarray.scalar': () => new PickleGlobal('numpy.core.multiarray.scalar'),
  'numpy._core.multiarray.scalar': () => new PickleGlobal('numpy._core.multiarray.scalar'),
  '_codecs.encode': ([text]) => text ?? null,
}

/** Names that stand for data only: storages for persistent ids, dtypes, the one class made by NEWOBJ. */
const NAMED: ReadonlySet<string> = new Set([
  ...Object.keys(DTYPE_OF_STORAGE).flatMap((name) => [`torch.${name}`, `torch.storage.${name}`]),
  ...Object.keys(DTYPE_OF_NAME),
  'argparse.Namespace',
])

/** @throws CheckpointError naming it, if it is not on the list */
export function allowedGlobal(module: PickleValue, member: PickleValue): PickleGlobal {
  if (typeof module !== 'string' || typeof member !== 'string') throw damaged('a name in it is no string')
  const name = `${module}.${member}`.slice(0, MAX_NAME_CHARACTERS)
  // Python 2 names of the same things are not needed: torch has written these since 1.6.
  if (!NAMED.has(name) && !Object.hasOwn(CALLABLE, name)) throw forbidden(`for ${JSON.stringify(name)}`)
  return new PickleGlobal(name)
}

/** Builds the data that a call of a name stands for. */
export function callGlobal(callee: PickleValue, args: PickleValue): PickleValue {
  const name = callee instanceof PickleGlobal ? callee.name : 'a value that is not a name'
  const call = Object.hasOwn(CALLABLE, name) ? CALLABLE[name] : undefined
  if (!call) throw forbidden(`to call ${name}`)
  return call(asList(args, name))
}

/** The storage of torch's persistent id: ('storage', storage type, key, location, elements). */
export function storageOf(id: PickleValue): PickleStorage {
  const [tag, type, key, , elements] = asList(id, 'a persistent id')
  const typeName = type instanceof PickleGlobal ? type.name.slice(type.name.lastIndexOf('.') + 1) : ''
  const dtype = Object.hasOwn(DTYPE_OF_STORAGE, typeName) ? DTYPE_OF_STORAGE[typeName] : undefined
  if (tag !== 'storage' || !dtype || typeof key !== 'string' || typeof elements !== 'number') {
    throw damaged('a persistent id in it is not a torch storage')
  }
  return new PickleStorage(key, dtype, elements)
}

function tensor(
  source: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtypeName?: PickleValue,
): PickleTensor {
  if (!(source instanceof PickleStorage) || typeof offset !== 'number') throw damaged('a tensor in it has no storage')
  const dtype = dtypeName instanceof PickleGlobal ? DTYPE_OF_NAME[dtypeName.name] : source.dtype
  if (!dtype) throw damaged('a tensor in it has no known dtype')
  return new PickleTensor(source, dtype, offset, asNumbers(shape), asNumbers(strides))
}

function asTensor(value: PickleValue | undefined): PickleTensor {
  if (!(value instanceof PickleTensor)) throw damaged('a parameter in it has no tensor')
  return value
}

function asList(value: PickleValue | undefined, what: string): PickleValue[] {
  if (!Array.isArray(value)) throw damaged(`the arguments of ${what} are not a tuple`)
  return value
}

function asNumbers(value: PickleValue | undefined): number[] {
  const list = asList(value, "a tensor's shape")
  // The length is bounded here, as one list in the memo could be copied by each of many tensors.
  if (list.length > 64 || !list.every((side) => typeof side === 'number'))
    throw damaged("a tensor's shape in it is no list of numbers")
  return [...list]
}

export function asDict(value: PickleValue, what: string): PickleDict {
  if (!(value instanceof Map)) throw damaged(`${what} is not a dict`)
  return value
}

/** torch writes an OrderedDict empty and sets its items; Python 2 gave a few pairs. */
function asPairs(value: PickleValue): [PickleValue, PickleValue][] {
  const list = asList(value, 'an OrderedDict')
  if (list.length > MAX_PAIRS) throw damaged(`it makes an OrderedDict of more than ${MAX_PAIRS} given pairs`)
  return list.map((pair) => {
    const [key, item, ...rest] = asList(pair, 'an OrderedDict')
    if (key === undefined || item === undefined || rest.length > 0)
      throw damaged('an item of an OrderedDict is no pair')
    return [key, item]
  })
}

export function forbidden(what: string): CheckpointError {
  return new CheckpointError(
    `Its pickle asks ${what}, which no checkpoint needs; nothing was executed. ` +
      'If you trust its origin, load it in torch and save only the state dict.',
  )
}

export function damaged(how: string): CheckpointError {
  return new CheckpointError(`Its pickle is damaged: ${how}. Fetch the file again.`)
}
