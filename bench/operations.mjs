/** What a graph's products with weights cost, read from the graph itself. A part of other measurements. */
import { readFileSync } from 'node:fs'
import { BinaryReader } from '@bufbuild/protobuf/wire'

/** Field numbers of onnx.proto3. */
const MODEL_GRAPH = 7
const GRAPH = { node: 1, initializer: 5 }
const NODE = { input: 1, output: 2, opType: 4 }
const TENSOR = { dims: 1, name: 8 }
const PRODUCTS = ['MatMul', 'Gemm', 'MatMulInteger', 'MatMulNBits']

/** Multiplications and additions for one position: 2 for each element of a weight matrix that positions go through. */
export function operationsPerPosition(path) {
  const [graph] = fields(readFileSync(path), MODEL_GRAPH)
  const sizes = new Map(fields(graph, GRAPH.initializer).map(sizeOf))
  const nodes = fields(graph, GRAPH.node).map((bytes) => ({
    inputs: fields(bytes, NODE.input).map(String),
    outputs: fields(bytes, NODE.output).map(String),
    opType: String(fields(bytes, NODE.opType)[0]),
  }))
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node])))
  /** Elements of the weight that a value is, or is made of by a cast, transpose or dequantisation. */
  const weightOf = (name) => {
    if (sizes.has(name)) return sizes.get(name)
    const maker = makers.get(name)
    return maker && ['Cast', 'Transpose', 'DequantizeLinear'].includes(maker.opType)
      ? weightOf(maker.inputs[0])
      : undefined
  }
  const products = nodes.filter(({ opType }) => PRODUCTS.includes(opType))
  return products.reduce((sum, { inputs }) => sum + 2 * (weightOf(inputs[1]) ?? 0), 0)
}

/** The bytes of every field of that number. */
function fields(bytes, number) {
  const reader = new BinaryReader(bytes)
  const found = []
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === number && wire === 2) found.push(Buffer.from(reader.bytes()))
    else reader.skip(wire, field)
  }
  return found
}

/** Name and elements of a tensor; its dimensions come one by one or packed. */
function sizeOf(bytes) {
  const reader = new BinaryReader(bytes)
  let [name, size] = ['', 1]
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === TENSOR.name) name = reader.string()
    else if (field === TENSOR.dims && wire === 0) size *= Number(reader.int64())
    else if (field === TENSOR.dims && wire === 2) {
      const packed = new BinaryReader(reader.bytes())
      while (packed.pos < packed.len) size *= Number(packed.int64())
    } else reader.skip(wire, field)
  }
  return [name, size]
}
