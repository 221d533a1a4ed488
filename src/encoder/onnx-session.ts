/**
 * The only file that knows onnxruntime. In: the path of a graph and named tensors. Out: named tensors.
 *
 * `run` blocks the thread that calls it for as long as the graph takes (onnxruntime-node does so although its `run` is
 * `async`), so a server calls it in a worker thread only; a command such as `verify` may call it anywhere.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { usableCores } from '../processor.ts'

/** A dense tensor. `data` is row-major: BigInt64Array for int64, Uint8Array for bool, Uint16Array for float16 bits. */
export interface TensorData {
  dtype: 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'uint8' | 'int8' | 'bool'
  dims: readonly number[]
  data: Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array | Int8Array
}

/**
 * How long a thread without work waits awake for the next operator, in µs. Waking it costs more than most operators take: in 8 bits
 * a text takes 3.7 ms with 20 and with any more, and 6.4 ms with none. Longer would take the cores from the HTTP loop.
 */
const SPIN_US = 50

export interface SessionOptions {
  /** Threads of one `run`, the calling one included; default: all cores. */
  intraOpThreads?: number
  /**
   * Whether weights are repacked into the layout that its kernels like best, which costs time to open and a copy in memory.
   * Without, they stay what the file holds, mapped into memory and shared by all sessions of the file. Default true.
   */
  prepack?: boolean
  /** onnxruntime's execution providers in order of preference; default: `['cpu']`. */
  executionProviders?: readonly string[]
}

/** An open graph. */
export interface GraphSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** The named outputs (all of them unless told) for these inputs. Rejects with onnxruntime's reason. */
  run(inputs: Readonly<Record<string, TensorData>>, outputs?: readonly string[]): Promise<Record<string, TensorData>>
  close(): Promise<void>
}

/** Opens a graph by its path, so that external data beside it is found and mapped into memory. */
export async function openGraph(path: string, options: SessionOptions = {}): Promise<GraphSession> {
  const { prepack = true } = options
  const session = await InferenceSession.create(path, {
    executionProviders: [...(options.executionProviders ?? ['cpu'])],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.intraOpThreads ?? usableCores(),
    extra: {
      session: {
        intra_op: { allow_spinning: '1', spin_duration_us: `${SPIN_US}` },
        disable_prepacking: prepack ? '0' : '1',
        // Processors without 8-bit dot products would add pairs of products in 16 bits, which saturate.
        x64quantprecision: '1',
      },
    },
  })
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: async (inputs, outputs = session.outputNames) => {
      const feeds = mapValues(inputs, ({ dtype, data, dims }) => new Tensor(dtype, data as Uint8Array, dims))
      return mapValues(await session.run(feeds, [...outputs]), fromOrt)
    },
    close: () => session.release(),
  }
}

/** One `Identity`: whatever can be opened at all opens it. ONNX, IR version 8, opset 17. */
const IDENTITY = 'CAg6KwoQCgF4EgF5IghJZGVudGl0eRIBaVoJCgF4EgQKAggBYgkKAXkSBAoCCAFCBAoAEBE='

/** Whether graphs run on an execution provider here. Rejects with onnxruntime's reason if not. */
export async function tryProvider(name: string): Promise<void> {
  const session = await InferenceSession.create(Buffer.from(IDENTITY, 'base64'), { executionProviders: [name] })
  await session.release()
}

/** Runs one graph once: opens it, runs it, closes it. */
export async function runGraph(
  path: string,
  inputs: Readonly<Record<string, TensorData>>,
  outputs?: readonly string[],
  options?: SessionOptions,
): Promise<Record<string, TensorData>> {
  const graph = await openGraph(path, options)
  try {
    return await graph.run(inputs, outputs)
  } finally {
    await graph.close()
  }
}

function fromOrt({ type, dims, data }: Tensor): TensorData {
  return { dtype: type as TensorData['dtype'], dims: [...dims], data: data as TensorData['data'] }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}
