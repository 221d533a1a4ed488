/** `onepeace search`: what a collection holds that is nearest to words, files, or an item. */

import type { OnepeaceClient, SearchOptions } from 'onepeace-client'
import { ConfigError } from '../config.ts'
import { MODALITIES } from '../modality.ts'
import { didYouMean } from '../terminal/closest.ts'
import { printJson } from '../terminal/print.ts'
import { asTable } from '../terminal/table.ts'
import { namingCollections } from './collections.ts'
import { contentOf } from './contents.ts'
import { countOf, filterOf, listOf } from './options.ts'
import { type ServiceFlags, withService } from './with-service.ts'

export interface SearchFlags extends ServiceFlags {
  collection: string
  image?: string[] | undefined
  audio?: string[] | undefined
  /** Id of a stored item. */
  like?: string | undefined
  limit: string
  /** Separated by commas. */
  modality?: string | undefined
  /** JSON. */
  filter?: string | undefined
  json?: boolean | undefined
}

type Response = Awaited<ReturnType<OnepeaceClient['search']>>
type Hit = Response['hits'][number]

/** @throws ConfigError, ServiceError */
export async function search(words: readonly string[], flags: SearchFlags): Promise<void> {
  const files = [...(flags.image ?? []), ...(flags.audio ?? [])]
  const text = words.join(' ')
  if (flags.like !== undefined && (text !== '' || files.length > 0)) {
    throw new ConfigError('--like searches with a stored item alone: leave out words and files.')
  }
  const query = flags.like === undefined ? await contentOf(text, files) : { item_id: flags.like }
  const options = optionsOf(flags)
  await withService(flags, async (client) => {
    const { collection } = flags
    tell(await namingCollections(client, collection, () => client.search(collection, query, options)), flags)
  })
}

function optionsOf({ limit, modality, filter }: SearchFlags): SearchOptions {
  const modalities =
    modality === undefined
      ? undefined
      : listOf(modality).map((name) => {
          const known = MODALITIES.find((each) => each === name)
          if (known) return known
          throw new ConfigError(
            `There is no modality '${name}'; choose among ${MODALITIES.join(', ')}.${didYouMean(name, MODALITIES)}`,
          )
        })
  return {
    limit: countOf('--limit', limit, 1000),
    ...(modalities && { modalities }),
    ...(filter !== undefined && { filter: filterOf(filter) }),
  }
}

function tell(response: Response, { json }: SearchFlags): void {
  if (json) return void printJson(response)
  if (response.hits.length === 0) console.error('Nothing was found.')
  else console.log(asTable(['score', 'kind', 'id', 'at', 'name'], response.hits.map(rowOf)))
}

function rowOf({ score, modality, id, segment, metadata }: Hit): string[] {
  const name = metadata?.name
  const at = segment ? `${seconds(segment.start_ms)}–${seconds(segment.end_ms)} s` : ''
  return [score.toFixed(3), modality, id, at, typeof name === 'string' && !id.endsWith(name) ? name : '']
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)
