/**
 * The queue of one process, in memory, with a journal on disk from which it is made again:
 *
 *   <dir>/log      a line a change: `+` sent, `!` handed out, `-` done, `#` parked; then the message
 *
 * Only what is sent is synced before anyone is told: of the rest a crash of the machine, or a disk that is full, costs at most a
 * repeat. A last line without its end is one that was never told of. The log is written anew, short, when it opens, and when most of it
 * is history.
 */
import { appendFile, type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably, whyUnwritable } from '../durable.ts'
import { DomainError } from '../errors.ts'
import { Serial } from '../serial.ts'
import {
  type Consumer,
  handled,
  pauseAfter,
  type Queue,
  type QueueDepth,
  type QueueOptions,
  type Work,
} from './queue.ts'

interface Entry {
  attempts: number
  state: 'waiting' | 'active' | 'parked'
  /** On the clock of `performance.now()`: not handed out before. */
  notBefore: number
}

type Change = '+' | '!' | '-' | '#'

/** Lines from which on a log that is mostly history is written anew. */
const LONG_LOG = 10_000

export class JournalQueue implements Queue {
  readonly #dir: string
  readonly #options: QueueOptions
  readonly #entries = new Map<string, Entry>()
  readonly #writing = new Serial()
  readonly #consumers = new Set<JournalConsumer>()
  #log: FileHandle | undefined
  #lines = 0
  /** Whether a line was broken off, so that the next must not go on in it. */
  #isTorn = false

  private constructor(dir: string, options: QueueOptions) {
    this.#dir = dir
    this.#options = options
  }

  /** @param dir of this process alone */
  static async open(dir: string, options: QueueOptions): Promise<JournalQueue> {
    const queue = new JournalQueue(dir, options)
    await mkdir(dir, { recursive: true })
    const text = await readFile(queue.#path, 'utf8').catch(() => '')
    queue.#replay(text)
    if (text === '') queue.#log = await open(queue.#path, 'a')
    else await queue.#rewrite()
    return queue
  }

  get #path(): string {
    return join(this.#dir, 'log')
  }

  async send(messages: readonly string[]): Promise<void> {
    const fresh = messages.filter((message) => !this.#entries.has(message))
    for (const message of fresh) assertPlain(message)
    try {
      await this.#append(
        fresh.map((message) => ['+', message] as const),
        true,
      )
    } catch (error) {
      const why = whyUnwritable(error as NodeJS.ErrnoException)
      const text = `The queue’s journal could not be written, as ${why}. The operator has to mend it.`
      throw new DomainError('queue-unavailable', text, { cause: error, retryAfterS: 30 })
    }
    for (const message of fresh) this.#apply('+', message)
    for (const consumer of this.#consumers) consumer.wake()
  }

  consume(work: Work): Consumer {
    const consumer = new JournalConsumer(work, {
      next: () => this.#next(),
      settle: (message, outcome) => this.#settle(message, outcome),
      maxAttempts: this.#options.maxAttempts,
      onStopped: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    consumer.wake()
    return consumer
  }

  async depth(): Promise<QueueDepth> {
    const depth = { waiting: 0, active: 0, parked: 0 }
    for (const { state } of this.#entries.values()) depth[state]++
    return depth
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    await this.#writing.drained()
    await this.#log?.close()
    this.#log = undefined
  }

  /** Takes the oldest message that may be handed out, or tells in how many ms there is one. */
  async #next(): Promise<Taken | number> {
    const now = performance.now()
    let soonest = Number.POSITIVE_INFINITY
    for (const [message, entry] of this.#entries) {
      if (entry.state !== 'waiting') continue
      if (entry.notBefore > now) soonest = Math.min(soonest, entry.notBefore - now)
      else {
        this.#apply('!', message)
        await this.#note('!', message)
        return { message, attempt: entry.attempts }
      }
    }
    return soonest
  }

  async #settle(message: string, outcome: Outcome): Promise<void> {
    const entry = this.#entries.get(message)!
    if (outcome === 'again') {
      entry.notBefore = performance.now() + pauseAfter(entry.attempts, this.#options.firstPauseMs)
      entry.state = 'waiting'
      // Last in turn, so that one that fails does not keep the others waiting.
      this.#entries.delete(message)
      this.#entries.set(message, entry)
      return
    }
    const change = outcome === 'done' ? '-' : '#'
    this.#apply(change, message)
    await this.#note(change, message)
  }

  /** What is forgotten of this comes again, once more than it had to. */
  async #note(change: Change, message: string): Promise<void> {
    await this.#append([[change, message]], change === '#').catch(() => undefined)
  }

  #apply(change: Change, message: string): void {
    const entry = this.#entries.get(message)
    if (change === '-') this.#entries.delete(message)
    else if (entry === undefined) this.#entries.set(message, { attempts: 0, state: 'waiting', notBefore: 0 })
    else if (change === '#') entry.state = 'parked'
    else if (change === '!') {
      entry.attempts++
      entry.state = 'active'
    }
  }

  #replay(text: string): void {
    const lines = text.split('\n').slice(0, -1)
    for (const line of lines.filter((each) => each !== '')) this.#apply(line[0] as Change, line.slice(1))
    for (const entry of this.#entries.values()) if (entry.state === 'active') entry.state = 'waiting'
  }

  /** Changes that wait for the file are written one after another. */
  async #append(changes: readonly (readonly [Change, string])[], isSynced: boolean): Promise<void> {
    if (changes.length === 0) return
    await this.#writing.run(async () => {
      if (this.#log === undefined) return // closed: what is active comes again
      const lines = changes.map(([change, message]) => `${change}${message}\n`)
      const begin = this.#isTorn ? '\n' : ''
      this.#isTorn = true
      await appendFile(this.#log, begin + lines.join(''))
      this.#isTorn = false
      if (isSynced) await this.#log.datasync()
      this.#lines += changes.length
    })
    if (this.#lines > LONG_LOG + 8 * this.#entries.size) await this.#writing.run(() => this.#rewrite())
  }

  async #rewrite(): Promise<void> {
    const lines = [...this.#entries].flatMap(([message, { attempts, state }]) => [
      `+${message}\n`,
      ...Array.from({ length: attempts }, () => `!${message}\n`),
      ...(state === 'parked' ? [`#${message}\n`] : []),
    ])
    await replaceDurably(this.#path, lines.join(''))
    await this.#log?.close()
    this.#log = await open(this.#path, 'a')
    this.#lines = lines.length
  }
}

interface Taken {
  message: string
  attempt: number
}
type Outcome = 'done' | 'again' | 'parked'

interface Source {
  next(): Promise<Taken | number>
  settle(message: string, outcome: Outcome): Promise<void>
  maxAttempts: number
  onStopped(): void
}

class JournalConsumer implements Consumer {
  readonly #work: Work
  readonly #source: Source
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #taking = new Serial()
  #timer: NodeJS.Timeout | undefined

