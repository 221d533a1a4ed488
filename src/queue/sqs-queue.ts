/**
 * The queue on Amazon SQS (standard queue). A consumer renews the time for which what it has is invisible to others; once it is dead
 * that time runs out, and SQS hands the message out again. SQS cannot tell that a message is there already: one sent twice comes twice.
 *
 * Parking is SQS's own: where the queue has a dead-letter queue, a message that failed for the last time is left to be received once
 * more than its `maxReceiveCount`, whereupon SQS moves it there. Without one, it is deleted once its end is recorded.
 * The only file that imports the SQS client. Region and credentials come from the environment, as for every AWS client.
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { DomainError } from '../errors.ts'
import {
  type Consumer,
  handled,
  pauseAfter,
  type Queue,
  type QueueDepth,
  type QueueOptions,
  type Work,
} from './queue.ts'

/** Entries of a batch, and messages of an answer (quotas of SQS). */
const BATCH = 10
/** Longest that SQS lets a receiver wait. */
const WAIT_S = 20
const PAUSE_AFTER_FAULT_MS = 5000

export interface SqsQueueOptions extends QueueOptions {
  /** Of the queue; its host is where requests go. */
  url: string
  /** Seconds a receive waits for a message to come. */
  waitS?: number
}

interface Redrive {
  maxReceiveCount: number
  /** Name of the dead-letter queue. */
  parkedName: string
}

export class SqsQueue implements Queue {
  readonly #options: SqsQueueOptions
  readonly #client: SQSClient
  #redrive: Promise<Redrive | undefined> | undefined

  constructor(options: SqsQueueOptions) {
    this.#options = options
    const { hostname, origin } = new URL(options.url)
    const region = regionIn(hostname)
    this.#client = new SQSClient({ endpoint: origin, ...(region && { region }) })
  }

  async send(messages: readonly string[]): Promise<void> {
    for (let i = 0; i < messages.length; i += BATCH) {
      const entries = messages.slice(i, i + BATCH).map((message, n) => ({ Id: String(n), MessageBody: message }))
      const command = new SendMessageBatchCommand({ QueueUrl: this.#options.url, Entries: entries })
      const { Failed = [] } = await reached(this.#client.send(command))
      if (Failed.length > 0) throw unavailable(new Error(Failed[0]!.Message ?? Failed[0]!.Code))
    }
  }

  consume(work: Work): Consumer {
    const stopping = new AbortController()
    const receivers = Array.from({ length: Math.ceil(work.atOnce / BATCH) }, (_, i) =>
      this.#receive(work, Math.min(BATCH, work.atOnce - i * BATCH), stopping.signal),
    )
    return {
      stop: async () => {
        stopping.abort()
        await Promise.all(receivers)
      },
    }
  }

  /** Takes as many as there is room for, handles them, and takes the next as each is done. */
  async #receive(work: Work, width: number, signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>()
    while (!signal.aborted) {
      try {
        for (const message of await this.#take(width - running.size, signal)) {
          const task = this.#run(message, work, signal)
            .catch(work.onError)
            .finally(() => running.delete(task))
          running.add(task)
        }
      } catch (error) {
        if (signal.aborted) break
        work.onError(error)
        await paused(PAUSE_AFTER_FAULT_MS, signal)
      }
      if (running.size >= width) await Promise.race(running)
    }
    await Promise.all(running)
  }

  async #take(most: number, signal: AbortSignal): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#options.url,
      MaxNumberOfMessages: most,
      WaitTimeSeconds: this.#options.waitS ?? WAIT_S,
      VisibilityTimeout: this.#lifeS,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    })
    const { Messages = [] } = await this.#client.send(command, { abortSignal: signal })
    return Messages
  }

  async #run({ Body, ReceiptHandle, Attributes }: Message, work: Work, signal: AbortSignal): Promise<void> {
    const receipt = ReceiptHandle!
    const attempt = Number(Attributes?.ApproximateReceiveCount ?? 1)
    const renewal = setInterval(
      () => void this.#hide(receipt, this.#lifeS).catch(work.onError),
      this.#options.lifeMs / 3,
    )
    try {
      await this.#settle(receipt, Body!, attempt, work, signal)
    } finally {
      clearInterval(renewal)
    }
  }

