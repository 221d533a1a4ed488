/** `encode` beside the thread that reads and writes: either takes about half of a conversion's time. */
import { createRequire } from 'node:module'
import { Piscina } from 'piscina'
import { type Encoded, type EncodeTask, encode } from './encode.ts'

/** Tensors up to this are encoded sooner than they are handed over. */
const SMALL_VALUES = 1 << 16
/** How long the thread is kept while nothing is to be encoded, e.g. where a slow disk is read. */
const IDLE_MS = 60_000

export class EncoderThread {
  private readonly pool = new Piscina<EncodeTask, Encoded>({
    filename: createRequire(import.meta.url).resolve('#encode-worker'),
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    execArgv: [],
  })

  /**
   * As `encode`. The values of a large tensor are moved to the thread: the array is empty afterwards.
   * @throws RangeError where a value has no half
   */
  async encode(task: EncodeTask): Promise<Encoded> {
    if (task.values.length <= SMALL_VALUES) return encode(task)
    return this.pool.run(task, { transferList: [task.values.buffer as ArrayBuffer] })
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }
}