  constructor(work: Work, source: Source) {
    this.#work = work
    this.#source = source
  }

  /** Takes what may be taken, as far as there is room. */
  wake(): void {
    void this.#taking.run(() => this.#take()).catch(this.#work.onError)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopping.abort()
    await this.#taking.drained()
    await Promise.all(this.#running)
    this.#source.onStopped()
  }

  async #take(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#running.size < this.#work.atOnce && !this.#stopping.signal.aborted) {
      const next = await this.#source.next()
      if (typeof next === 'number') {
        if (Number.isFinite(next)) this.#timer = setTimeout(() => this.wake(), next + 1).unref()
        return
      }
      const running = this.#run(next)
        .catch(this.#work.onError)
        .finally(() => {
          this.#running.delete(running)
          this.wake()
        })
      this.#running.add(running)
    }
  }

  async #run({ message, attempt }: Taken): Promise<void> {
    const outcome = await this.#outcomeOf(message, attempt).catch((error: unknown) => {
      this.#work.onError(error)
      return 'again' as const
    })
    await this.#source.settle(message, outcome)
  }

  async #outcomeOf(message: string, attempt: number): Promise<Outcome> {
    const { maxAttempts } = this.#source
    const ended = await handled(this.#work, { message, attempt, maxAttempts }, this.#stopping.signal)
    if (ended.outcome === 'done') return 'done'
    if (ended.outcome !== 'park') return 'again'
    await this.#work.onParked(message, ended.reason)
    return 'parked'
  }
}

function assertPlain(message: string): void {
  if (/[\n\r]/.test(message) || message.length > 512) throw new RangeError(`Not a message: ${message}`)
}
