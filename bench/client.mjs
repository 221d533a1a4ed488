/** Requests from a process of its own, as fast as they are answered: `load({...})` in a measurement, this file as the process. */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'

/** A kept connection a request in flight. @returns `post(path, body)`, which gives status and body */
export function poster(url, maxSockets = 64) {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets })
  return (path, body) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const sent = request({ hostname, port, path, method: 'POST', agent, headers }, (response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }))
      })
      sent.on('error', reject)
      sent.end(body)
    })
}

/**
 * Starts a process that keeps `clients` requests to `/v1/embeddings` in flight, of these bodies in turn, and counts after `warmMs`.
 * @returns `stop()`, which gives how many were answered with 200 in how many seconds, and the first failure
 */
export async function load({ url, clients, bodies, warmMs = 0 }) {
  const child = fork(fileURLToPath(import.meta.url), [], { serialization: 'advanced' })
  const message = () => new Promise((resolve) => child.once('message', resolve))
  const started = message()
  child.send({ url, clients, bodies, warmMs })
  await started
  return {
    async stop() {
      const answer = message()
      child.send('stop')
      const result = await answer
      child.disconnect()
      if (result.failure) throw new Error(`The service did not carry the load: ${result.failure}`)
      return result
    },
  }
}

async function work({ url, clients, bodies, warmMs }) {
  const post = poster(url, clients)
  let [count, next, failure, isRunning] = [0, 0, undefined, true]
  let began = performance.now()
  const client = async () => {
    while (isRunning) {
      const { status, body } = await post('/v1/embeddings', bodies[next++ % bodies.length])
      if (status === 200) count++
      else failure ??= `${status} ${body}`
    }
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  process.once('message', async () => {
    const seconds = (performance.now() - began) / 1000
    const counted = count
    isRunning = false
    await all
    process.send({ count: counted, seconds, failure })
  })
  if (warmMs > 0) await new Promise((done) => setTimeout(done, warmMs))
  began = performance.now()
  count = 0
  process.send('started')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.once('message', work)
