/**
 * The worker thread that holds the sessions of a bundle. In: one task at a time. Out: its reply. Bundled as its own
 * script (`#session-worker` of package.json), as a thread cannot be started from a TypeScript source.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { BundleSessions } from './bundle-sessions.ts'
import type { SessionReply, SessionSetup, SessionTask } from './session-protocol.ts'
import { settleBatch } from './settle-batch.ts'

const { bundleDir, manifest, sessionOptions } = workerData as SessionSetup
const sessions = new BundleSessions(bundleDir, manifest, sessionOptions)
const port = parentPort!

async function perform({ modality, inputs }: SessionTask): Promise<SessionReply> {
  try {
    await sessions.open()
  } catch (failure) {
    return { outcomes: [], failure: failure as Error }
  }
  if (inputs.length === 0) return { outcomes: [] }
  return { outcomes: await settleBatch(inputs, (items) => sessions.encode(modality, items)) }
}

port.on('message', async (task: SessionTask) => {
  const reply = await perform(task)
  const buffers = reply.outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.buffer as ArrayBuffer] : []))
  port.postMessage(reply, buffers)
})
