/**
 * How long does it take from the start of the process to the first embedding over HTTP?
 *
 *   npm run build && node bench/cold-start.mjs [bundle] [runs]
 *
 * Each run starts `onepeace serve` with an empty data folder and asks for one text as soon as it says that it listens. The bundle's
 * files are in the page cache from the second run on. Prints also when it listens, and when all branches of the model are open.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { args, interleaved, Report, sized } from './harness.mjs'
import { executable, listeningUrl, NANO } from './service.mjs'

const RUNS = Number(args[1] ?? sized(15, 1))
const bundle = resolve(args[0] ?? NANO)
const { name, precision } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'))
const report = new Report('cold-start', { model: name, precision })

const times = { listening: [], ready: [], resident: [] }
async function coldStart() {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-bench-'))
  const began = performance.now()
  const child = spawn(executable, ['serve', '--port', '0', '--data', dataDir, '--model', bundle], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((done) => child.once('exit', done))
  try {
    const url = await listeningUrl(child)
    const listening = performance.now() - began
    const answer = await fetch(`${url}/v1/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'a dog' }),
    })
    if (!answer.ok) throw new Error(await answer.text())
    await answer.arrayBuffer()
    const first = performance.now() - began
    while (!(await fetch(`${url}/readyz`)).ok) await new Promise((done) => setTimeout(done, 10))
    times.listening.push(listening)
    times.ready.push(performance.now() - began)
    times.resident.push(
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    )
    return first
  } finally {
    child.kill('SIGTERM')
    await exited
    await rm(dataDir, { recursive: true, force: true })
  }
}

const { first } = await interleaved({ first: coldStart }, RUNS, sized(1, 0))
report.row('start to listening', times.listening.slice(-RUNS))
report.row('start to first embedding', first)
report.row('start to all branches open', times.ready.slice(-RUNS))
report.row('resident memory then', times.resident.slice(-RUNS), 'MiB')
report.end()
