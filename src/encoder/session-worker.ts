/**
 * The worker thread that holds the sessions of a bundle. In: one task at a time. Out: its reply. Bundled as its own
 * script (`#session-worker` of package.json), as a thread cannot be started from a TypeScript source.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { standBack } from '../processor.ts'
import { BundleSessions } from './bundle-sessions.ts'
import type { EncoderInput, HeadOutput } from './encoder.ts'
import type { SessionReply, SessionSetup, SessionTask } from './session-protocol.ts'
import { settleBatch } from './settle-batch.ts'

const { bundleDir, manifest, sessionOptions, nice = 0 } = workerData as SessionSetup
standBack(nice) // before any thread of onnxruntime is started
const sessions = new BundleSessions(bundleDir, manifest, sessionOptions)
const port = parentPort!

async function perform(task: SessionTask): Promise<SessionReply> {
  try {
    await ('head' in task ? sessions.openHead(task.head) : sessions.open(task.modality))
  } catch (failure) {
    return { outcomes: [], failure: failure as Error }
  }
  if ('head' in task) {
    const samples: EncoderInput[][] = [task.inputs]
    return { outcomes: await settleBatch(samples, ([inputs]) => Promise.all([sessions.runHead(task.head, inputs!)])) }
  }
  if (task.inputs.length === 0) return { outcomes: [] }
  return { outcomes: await settleBatch(task.inputs, (items) => sessions.encode(task.modality, items)) }
}

const arraysOf = (result: Float32Array | HeadOutput): Float32Array[] =>
  result instanceof Float32Array ? [result] : [result.logits, ...(result.boxes ? [result.boxes] : [])]

async function answer(task: SessionTask): Promise<void> {
  const reply = await perform(task)
  const results = reply.outcomes.flatMap((one) => (one.status === 'fulfilled' ? arraysOf(one.value) : []))
  const buffers = results.map(({ buffer }) => buffer as ArrayBuffer)
  port.postMessage(reply, buffers)
}

/** One task at a time, in their order: the next may lie here already. */
let last: Promise<void> = Promise.resolve()
port.on('message', (task: SessionTask) => {
  last = last.then(() => answer(task))
})
