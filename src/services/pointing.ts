/** Search that points: the box of a phrase in each picture that was found. */
import { buffer } from 'node:stream/consumers'
import { DomainError } from '../errors.ts'
import type { Modality } from '../modality.ts'
import type { Box, HeadService } from './heads.ts'
import type { ItemService } from './index-items.ts'

export interface GroundedHit {
  phrase: string
  /** In pixels of the picture as shown. */
  box: Box
  /** Cosine of the phrase and what is in the box, where the model embeds both. */
  score?: number
}

interface PointedHit {
  id: string
  modality: Modality
  grounding?: GroundedHit
}

/** Each picture is decoded again and runs through a head: a page of them, not a thousand. */
const MAX_POINTED = 100

export class PointingService {
  readonly #heads: HeadService
  readonly #items: ItemService

  constructor(heads: HeadService, items: ItemService) {
    this.#heads = heads
    this.#items = items
  }

  /** Asked before the search, so that nothing is searched in vain. @throws DomainError `unsupported-by-model`, `payload-too-large` */
  assertPoints(limit: number): void {
    this.#heads.assertGrounds()
    if (limit <= MAX_POINTED) return
    throw new DomainError(
      'payload-too-large',
      `With \`ground\` a page has at most ${MAX_POINTED} hits; lower \`limit\`.`,
    )
  }

  /** Gives each picture its box; one that was deleted since it was found goes without. @throws DomainError as `HeadService.ground` */
  async pointOut(collection: string, hits: PointedHit[], phrase: string, signal?: AbortSignal): Promise<void> {
    for (const hit of hits.filter(({ modality }) => modality === 'image')) {
      const bytes = await this.#original(collection, hit.id)
      if (bytes === undefined) continue
      const { boxes } = await this.#heads.ground(bytes, [phrase], { scored: true }, signal)
      const { pixels, score } = boxes[0]!
      hit.grounding = { phrase, box: pixels, ...(score !== undefined && { score }) }
    }
  }

  async #original(collection: string, id: string): Promise<Uint8Array | undefined> {
    try {
      const { read } = await this.#items.media(collection, id)
      return await buffer(await read())
    } catch (error) {
      if (error instanceof DomainError && error.code === 'not-found') return undefined
      throw error
    }
  }
}
