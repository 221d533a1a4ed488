/** `onepeace serve` as a process on a free port, with the default model and an empty data folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../bin/onepeace.js', import.meta.url))

export interface LiveServer {
  url: string
  dataDir: string
  stop(): Promise<void>
}

/**
 * @param args more flags of `serve`
 * @param ready what it says when it is as it should be
 */
export async function startServer(
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
  ready = ADDRESS,
): Promise<LiveServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-live-'))
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--data', dataDir, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
    await rm(dataDir, { recursive: true, force: true })
  }
  return { url: await addressOf(child, ready), dataDir, stop }
}

const ADDRESS = /http:\/\/[\d.:]+/

async function addressOf(child: ChildProcess, ready: RegExp): Promise<string> {
  let said = ''
  for await (const chunk of child.stdout!) {
    said += chunk
    if (ready.test(said)) return ADDRESS.exec(said)![0]
  }
  throw new Error(`The service did not start: ${said}`)
}
