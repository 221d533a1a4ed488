/** What the client does when answers do not come: a `fetch` of our own stands for the service. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OnepeaceClient, OnepeaceError, type ProblemError } from '../src/index.ts'

type Answer = () => Response | Promise<Response>

let requests: { method: string; path: string; headers: Headers; body: string }[]

beforeEach(() => {
  requests = []
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})
afterEach(() => vi.useRealTimers())

/** Answers in turn; the last again and again. */
function clientWith(...answers: Answer[]): OnepeaceClient {
  let calls = 0
  return new OnepeaceClient({
    url: 'http://service.test/',
    apiKey: 'secret',
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      requests.push({
        method: request.method,
        path: pathname,
        headers: request.headers,
        body: await request.clone().text(),
      })
      return answers[Math.min(++calls, answers.length) - 1]!()
    },
  })
}

const json = (body: object, status = 200, headers = {}) => Response.json(body, { status, headers })
const problem = (code: string, status: number, headers = {}): Answer => {
  const body = {
    type: `urn:onepeace:problem:${code}`,
    title: '',
    status,
    detail: `It is ${code}.`,
    code,
    request_id: 'r1',
  }
  return () => json(body, status, { 'x-request-id': 'r1', ...headers })
}
const overloaded = problem('overloaded', 503, { 'retry-after': '7' })
const models: Answer = () => json({ object: 'list', data: [], limits: {} })
const item: Answer = () => json({ id: 'a' }, 201)
const lost: Answer = () => Promise.reject(new TypeError('fetch failed'))

/** The outcome, and the milliseconds waited until it was there. */
async function waiting<T>(promise: Promise<T>): Promise<{ ms: number; outcome: T | unknown }> {
  const start = Date.now()
  const outcome = promise.catch((error: unknown) => error)
  let done = false
  void outcome.then(() => {
    done = true
  })
  while (!done) await vi.advanceTimersByTimeAsync(100)
  return { ms: Date.now() - start, outcome: await outcome }
}

it('sends the key, and joins an address that ends in a slash with the path', async () => {
  await clientWith(models).models()
  expect(requests[0]!.path).toBe('/v1/models')
  expect(requests[0]!.headers.get('authorization')).toBe('Bearer secret')
})

it('waits as long as Retry-After says, in seconds or as a date, and tries again', async () => {
  const { ms, outcome } = await waiting(clientWith(overloaded, models).models())
  expect(outcome).toMatchObject({ object: 'list' })
  expect(ms).toBeGreaterThanOrEqual(7000)
  const inFiveS = new Date(Date.now() + 5000).toUTCString()
  const dated = await waiting(clientWith(problem('rate-limited', 429, { 'retry-after': inFiveS }), models).models())
  expect(dated.ms).toBeGreaterThanOrEqual(4000)
  expect(requests).toHaveLength(4)
})

it('gives up after the retries it may make, at once where the wait asked for is too long, and for any other problem', async () => {
  const { outcome } = await waiting(clientWith(overloaded).models())
  expect(outcome).toMatchObject({ code: 'overloaded', status: 503, requestId: 'r1', retryAfterMs: 7000 })
  expect(requests).toHaveLength(3)
  requests = []
  await waiting(clientWith(overloaded).models({ maxRetries: 0 }))
  await waiting(clientWith(problem('overloaded', 503, { 'retry-after': '3600' })).models())
  await waiting(clientWith(problem('internal', 500)).models())
  expect(requests).toHaveLength(3)
})

