/** Starts the built service on a free port with an empty data folder, for a measurement. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const executable = fileURLToPath(new URL('../bin/onepeace.js', import.meta.url))

/** `measure(url, pid)` against a fresh service, which is stopped afterwards. */
export async function withService(measure) {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-bench-'))
  const child = spawn(executable, ['serve', '--port', '0', '--data', dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  try {
    await measure(await listeningUrl(child), child.pid)
  } finally {
    child.kill('SIGTERM')
    await exited
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Where a process says it listens. */
export function listeningUrl(child) {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
      const url = /http:\/\/[^\s]+/.exec(text)?.[0]
      if (url) resolve(url)
    })
    child.once('exit', (code) => reject(new Error(`The service ended with code ${code} before it listened.`)))
  })
}

/** Value below which the share `q` of the values lies. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}

export const ms = (value) => `${value.toFixed(1)} ms`
