/** How an encoder service fares, by kind of work. */
import { DomainError } from '../../errors.ts'
import type { Encoder, Kind } from '../encoder.ts'

/** `failing`: the latest work of this kind could not be done for a reason that is the encoder's own. */
export interface KindHealth {
  state: 'ready' | 'failing'
  /** Samples being worked on or waiting. */
  inWork: number
  done: number
  failed: number
}

export interface Health {
  protocol: 1
  model: { name: string; sha256: string }
  state: 'starting' | 'ready' | 'failing' | 'stopping'
  /** Why it is failing. */
  reason?: string
  kinds: Partial<Record<Kind, KindHealth>>
}

/** How long the question waits for sessions that are still opening, in ms. */
const PATIENCE_MS = 50

export class KindsHealth {
  readonly #kinds: Partial<Record<Kind, KindHealth>> = {}

  constructor(private readonly encoder: Encoder) {
    const kinds: Kind[] = [...encoder.modalities, ...(encoder.heads.length > 0 ? ['head' as const] : [])]
    for (const kind of kinds) this.#kinds[kind] = { state: 'ready', inWork: 0, done: 0, failed: 0 }
  }

  /** Counts one sample's work. An error that is the sample's own says nothing of the encoder. */
  async watch<T>(kind: Kind, work: Promise<T>): Promise<T> {
    const health = this.#kinds[kind]
    if (!health) return work // which will be refused
    health.inWork++
    try {
      const result = await work
      health.state = 'ready'
      health.done++
      return result
    } catch (error) {
      health.failed++
      if (error instanceof DomainError && error.code === 'encoder-unavailable') health.state = 'failing'
      throw error
    } finally {
      health.inWork--
    }
  }

  /** Asks the encoder again, so that one that failed to open tries once more. */
  async now(): Promise<Pick<Health, 'state' | 'reason' | 'kinds'>> {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<'starting'>((resolve) => {
      timer = setTimeout(() => resolve('starting'), PATIENCE_MS)
    })
    const opened = this.encoder.ready().then(() => 'ready' as const)
    try {
      return { state: await Promise.race([opened, patience]), kinds: this.#kinds }
    } catch (error) {
      return { state: 'failing', reason: (error as Error).message, kinds: this.#kinds }
    } finally {
      clearTimeout(timer)
    }
  }
}
