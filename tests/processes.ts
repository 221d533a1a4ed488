/** Processes that tests start: a free port for one, where it says that it listens, and its end. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

const ADDRESS = /http:\/\/[\d.:]+/

/**
 * The address in what it prints; from then on nobody reads that. @param ready what it says when it is as it should be
 * @throws Error, with what it said, if it ends before
 */
export async function addressOf(child: ChildProcess, ready = ADDRESS): Promise<string> {
  let said = ''
  for await (const chunk of child.stdout!) {
    said += chunk
    if (ready.test(said)) return ADDRESS.exec(said)![0]
  }
  throw new Error(`It did not start: ${said}`)
}

/** Ends it, if it still runs, and waits until it has. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
