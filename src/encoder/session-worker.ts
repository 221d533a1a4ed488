/**
 * The worker thread that holds the sessions of a bundle. In: one task at a time. Out: its reply. Bundled as its own
 * script (`#session-worker` of package.json), as a thread cannot be started from a TypeScript source.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { standBack } from '../processor.ts'
import { BundleSessions } from './bundle-sessions.ts'
import type { EncoderInput, ImageInput } from './encoder.ts'
import type { ResultOf, SessionReply, SessionSetup, SessionTask } from './session-protocol.ts'
import { settleBatch } from './settle-batch.ts'

const { bundleDir, manifest, sessionOptions, nice = 0 } = workerData as SessionSetup
standBack(nice) // before any thread of onnxruntime is started
const sessions = new BundleSessions(bundleDir, manifest, sessionOptions)
const port = parentPort!

async function perform(task: SessionTask): Promise<SessionReply> {
  try {
    await opened(task)
  } catch (failure) {
    return { outcomes: [], failure: failure as Error }
  }
  if ('head' in task) {
    const samples: EncoderInput[][] = [task.inputs]
    return { outcomes: await settleBatch(samples, ([inputs]) => Promise.all([sessions.runHead(task.head, inputs!)])) }
  }
  if ('preprocessGraph' in task) {
    const resize = ([picture]: readonly ImageInput[]) => sessions.resize(picture!, task.preprocessGraph)
    return { outcomes: await settleBatch(task.inputs, async (pictures) => [await resize(pictures)]) }
  }
  if (task.inputs.length === 0) return { outcomes: [] }
  return { outcomes: await settleBatch(task.inputs, (items) => sessions.encode(task.modality, items)) }
}

function opened(task: SessionTask): Promise<void> {
  if ('head' in task) return sessions.openHead(task.head)
  return 'preprocessGraph' in task ? sessions.openGraph(task.preprocessGraph) : sessions.open(task.modality)
}

function arraysOf(result: ResultOf<SessionTask>): (Float32Array | Uint8Array)[] {
  if (result instanceof Float32Array) return [result]
  return 'data' in result ? [result.data] : [result.logits, ...(result.boxes ? [result.boxes] : [])]
}

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
