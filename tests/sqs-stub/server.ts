/** SQS in memory over HTTP. What it proves and what not: README.md beside this file. */
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Held {
  body: string
  /** On the clock of `performance.now()`. */
  visibleAt: number
  receipts: number
  receipt: string | undefined
}

export interface SqsStub {
  /** Of the queue named `name`, made if it is not there; `-dead` names its dead-letter queue. */
  url(name: string, options?: { maxReceiveCount?: number }): string
  /** What was wrong with the requests so far. */
  violations: string[]
  /** Answered with a 500 each. */
  faults: number
  close(): Promise<void>
}

interface StubQueue {
  name: string
  messages: Map<string, Held>
  maxReceiveCount: number | undefined
}

type Input = Record<string, unknown>
const ACCOUNT = '000000000000'
const POLL_MS = 10

/** By operation: what a request may hold, and within which bounds a number is. */
const FIELDS: Record<string, Record<string, 'string' | 'list' | [number, number]>> = {
  SendMessageBatch: { QueueUrl: 'string', Entries: 'list' },
  ReceiveMessage: {
    QueueUrl: 'string',
    MaxNumberOfMessages: [1, 10],
    WaitTimeSeconds: [0, 20],
    VisibilityTimeout: [0, 43_200],
    MessageSystemAttributeNames: 'list',
  },
  ChangeMessageVisibility: { QueueUrl: 'string', ReceiptHandle: 'string', VisibilityTimeout: [0, 43_200] },
  DeleteMessage: { QueueUrl: 'string', ReceiptHandle: 'string' },
  GetQueueAttributes: { QueueUrl: 'string', AttributeNames: 'list' },
  GetQueueUrl: { QueueName: 'string' },
}

