/** Three searches on the samples, one a kind of question, as a first look at what the service does. */
import type { ContentPart } from '../services/content.ts'
import type { SearchHit, SearchService } from '../services/search.ts'
import { SAMPLES } from './fill.ts'
import { sampleSounds } from './sounds.ts'

export interface ExampleSearch {
  title: string
  hits: SearchHit[]
}

const LIMIT = 3

export async function exampleSearches(search: SearchService): Promise<ExampleSearch[]> {
  const words = (text: string): ContentPart => ({ kind: 'text', text, weight: 1 })
  const helicopter = [...sampleSounds()].find(({ name }) => name === 'helicopter')!
  const examples: [string, ContentPart[], 'image' | 'audio'][] = [
    ['pictures for the word "pizza"', [words('pizza')], 'image'],
    ['sounds for the words "the sound of rain"', [words('the sound of rain')], 'audio'],
    ['pictures for the sound of a helicopter', [{ kind: 'media', bytes: helicopter.render(), weight: 1 }], 'image'],
  ]
  return Promise.all(
    examples.map(async ([title, query, modality]) => ({
      title,
      hits: await search.search(SAMPLES, {
        query,
        limit: LIMIT,
        offset: 0,
        modalities: [modality],
        withEmbedding: false,
      }),
    })),
  )
}