  async #settle(receipt: string, message: string, attempt: number, work: Work, signal: AbortSignal): Promise<void> {
    const { maxAttempts, redrive } = await this.#bounds()
    const ended = await handled(work, { message, attempt, maxAttempts }, signal)
    if (ended.outcome === 'done') return this.#delete(receipt)
    const { outcome, reason } = ended
    if (outcome === 'stopped') return this.#hide(receipt, 0)
    if (outcome === 'again')
      return this.#hide(receipt, Math.ceil(pauseAfter(attempt, this.#options.firstPauseMs) / 1000))
    if (!(await this.#recorded(() => work.onParked(message, reason), work, signal))) return
    if (redrive === undefined) await this.#delete(receipt)
    else await this.#hide(receipt, 0)
  }

  /** Tried here until it works: a message that is left to be received once more may be parked by that. @returns false if stopped */
  async #recorded(record: () => Promise<void>, work: Work, signal: AbortSignal): Promise<boolean> {
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await record()
        return true
      } catch (error) {
        work.onError(error)
        await paused(pauseAfter(tries, this.#options.firstPauseMs), signal)
      }
    }
    return false
  }

  async depth(): Promise<QueueDepth> {
    const { redrive } = await reached(this.#bounds())
    const { waiting, active } = await reached(this.#count(this.#options.url))
    if (redrive === undefined) return { waiting, active, parked: 0 }
    const command = new GetQueueUrlCommand({ QueueName: redrive.parkedName })
    const { QueueUrl } = await reached(this.#client.send(command))
    return { waiting, active, parked: (await reached(this.#count(QueueUrl!))).waiting }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  get #lifeS(): number {
    return Math.max(1, Math.ceil(this.#options.lifeMs / 1000))
  }

  /** A queue that parks sooner than we would must be obeyed: what it moved away, nobody is told of. */
  async #bounds(): Promise<{ maxAttempts: number; redrive: Redrive | undefined }> {
    this.#redrive ??= this.#readRedrive().catch((error: unknown) => {
      this.#redrive = undefined
      throw error
    })
    const redrive = await this.#redrive
    const { maxAttempts } = this.#options
    return { maxAttempts: Math.min(maxAttempts, redrive?.maxReceiveCount ?? maxAttempts), redrive }
  }

  async #readRedrive(): Promise<Redrive | undefined> {
    const command = new GetQueueAttributesCommand({ QueueUrl: this.#options.url, AttributeNames: ['RedrivePolicy'] })
    const { Attributes } = await this.#client.send(command)
    if (Attributes?.RedrivePolicy === undefined) return undefined
    const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(Attributes.RedrivePolicy) as Record<string, string>
    return { maxReceiveCount: Number(maxReceiveCount), parkedName: deadLetterTargetArn!.split(':').at(-1)! }
  }

  async #count(url: string): Promise<{ waiting: number; active: number }> {
    const command = new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesDelayed',
        'ApproximateNumberOfMessagesNotVisible',
      ],
    })
    const { Attributes = {} } = await this.#client.send(command)
    const of = (name: string) => Number(Attributes[name as keyof typeof Attributes] ?? 0)
    return {
      waiting: of('ApproximateNumberOfMessages') + of('ApproximateNumberOfMessagesDelayed'),
      active: of('ApproximateNumberOfMessagesNotVisible'),
    }
  }

  async #hide(receipt: string, seconds: number): Promise<void> {
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl: this.#options.url,
      ReceiptHandle: receipt,
      VisibilityTimeout: seconds,
    })
    await this.#client.send(command)
  }

  async #delete(receipt: string): Promise<void> {
    await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#options.url, ReceiptHandle: receipt }))
  }
}

/** Of `sqs.eu-west-1.amazonaws.com`; another server that speaks the same does not tell. */
function regionIn(hostname: string): string | undefined {
  return /^sqs[.-]([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(hostname)?.[1]
}

/** Shorter if it is stopped. */
async function paused(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined)
}

async function reached<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): DomainError {
  const message = 'SQS, which keeps the queue, could not be asked; try again later.'
  return new DomainError('queue-unavailable', message, { cause, retryAfterS: 5 })
}
