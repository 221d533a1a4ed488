/**
 * Vectors of a model for items that were stored with another's: from their originals, some at a time.
 *
 *   missing items ─► originals ─► encode ─► fill, round after round until a round finds none ─► complete
 */
import type { BlobStore } from '../blobs/blob-store.ts'
import { chunksOf } from '../chunks.ts'
import { DomainError, type ErrorCode } from '../errors.ts'
import type { FilledItem, ItemToFill, Reembedding, Refusal } from '../vectors/maintenance.ts'
import type { ContentEncoder, LocalPart } from './content.ts'

export interface ReembedDeps {
  content: Pick<ContentEncoder, 'encodePart'>
  blobs: Pick<BlobStore, 'bytes'>
}

export interface ReembedOptions {
  /** Stops between items; what is filled stays filled. */
  signal?: AbortSignal | undefined
  /** Called with how many more items have been done. */
  onDone?: (items: number) => void
}

/** Items encoded at once: enough to fill the encoder's batches. */
const ITEMS_AT_ONCE = 32
/** What is wrong with the item, and will be the next time. Anything else stops the work. */
const ITEMS_FAULT: readonly ErrorCode[] = [
  'not-found',
  'undecodable-media',
  'unsupported-media-type',
  'media-too-large',
  'input-too-long',
  'unprocessable-content',
  'unsupported-by-model',
]

/**
 * Fills until no item lacks the vectors.
 * @returns items that cannot have them, and still are as they were
 * @throws DomainError of the store or the encoder, `signal.reason`
 */
export async function fillAll(
  reembedding: Reembedding,
  deps: ReembedDeps,
  { signal, onDone }: ReembedOptions = {},
): Promise<Refusal[]> {
  const refused = new Map<string, { refusal: Refusal; revision: string }>()
  for (;;) {
    const still: Refusal[] = []
    let tried = 0
    for await (const some of chunksOf(reembedding.missing(), ITEMS_AT_ONCE)) {
      const isKnown = ({ item, revision }: ItemToFill) => refused.get(item.id)?.revision === revision
      still.push(...some.filter(isKnown).map(({ item }) => refused.get(item.id)!.refusal))
      const fresh = some.filter((each) => !isKnown(each))
      tried += fresh.length
      signal?.throwIfAborted()
      for (const refusal of await fillSome(reembedding, fresh, deps, signal)) {
        const { revision } = fresh.find(({ item }) => item.id === refusal.id)!
        refused.set(refusal.id, { refusal, revision })
      }
      onDone?.(fresh.length)
    }
    if (tried === 0) return still
  }
}

/** As `fillAll`, and then makes the vectors those that are searched, unless an item cannot have one. */
export async function reembed(
  reembedding: Reembedding,
  deps: ReembedDeps,
  options: ReembedOptions = {},
): Promise<Refusal[]> {
  for (;;) {
    const refusals = await fillAll(reembedding, deps, options)
    // Items written since the last round make another one necessary.
    if (refusals.length > 0 || (await reembedding.complete())) return refusals
  }
}

async function fillSome(
  reembedding: Reembedding,
  items: readonly ItemToFill[],
  deps: ReembedDeps,
  signal: AbortSignal | undefined,
): Promise<Refusal[]> {
  const results = await Promise.allSettled(items.map((each) => encoded(each, deps, signal)))
  const filled: FilledItem[] = []
  const refusals: Refusal[] = []
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') filled.push(result.value)
    else if (isItemsFault(result.reason)) refusals.push({ id: items[i]!.item.id, why: result.reason.message })
    else throw result.reason
  }
  return [...refusals, ...(await reembedding.fill(filled))]
}

async function encoded(each: ItemToFill, deps: ReembedDeps, signal: AbortSignal | undefined): Promise<FilledItem> {
  const { points } = await deps.content.encodePart(await originalOf(each, deps), signal)
  return { ...each, points }
}

async function originalOf({ item: { sha256, modality } }: ItemToFill, { blobs }: ReembedDeps): Promise<LocalPart> {
  const bytes = await blobs.bytes(sha256)
  if (bytes === undefined) throw new DomainError('not-found', 'Its original is no longer there.')
  if (modality === 'text') return { kind: 'text', text: bytes.toString(), weight: 1 }
  return { kind: 'media', bytes, expected: modality, weight: 1 }
}

function isItemsFault(reason: unknown): reason is DomainError {
  return reason instanceof DomainError && ITEMS_FAULT.includes(reason.code)
}
