// Processes that are started again when they end, until they are stopped.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const AGAIN_AFTER_MS = 200
const READY_WITHIN_MS = 120_000

/**
 * @param {string} name
 * @param {{ command: string, args: string[], env?: object, isReady: () => Promise<boolean>, log?: (line: string) => void }} how
 */
export class Supervised {
  #how
  #child
  #stopping = false
  starts = 0

  constructor(name, how) {
    this.name = name
    this.#how = how
    this.#start()
  }

  #start() {
    const { command, args, env = {}, log = () => {} } = this.#how
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.starts++
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (said) => {
        for (const line of String(said).split('\n').filter(Boolean)) log(`${this.name}: ${line}`)
      })
    child.once('error', (error) => log(`${this.name}: ${error.message}`))
    child.once('close', async () => {
      if (this.#stopping) return
      await sleep(AGAIN_AFTER_MS)
      if (!this.#stopping) this.#start()
    })
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal = 'SIGKILL') {
    this.#child.kill(signal)
  }

  async ready() {
    const until = Date.now() + READY_WITHIN_MS
    while (!(await this.#how.isReady().catch(() => false))) {
      if (Date.now() > until) throw new Error(`${this.name} is not ready after ${READY_WITHIN_MS / 1000} s.`)
      await sleep(100)
    }
  }

  async stop() {
    this.#stopping = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'close')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    this.#child.kill('SIGTERM')
    await ended
    clearTimeout(late)
  }
}

/** Ports that are free now, all different. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