it('repeats what only reads and what names itself after a lost connection, with the same key and body', async () => {
  const client = clientWith(lost, item)
  await waiting(client.items.add('c', new Blob(['bytes']), { metadata: { a: 1 } }))
  const [first, second] = requests
  expect(first!.headers.get('idempotency-key')).toMatch(/^[0-9a-f]{32}$/)
  expect(second!.headers.get('idempotency-key')).toBe(first!.headers.get('idempotency-key'))
  const withoutBoundary = ({ body }: { body: string }) => body.replaceAll(/-{4,}\S+/g, '')
  expect(withoutBoundary(second!)).toBe(withoutBoundary(first!))
  expect(first!.body).toContain('bytes')

  requests = []
  await waiting(clientWith(lost, item).items.add('c', 'x', {}, { idempotencyKey: 'mine' }))
  await waiting(clientWith(lost, item).collections.create('c'))
  await waiting(clientWith(lost, item).items.put('c', 'a', 'x'))
  expect(requests.map(({ headers }) => headers.get('idempotency-key'))).toEqual([
    'mine',
    'mine',
    expect.any(String),
    requests[2]!.headers.get('idempotency-key'),
    null,
    null,
  ])
})

it('sends a batch again whose connection broke, under the same key, and gives only the results not yet given', async () => {
  const result = (index: number) => `${JSON.stringify({ index, status: 201 })}\n`
  const encoded = (...lines: string[]) => lines.map((line) => new TextEncoder().encode(line))
  const broken: Answer = () => {
    const chunks = encoded(result(0), '{"index":1,')
    const pull = (to: ReadableStreamDefaultController) => {
      const chunk = chunks.shift()
      if (chunk) to.enqueue(chunk)
      else to.error(new TypeError('terminated'))
    }
    return new Response(new ReadableStream({ pull }))
  }
  const whole: Answer = () => new Response(result(0) + result(1) + result(2))
  const client = clientWith(overloaded, lost, broken, whole)
  const items = ['x', 'y', 'z'].map((input) => ({ input }))
  const gather = async () => {
    const results = []
    for await (const each of client.items.batch('c', items)) results.push(each.index)
    return results
  }
  expect((await waiting(gather())).outcome).toEqual([0, 1, 2])
  expect(new Set(requests.map(({ headers }) => headers.get('idempotency-key'))).size).toBe(1)
  expect(requests).toHaveLength(4)
  expect(requests[0]!.body).toBe('{"input":"x"}\n{"input":"y"}\n{"input":"z"}')
})

it('says so when a batch ends again and again before all its lines are answered', async () => {
  const half: Answer = () => new Response('{"index":0,"status":201}\n')
  const results = clientWith(half).items.batch('c', [{ input: 'x' }, { input: 'y' }])
  expect((await results.next()).value).toMatchObject({ index: 0 })
  await expect(results.next()).rejects.toThrow('1 of 2')
  expect(requests).toHaveLength(3)
})

it('tells the service how much time is left, less with each try, and does not wait past it', async () => {
  await waiting(clientWith(overloaded, models).models({ timeoutMs: 10_000 }))
  const [first, second] = requests.map(({ headers }) => Number(headers.get('x-timeout-ms')))
  expect(first).toBe(10_000)
  expect(second).toBe(3000)
  requests = []
  const { ms, outcome } = await waiting(clientWith(overloaded).models({ timeoutMs: 5000 }))
  expect(outcome).toMatchObject({ code: 'overloaded' })
  expect(ms).toBeLessThan(1000)
  expect(requests).toHaveLength(1)
})

it('stops waiting for a retry when its signal says so', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error('enough')), 1000)
  const { ms, outcome } = await waiting(clientWith(overloaded).models({ signal: controller.signal }))
  expect(outcome).toEqual(new Error('enough'))
  expect(ms).toBeLessThan(2000)
})

it('says plainly that an answer is not the service’s', async () => {
  const page: Answer = () => new Response('<html>Not here</html>', { status: 404 })
  const { outcome } = await waiting(clientWith(page).models())
  expect(outcome).toBeInstanceOf(OnepeaceError)
  expect((outcome as ProblemError).message).toContain('HTTP 404, and no problem of onepeace')
  expect((outcome as ProblemError).message).toContain('Not here')
})