export async function startSqsStub(): Promise<SqsStub> {
  const queues = new Map<string, StubQueue>()
  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
    const input = (await json(request).catch(() => ({}))) as Input
    stub.violations.push(...violationsOf(request, operation, input))
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
    if (stub.faults > 0) {
      stub.faults--
      return answer(400, { __type: 'com.amazonaws.sqs#OverLimit', message: 'told to fail' })
    }
    const queue = queues.get(String(input.QueueName ?? String(input.QueueUrl).split('/').at(-1)))
    if (queue === undefined) return answer(400, { __type: 'com.amazonaws.sqs#QueueDoesNotExist' })
    const isGone = () => response.destroyed
    answer(200, await OPERATIONS[operation]!({ queue, queues, input, urlOf, isGone }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const urlOf = (name: string) => `${origin}/${ACCOUNT}/${name}`
  const make = (name: string, maxReceiveCount?: number) => {
    if (!queues.has(name)) queues.set(name, { name, messages: new Map(), maxReceiveCount })
  }
  const stub: SqsStub = {
    url: (name, { maxReceiveCount } = {}) => {
      make(name, maxReceiveCount)
      if (maxReceiveCount !== undefined) make(`${name}-dead`)
      return urlOf(name)
    },
    violations: [],
    faults: 0,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return stub
}

function violationsOf(request: IncomingMessage, operation: string, input: Input): string[] {
  const { 'content-type': type, authorization } = request.headers
  const known = FIELDS[operation]
  if (known === undefined) return [`unknown operation ${operation}`]
  const wrong: string[] = []
  if (request.method !== 'POST') wrong.push(`${operation}: ${request.method}`)
  if (type !== 'application/x-amz-json-1.0') wrong.push(`${operation}: content type ${type}`)
  if (!/^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[\w-]+\/sqs\/aws4_request, /.test(authorization ?? ''))
    wrong.push(`${operation}: not signed for sqs`)
  for (const [field, value] of Object.entries(input)) {
    const bounds = known[field]
    const isRight =
      bounds === 'string'
        ? typeof value === 'string'
        : bounds === 'list'
          ? Array.isArray(value)
          : bounds !== undefined && Number.isInteger(value) && Number(value) >= bounds[0] && Number(value) <= bounds[1]
    if (!isRight) wrong.push(`${operation}: ${field} = ${JSON.stringify(value)}`)
  }
  if (operation === 'SendMessageBatch') wrong.push(...violationsOfBatch(input.Entries as Input[]))
  return wrong
}

function violationsOfBatch(entries: Input[]): string[] {
  const ids = new Set(entries.map(({ Id }) => Id))
  const isRight = entries.length >= 1 && entries.length <= 10 && ids.size === entries.length
  const plain = entries.every(({ Id, MessageBody }) => /^[\w-]{1,80}$/.test(String(Id)) && String(MessageBody) !== '')
  return isRight && plain ? [] : [`SendMessageBatch: ${JSON.stringify(entries).slice(0, 200)}`]
}

interface Call {
  queue: StubQueue
  queues: Map<string, StubQueue>
  input: Input
  urlOf(name: string): string
  isGone(): boolean
}

const OPERATIONS: Record<string, (call: Call) => Promise<object>> = {
  async SendMessageBatch({ queue, input }) {
    const Successful = (input.Entries as Input[]).map(({ Id, MessageBody }) => {
      const body = String(MessageBody)
      const id = randomUUID()
      queue.messages.set(id, { body, visibleAt: 0, receipts: 0, receipt: undefined })
      return { Id, MessageId: id, MD5OfMessageBody: createHash('md5').update(body).digest('hex') }
    })
    return { Successful }
  },

  async ReceiveMessage({ queue, queues, input, isGone }) {
    const until = performance.now() + Number(input.WaitTimeSeconds ?? 0) * 1000
    for (;;) {
      if (isGone()) return {}
      const Messages = receive(queue, queues, input)
      if (Messages.length > 0) return { Messages }
      if (performance.now() >= until) return {}
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  },

  async ChangeMessageVisibility({ queue, input }) {
    const held = heldBy(queue, input)
    if (held) held[1].visibleAt = performance.now() + Number(input.VisibilityTimeout) * 1000
    return {}
  },

  async DeleteMessage({ queue, input }) {
    const held = heldBy(queue, input)
    if (held) queue.messages.delete(held[0])
    return {}
  },

  async GetQueueAttributes({ queue, input }) {
    const now = performance.now()
    const hidden = [...queue.messages.values()].filter(({ visibleAt }) => visibleAt > now).length
    const all: Record<string, string | undefined> = {
      ApproximateNumberOfMessages: String(queue.messages.size - hidden),
      ApproximateNumberOfMessagesDelayed: '0',
      ApproximateNumberOfMessagesNotVisible: String(hidden),
      RedrivePolicy:
        queue.maxReceiveCount === undefined
          ? undefined
          : JSON.stringify({
              deadLetterTargetArn: `arn:aws:sqs:eu-west-1:${ACCOUNT}:${queue.name}-dead`,
              maxReceiveCount: queue.maxReceiveCount,
            }),
    }
    const wanted = (input.AttributeNames as string[]).filter((name) => all[name] !== undefined)
    return { Attributes: Object.fromEntries(wanted.map((name) => [name, all[name]])) }
  },

  async GetQueueUrl({ queue, urlOf }) {
    return { QueueUrl: urlOf(queue.name) }
  },
}

function receive(queue: StubQueue, queues: Map<string, StubQueue>, input: Input): object[] {
  const now = performance.now()
  const received: object[] = []
  for (const [id, held] of queue.messages) {
    if (held.visibleAt > now || received.length >= Number(input.MaxNumberOfMessages ?? 1)) continue
    if (queue.maxReceiveCount !== undefined && held.receipts >= queue.maxReceiveCount) {
      queue.messages.delete(id)
      queues.get(`${queue.name}-dead`)!.messages.set(id, { ...held, visibleAt: 0 })
      continue
    }
    held.receipts++
    held.receipt = randomUUID()
    held.visibleAt = now + Number(input.VisibilityTimeout ?? 30) * 1000
    const Attributes = { ApproximateReceiveCount: String(held.receipts) }
    const MD5OfBody = createHash('md5').update(held.body).digest('hex')
    received.push({ MessageId: id, ReceiptHandle: held.receipt, Body: held.body, MD5OfBody, Attributes })
  }
  return received
}

/** A receipt is good until the message was received again. */
function heldBy(queue: StubQueue, { ReceiptHandle }: Input): [string, Held] | undefined {
  return [...queue.messages].find(([, { receipt }]) => receipt === ReceiptHandle)
}
