/** `onepeace serve` as a process on a free port, with the default model and an empty data folder. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROGRAM } from './command-line.ts'
import { addressOf, end } from './processes.ts'

export interface LiveServer {
  url: string
  pid: number
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
  ready?: RegExp,
): Promise<LiveServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-live-'))
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--data', dataDir, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const stop = async () => {
    await end(child, 'SIGTERM')
    await rm(dataDir, { recursive: true, force: true })
  }
  return { url: await addressOf(child, ready), pid: child.pid!, dataDir, stop }
}
