/**
 * Builds one ONNX graph node by node. A value is the name of a tensor in the graph; a node's name is its path, so that a
 * runtime error says where it happened: inside `scope('encoder')`, `scope('layers.0')`, a MatMul is
 * `/encoder/layers.0/MatMul`, and its output has the same name.
 */
import type { ExternalTensor } from './external-data.ts'
import {
  type Attribute,
  CONTRIB_DOMAIN,
  DATA_TYPE,
  type DataType,
  type Dim,
  encodeModel,
  type Graph,
  type Initializer,
  type Node,
  type ValueInfo,
} from './proto.ts'

/** Name of a tensor inside the graph. */
export type Value = string & { readonly __value: unique symbol }

/** Stands for an optional input that is left out. */
export const NO_INPUT = '' as Value

/** External tensors by the names that `weight()` knows them by. */
export type Weights = ReadonlyMap<string, ExternalTensor>

type AttributeInput = number | string | readonly number[] | { float: number }

export class GraphBuilder {
  readonly #name: string
  readonly #weights: Weights
  readonly #inputs: ValueInfo[] = []
  readonly #outputs: ValueInfo[] = []
  readonly #nodes: Node[] = []
  readonly #initializers = new Map<string, Initializer>()
  readonly #names = new Set<string>()
  #path = ''

  /** `weights`: the external tensors that `weight()` may refer to. */
  constructor(name: string, weights: Weights = new Map()) {
    this.#name = name
    this.#weights = weights
  }

  input(name: string, dtype: DataType, dims: readonly Dim[]): Value {
    this.#inputs.push({ name, dtype, dims })
    return this.#claim(name)
  }

  /** Gives `value` the public name `name` as an output of the graph. */
  output(name: string, value: Value, dtype: DataType, dims: readonly Dim[]): void {
    this.#outputs.push({ name, dtype, dims })
    this.#nodes.push({ name: `/outputs/${name}`, opType: 'Identity', inputs: [value], outputs: [name], attributes: {} })
  }

  /** Nodes that `build` adds are named under `segment`. */
  scope<T>(segment: string, build: () => T): T {
    const outer = this.#path
    this.#path = `${outer}/${segment}`
    try {
      return build()
    } finally {
      this.#path = outer
    }
  }

  /** Adds a node with one output. */
  op(opType: string, inputs: readonly Value[], attributes: Record<string, AttributeInput> = {}): Value {
    return this.#node({ opType }, inputs, attributes)
  }

  /** As `op`, of onnxruntime's own operators. */
  contrib(opType: string, inputs: readonly Value[], attributes: Record<string, AttributeInput> = {}): Value {
    return this.#node({ opType, domain: CONTRIB_DOMAIN }, inputs, attributes)
  }

  #node(
    operator: Pick<Node, 'opType' | 'domain'>,
    inputs: readonly Value[],
    attributes: Record<string, AttributeInput>,
  ): Value {
    const name = this.#claim(this.#unique(`${this.#path}/${operator.opType}`))
    this.#nodes.push({ name, ...operator, inputs, outputs: [name], attributes: mapValues(attributes, toAttribute) })
    return name
  }

  /** How a tensor of the external data is stored. */
  stored(name: string): ExternalTensor {
    const tensor = this.#weights.get(name)
    if (!tensor) throw new Error(`The weights file holds no tensor ${name}.`)
    return tensor
  }

  /** A tensor of the external data as it is stored. */
  storedWeight(name: string): Value {
    const { dtype, dims, location } = this.stored(name)
    if (!this.#initializers.has(name)) {
      this.#initializers.set(name, { name, dtype, dims, data: location })
      this.#names.add(name)
    }
    return name as Value
  }

  /** A tensor of the external data, as float32: stored halves are widened by a Cast, which runtimes fold at load. */
  weight(name: string): Value {
    const value = this.storedWeight(name)
    if (this.stored(name).dtype !== 'float16') return value
    return this.once(`Cast ${name}`, () => {
      const cast = castName(name)
      const attributes = { to: toAttribute(DATA_TYPE.float32) }
      this.#nodes.push({ name: cast, opType: 'Cast', inputs: [name], outputs: [cast], attributes })
      return cast as Value
    })
  }

  readonly #made = new Map<string, unknown>()

  /** What `build` made the first time that it was asked for under this key, so that parts of the graph are shared. */
  once<T>(key: string, build: () => T): T {
    if (!this.#made.has(key)) this.#made.set(key, build())
    return this.#made.get(key) as T
  }

  /** An int64 constant inside the graph file; `dims` [] for a scalar. */
  int64(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    return this.#constant(`int64[${dims}]:${values}`, { dtype: 'int64', dims, data })
  }

  /** A float32 constant inside the graph file; `dims` [] for a scalar. */
  float32(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    const data = new Uint8Array(Float32Array.from(values).buffer)
    return this.#constant(`float32[${dims}]:${values}`, { dtype: 'float32', dims, data })
  }

  /** A uint8 constant of no dimension. */
  byte(value: number): Value {
    return this.#constant(`uint8:${value}`, { dtype: 'uint8', dims: [], data: Uint8Array.of(value) })
  }

  scalar(value: number): Value {
    return this.float32([value], [])
  }

  readonly #constants = new Map<string, Value>()

  #constant(key: string, tensor: Omit<Initializer, 'name'>): Value {
    let value = this.#constants.get(key)
    if (value === undefined) {
      value = this.#claim(`/constants/${this.#constants.size}`)
      this.#constants.set(key, value)
      this.#initializers.set(value, { name: value, ...tensor })
    }
    return value
  }

  #unique(base: string): string {
    if (!this.#names.has(base)) return base
    let suffix = 1
    while (this.#names.has(`${base}_${suffix}`)) suffix++
    return `${base}_${suffix}`
  }

  #claim(name: string): Value {
    if (this.#names.has(name)) throw new Error(`The graph already has a value named ${name}.`)
    this.#names.add(name)
    return name as Value
  }

  graph(): Graph {
    return {
      name: this.#name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      initializers: [...this.#initializers.values()],
    }
  }

  /** Bytes of the finished model. */
  encode(): Uint8Array {
    return encodeModel(this.graph(), 'onepeace')
  }
}

const castName = (name: string): string => `/weights/${name}/Cast`

/** Whole numbers are ONNX ints; a float attribute is said as `{ float }`, because a JavaScript number does not tell. */
function toAttribute(value: AttributeInput): Attribute {
  if (typeof value === 'number') return { kind: 'int', value }
  if (typeof value === 'string') return { kind: 'string', value }
  if ('float' in value) return { kind: 'float', value: value.float }
  return { kind: 'ints', value }
}

function mapValues<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
