/** Starts the built service on a free port with an empty data folder, for a measurement. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The default model's bundle. */
export const NANO = fileURLToPath(new URL('../models/onepeace-nano', import.meta.url))
export const executable = fileURLToPath(new URL('../bin/onepeace.js', import.meta.url))

/** `measure(url, pid)` against a fresh service, which is stopped afterwards. @param env variables beside those of this process */
export async function withService(measure, { bundle = NANO, env = {} } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-bench-'))
  const child = spawn(executable, ['serve', '--port', '0', '--data', dataDir, '--model', bundle], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  try {
    return await measure(await listeningUrl(child), child.pid)
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

export const ms = (value) => `${value.toFixed(1)} ms`
