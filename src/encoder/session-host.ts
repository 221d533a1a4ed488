/**
 * The main thread's side of one session worker: starts it when first needed, and again after a crash.
 *
 * Plain `worker_threads` rather than a pool library: the batcher composes a batch only when a worker is free, so there
 * is nothing to queue here, and every waiter must be settled also when a worker dies while it starts, where piscina 5
 * leaves queued tasks pending.
 */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { DomainError } from '../errors.ts'
import type { EncoderInput } from './encoder.ts'
import type { SessionReply, SessionSetup, SessionTask } from './session-protocol.ts'

const RETRY_AFTER_S = 1

export class SessionHost {
  private worker: Worker | undefined
  /** Settle the tasks given to the worker, which does them in their order. */
  private waiting: { resolve: (reply: SessionReply) => void; reject: (reason: Error) => void }[] = []

  private running: Promise<undefined> = Promise.resolve(undefined)

  /** @param script path of the worker's script; by default the built `session-worker` */
  constructor(
    private readonly setup: SessionSetup,
    private readonly script?: string,
  ) {}

  /**
   * Runs one task; tasks are done in their order, and one given early is begun without delay. Pixels and waveforms are moved to the worker, not copied.
   * @throws DomainError `encoder-unavailable` if the worker cannot start, dies, or cannot open its sessions
   */
  async call<Task extends SessionTask>(task: Task): Promise<SessionReply<Task>['outcomes']> {
    const { inputs, buffers } = detachable(task.inputs)
    const answer = new Promise<SessionReply>((resolve, reject) => {
      try {
        this.worker ??= this.start()
      } catch (cause) {
        return reject(unavailable('The encoder could not be started; build the project.', cause))
      }
      try {
        this.worker.ref()
        this.worker.postMessage({ ...task, inputs }, buffers)
        this.waiting.push({ resolve, reject })
      } catch (defect) {
        reject(defect)
        this.rest()
      }
    })
    this.running = Promise.allSettled([this.running, answer]).then(() => undefined) // else each would hold the answers before it
    const reply = await answer
    if (reply.failure) throw unavailable(`The model could not be opened (${reply.failure.message}).`, reply.failure)
    return (reply as SessionReply<Task>).outcomes
  }

  /** Ends the worker after the tasks in progress: onnxruntime aborts the whole process if its thread is ended in a run. */
  async stop(): Promise<void> {
    await this.running
    await this.worker?.terminate()
  }

  private start(): Worker {
    const script = this.script ?? createRequire(import.meta.url).resolve('#session-worker')
    const worker = new Worker(script, { workerData: this.setup })
    worker.on('message', (reply: SessionReply) => {
      this.waiting.shift()?.resolve(reply)
      this.rest()
    })
    let reason: unknown
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', () => {
      if (this.worker === worker) this.worker = undefined
      const lost = unavailable('The encoder stopped unexpectedly; it starts again with the next request.', reason)
      for (const { reject } of this.waiting.splice(0)) reject(lost)
    })
    return worker
  }

  /** An idle worker does not keep the process alive. */
  private rest(): void {
    if (this.waiting.length === 0) this.worker?.unref()
  }
}

function unavailable(message: string, cause: unknown): DomainError {
  return new DomainError('encoder-unavailable', message, { cause, retryAfterS: RETRY_AFTER_S })
}

/** The inputs with buffers that can be moved: a view of a larger buffer, or one seen twice, is copied first. */
function detachable(inputs: readonly EncoderInput[]): { inputs: EncoderInput[]; buffers: ArrayBuffer[] } {
  const buffers = new Set<ArrayBuffer>()
  const own = <T extends Uint8Array | Float32Array>(view: T): T => {
    const { buffer } = view
    const movable = buffer instanceof ArrayBuffer && buffer.byteLength === view.byteLength && !buffers.has(buffer)
    const moved = movable ? view : (view.slice() as T)
    // A Buffer's slice would share memory with it, and a pooled one cannot be moved.
    const result = moved.buffer.byteLength === moved.byteLength ? moved : (Uint8Array.from(moved) as T)
    buffers.add(result.buffer as ArrayBuffer)
    return result
  }
  const moved = inputs.map((input): EncoderInput => {
    if (input.modality === 'image') return { ...input, data: own(input.data) }
    return input.modality === 'audio' ? { ...input, waveform: own(input.waveform) } : input
  })
  return { inputs: moved, buffers: [...buffers] }
}
