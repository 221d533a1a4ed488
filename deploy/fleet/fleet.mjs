// API ×2, encoder ×2, worker ×2 and Redis as processes on loopback, with what they share: Qdrant, and originals in a folder or bucket.
// `npm run fleet` starts it; QDRANT_URL, MEDIA_URL and QUEUE_URL name what is there already, in place of its own.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { startFront } from './front.mjs'
import { freePorts, Supervised } from './processes.mjs'

const PROGRAM = fileURLToPath(new URL('../../bin/onepeace.js', import.meta.url))

/**
 * @param {object} options
 * @param {number} [options.apis] @param {number} [options.encoders] @param {number} [options.workers]
 * @param {string} [options.qdrantUrl] a stub in this process, which forgets all in the end, if absent
 * @param {string} [options.mediaUrl] a folder that is deleted in the end, if absent
 * @param {string} [options.queueUrl] a Redis of its own, if absent; null for none, and no workers
 * @param {number} [options.port] of the one address before the services; any free one if absent
 * @param {object} [options.env] more variables for all of onepeace's processes
 * @param {(line: string) => void} [options.log] takes what the processes say
 */
export async function startFleet({ apis = 2, encoders = 2, workers = 2, log = () => {}, env = {}, ...options } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-fleet-'))
  const ports = await freePorts(apis + encoders + 2)
  const take = (count) => ports.splice(0, count)
  const stub = options.qdrantUrl ? undefined : await startStub()
  const processes = new Map()
  const add = (name, how) => processes.set(name, new Supervised(name, { log, ...how }))

  const [redisPort, frontPort] = take(2)
  let queueUrl = options.queueUrl
  if (queueUrl === undefined && hasRedis()) {
    queueUrl = `redis://127.0.0.1:${redisPort}`
    add('redis', redis(redisPort, join(dir, 'redis')))
  }
  const secret = randomBytes(16).toString('hex')
  const encoderUrls = take(encoders).map((port, i) => {
    const url = `http://127.0.0.1:${port}`
    add(`encoder-${i}`, onepeace(['encoder', '--port', String(port)], url, { ENCODER_SECRET: secret, ...env }))
    return url
  })
  const shared = {
    ENCODER_URL: encoderUrls.join(','),
    ENCODER_SECRET: secret,
    QDRANT_URL: options.qdrantUrl ?? stub.url,
    MEDIA_URL: options.mediaUrl ?? pathToFileURL(join(dir, 'media')).href,
    ...(queueUrl && { QUEUE_URL: queueUrl }),
    ...env,
  }
  const urls = take(apis).map((port, i) => {
    const url = `http://127.0.0.1:${port}`
    add(`api-${i}`, onepeace(['serve', '--port', String(port), '--data', join(dir, 'none')], url, shared))
    return url
  })
  if (queueUrl)
    for (let i = 0; i < workers; i++)
      add(`worker-${i}`, { ...onepeace(['worker'], '', shared), isReady: async () => true })

  const fleet = { urls, encoderUrls, processes, dir, url: '', stop }
  let front
  async function stop() {
    front?.closeAllConnections()
    front?.close()
    const inTurn = [...processes.values()].reverse() // Redis last
    for (const each of inTurn.filter(({ name }) => name !== 'redis')) await each.stop()
    await processes.get('redis')?.stop()
    await stub?.close()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    front = await startFront(urls, options.port ?? frontPort)
    fleet.url = `http://127.0.0.1:${front.address().port}`
    await Promise.all([...processes.values()].map((each) => each.ready()))
  } catch (error) {
    await stop()
    throw error
  }
  return fleet
}

function onepeace(args, url, env) {
  const isReady = async () => (await fetch(`${url}/readyz`)).ok
  return { command: process.execPath, args: [PROGRAM, ...args], env: { ONEPEACE_RATE_LIMIT: '0', ...env }, isReady }
}

/** Nothing that Redis said it has is lost when it is killed: it is on disk first. */
function redis(port, dir) {
  mkdirSync(dir, { recursive: true })
  const settings = {
    bind: '127.0.0.1',
    port,
    dir,
    appendonly: 'yes',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  return { command: 'redis-server', args: [...args, '--save', ''], isReady: () => answers(port) }
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const done = (answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (said) => done(String(said).startsWith('+PONG')))
    socket.once('error', () => done(false))
  })
}

function hasRedis() {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A small Qdrant in memory, of the tests: no binary of the real one can be counted on. */
async function startStub() {
  const { runnerImport } = await import('vite')
  const stub = fileURLToPath(new URL('../../tests/qdrant-stub/server.ts', import.meta.url))
  const { module } = await runnerImport(stub)
  return module.startQdrantStub()
}

async function main() {
  const { QDRANT_URL, MEDIA_URL, QUEUE_URL, ONEPEACE_PORT } = process.env
  const fleet = await startFleet({
    qdrantUrl: QDRANT_URL,
    mediaUrl: MEDIA_URL,
    queueUrl: QUEUE_URL,
    port: Number(ONEPEACE_PORT ?? 8080),
    log: (line) => console.error(line),
  })
  console.log(`The fleet answers on ${fleet.url}; its services are ${fleet.urls.join(' and ')}.`)
  if (!QDRANT_URL)
    console.log('Vectors are in memory and gone with it: name a Qdrant server with QDRANT_URL to keep them.')
  if (!MEDIA_URL) console.log('Originals are in a folder that is deleted with it: MEDIA_URL keeps them elsewhere.')
  if (!fleet.processes.has('redis') && !QUEUE_URL)
    console.log('There is no redis-server here, so no queue and no workers.')
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => fleet.stop().then(() => process.exit(0)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
