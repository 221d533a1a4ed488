/**
 * Fills the `samples` collection: about 150 pictures and 64 sounds. Runs again after an interruption without repeating
 * what is there. Goes through the services, like a user's items.
 */
import { DomainError } from '../errors.ts'
import type { CollectionService } from '../services/collections.ts'
import type { ItemService } from '../services/index-items.ts'
import { type Emoji, readEmoji, twemojiFile, twemojiPicture } from './artwork.ts'
import { sampleSounds } from './sounds.ts'

export const SAMPLES = 'samples'

const PICTURES = 150
const PICTURE_PX = 160
/** Animals and nature, food, travel and places, activities, objects: things one can name. */
const GROUPS = [3, 4, 5, 6, 7]
/** Things with a word of their own are what people ask for first. */
const ONE_WORD = /^[a-z]+$/
const GROUNDS = ['#ffffff', '#fdf3d8', '#dcefff', '#e6f5e1', '#f6e3ee', '#e9e6f7']
/** Items encoded at once, so that batches fill. */
const AT_ONCE = 8

interface Sample {
  id: string
  metadata: Record<string, string>
  bytes: () => Promise<Uint8Array>
}

export interface SampleServices {
  collections: CollectionService
  items: ItemService
}

/** @returns how many items were added; 0 if all were there. Rejects with the reason of `signal` if that is aborted. */
export async function fillSamples(
  services: SampleServices,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<number> {
  await createCollection(services.collections)
  const known = await knownIds(services.items)
  const samples = [...(await pictures()), ...sounds()]
  const missing = samples.filter(({ id }) => !known.has(id))
  const queue = missing.values()
  let done = samples.length - missing.length
  const worker = async () => {
    for (const sample of queue) {
      await add(services.items, sample, signal)
      onProgress(++done, samples.length)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return missing.length
}

async function createCollection(collections: CollectionService): Promise<void> {
  try {
    await collections.create(SAMPLES, {
      about: 'Pictures by Twemoji (CC BY 4.0) and synthetic sounds to try searches on',
    })
  } catch (error) {
    if (!(error instanceof DomainError && error.code === 'conflict')) throw error
  }
}

async function knownIds(items: ItemService): Promise<Set<string>> {
  const { items: page } = await items.list(SAMPLES, { limit: 1000 })
  return new Set(page.map(({ id }) => id))
}

async function add(items: ItemService, { id, metadata, bytes }: Sample, signal: AbortSignal): Promise<void> {
  const content = [{ kind: 'media' as const, bytes: await bytes(), weight: 1 }]
  await items.put(SAMPLES, id, { content, metadata }, signal)
}

async function pictures(): Promise<Sample[]> {
  const drawn = (await readEmoji()).filter(({ hexcode }) => twemojiFile(hexcode))
  const nameable = drawn.filter(
    ({ name, group }) => ONE_WORD.test(name) && group !== undefined && GROUPS.includes(group),
  )
  const chosen = Array.from({ length: PICTURES }, (_, i) => nameable[Math.floor((i * nameable.length) / PICTURES)]!)
  return chosen.map((emoji, index) => picture(emoji, GROUNDS[index % GROUNDS.length]!))
}

function picture({ hexcode, name }: Emoji, background: string): Sample {
  return {
    id: `picture-${name.replaceAll(/[^a-z0-9]+/g, '-')}`,
    metadata: { name, hexcode, credit: 'Twemoji, CC BY 4.0' },
    bytes: async () => {
      const png = await twemojiPicture(hexcode, PICTURE_PX, background)
      if (!png) throw new Error(`The package @twemoji/svg has no drawing ${hexcode} (${name}): reinstall it.`)
      return png
    },
  }
}

function sounds(): Sample[] {
  return [...sampleSounds()].map(({ id, name, render }) => ({
    id: `sound-${id}`,
    metadata: { name },
    bytes: async () => render(),
  }))
}
