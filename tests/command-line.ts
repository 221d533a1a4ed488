/** `onepeace` as a process, for tests. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const PROGRAM = fileURLToPath(new URL('../bin/onepeace.js', import.meta.url))

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd?: string
  /** Beside what the process needs; what the tests' own environment says of onepeace is left out. */
  env?: NodeJS.ProcessEnv
}

/** Waits for its end; nothing is written to its input. */
export async function onepeace(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = startOnepeace(args, options)
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

export function startOnepeace(args: readonly string[], { cwd, env }: RunOptions = {}): ChildProcess {
  const plain = Object.entries(process.env).filter(
    ([name]) => !/^(ONEPEACE|QDRANT|OTEL|ENCODER|QUEUE|MEDIA)_/.test(name),
  )
  return spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    env: { ...Object.fromEntries(plain), ...env },
  })
}
