/** A real Redis on a free port, with its data in a temporary folder, where this machine has one (Debian: `redis-server`). */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end, freePort } from './processes.ts'

export const HAS_REDIS = (() => {
  try {
    execFileSync('redis-server', ['--version'])
    return true
  } catch {
    console.warn('SKIPPED: there is no redis-server; the queue on Redis is not tested.')
    return false
  }
})()

export interface RedisServer {
  url: string
  /** As `kill -9` does. */
  kill(): Promise<void>
  /** On the same port, with what was on disk. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Every write is on disk before it is answered. */
export async function startRedis(): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-redis-'))
  const port = await freePort()
  let child: ChildProcess
  const start = async () => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '']
    child = spawn('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'always'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const chunk of child.stdout!) {
      said += chunk
      if (said.includes('Ready to accept connections')) break
    }
    if (!said.includes('Ready to accept connections')) throw new Error(`Redis did not start: ${said}`)
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    kill: () => end(child, 'SIGKILL'),
    stop: async () => {
      await end(child, 'SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}
