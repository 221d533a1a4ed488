/**
 * ONNX models in protobuf's wire format. Only the messages and fields that our graphs use; field numbers are those of
 * onnx.proto3 (ONNX IR version 10). In: plain objects. Out: the bytes of a ModelProto.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** TensorProto.DataType */
export const DATA_TYPE = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const
export type DataType = keyof typeof DATA_TYPE

/** AttributeProto.AttributeType */
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const

export type Attribute =
  | { kind: 'float'; value: number }
  | { kind: 'int'; value: number }
  | { kind: 'string'; value: string }
  | { kind: 'ints'; value: readonly number[] }

export interface Node {
  name: string
  opType: string
  /** Whose operator it is; the standard's if absent. */
  domain?: string
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: Readonly<Record<string, Attribute>>
}

/** A dimension is a size or the name of a dynamic one. */
export type Dim = number | string

export interface ValueInfo {
  name: string
  dtype: DataType
  dims: readonly Dim[]
}

export interface ExternalLocation {
  file: string
  offset: number
  bytes: number
}

export interface Initializer {
  name: string
  dtype: DataType
  dims: readonly number[]
  /** Little-endian bytes in the graph file, or a place in an external data file beside it. */
  data: Uint8Array | ExternalLocation
}

export interface Graph {
  name: string
  inputs: readonly ValueInfo[]
  outputs: readonly ValueInfo[]
  nodes: readonly Node[]
  initializers: readonly Initializer[]
}

const IR_VERSION = 10
/** Gelu entered the standard with opset 20. */
export const OPSET = 20
/** onnxruntime's own operators, all of them at version 1. */
export const CONTRIB_DOMAIN = 'com.microsoft'

type Write = (w: BinaryWriter) => void

const str = (w: BinaryWriter, field: number, value: string): BinaryWriter =>
  w.tag(field, WireType.LengthDelimited).string(value)
const int = (w: BinaryWriter, field: number, value: number): BinaryWriter => w.tag(field, WireType.Varint).int64(value)
const bytes = (w: BinaryWriter, field: number, value: Uint8Array): BinaryWriter =>
  w.tag(field, WireType.LengthDelimited).bytes(value)

function message(w: BinaryWriter, field: number, write: Write): void {
  w.tag(field, WireType.LengthDelimited).fork()
  write(w)
  w.join()
}

/** Bytes of a whole ModelProto. */
export function encodeModel(graph: Graph, producer: string): Uint8Array {
  const w = new BinaryWriter()
  int(w, 1, IR_VERSION)
  str(w, 2, producer)
  message(w, 7, () => writeGraph(w, graph))
  writeOpset(w, '', OPSET)
  if (graph.nodes.some(({ domain }) => domain === CONTRIB_DOMAIN)) writeOpset(w, CONTRIB_DOMAIN, 1)
  return w.finish()
}

function writeOpset(w: BinaryWriter, domain: string, version: number): void {
  message(w, 8, () => {
    str(w, 1, domain)
    int(w, 2, version)
  })
}

function writeGraph(w: BinaryWriter, graph: Graph): void {
  for (const node of graph.nodes) message(w, 1, () => writeNode(w, node))
  str(w, 2, graph.name)
  for (const initializer of graph.initializers) message(w, 5, () => writeTensor(w, initializer))
  for (const input of graph.inputs) message(w, 11, () => writeValueInfo(w, input))
  for (const output of graph.outputs) message(w, 12, () => writeValueInfo(w, output))
}

function writeNode(w: BinaryWriter, node: Node): void {
  for (const input of node.inputs) str(w, 1, input)
  for (const output of node.outputs) str(w, 2, output)
  str(w, 3, node.name)
  str(w, 4, node.opType)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message(w, 5, () => writeAttribute(w, name, attribute))
  }
  if (node.domain) str(w, 7, node.domain)
}

function writeAttribute(w: BinaryWriter, name: string, attribute: Attribute): void {
  str(w, 1, name)
  switch (attribute.kind) {
    case 'float':
      w.tag(2, WireType.Bit32).float(attribute.value)
      break
    case 'int':
      int(w, 3, attribute.value)
      break
    case 'string':
      str(w, 4, attribute.value)
      break
    case 'ints':
      for (const value of attribute.value) int(w, 8, value)
      break
  }
  int(w, 20, ATTRIBUTE_TYPE[attribute.kind])
}

function writeTensor(w: BinaryWriter, tensor: Initializer): void {
  for (const dim of tensor.dims) int(w, 1, dim)
  int(w, 2, DATA_TYPE[tensor.dtype])
  str(w, 8, tensor.name)
  if (tensor.data instanceof Uint8Array) {
    bytes(w, 9, tensor.data)
    return
  }
  const { file, offset, bytes: length } = tensor.data
  for (const [key, value] of Object.entries({ location: file, offset: `${offset}`, length: `${length}` })) {
    message(w, 13, () => {
      str(w, 1, key)
      str(w, 2, value)
    })
  }
  int(w, 14, 1) // data_location = EXTERNAL
}

function writeValueInfo(w: BinaryWriter, value: ValueInfo): void {
  str(w, 1, value.name)
  message(w, 2, () =>
    message(w, 1, () => {
      int(w, 1, DATA_TYPE[value.dtype])
      message(w, 2, () => {
        for (const dim of value.dims) message(w, 1, () => (typeof dim === 'number' ? int(w, 1, dim) : str(w, 2, dim)))
      })
    }),
  )
}
