/** The first run: fills the samples with a progress bar, then shows three searches and where to go on. */
import { SingleBar } from 'cli-progress'
import { DEFAULT_TENANT } from '../auth/keys.ts'
import { exampleSearches } from '../samples/example-searches.ts'
import { fillSamples, SAMPLES } from '../samples/fill.ts'
import type { SearchHit } from '../services/search.ts'
import type { Services } from './compose.ts'

/** Stops early when `signal` is aborted; the next start adds what is missing. */
export async function showSamples(services: Services, url: string, signal: AbortSignal): Promise<void> {
  const bar = new SingleBar({ format: 'Sample pictures and sounds {bar} {value}/{total}' })
  let started = false
  const onProgress = (done: number, total: number) => {
    if (!started) bar.start(total, done)
    started = true
    bar.update(done)
  }
  const own = services.forTenant(DEFAULT_TENANT)
  const added = await fillSamples(own, onProgress, signal).finally(() => bar.stop())
  if (added === 0) return
  for (const { title, hits } of await exampleSearches(own.search)) {
    console.log(`\n${title[0]!.toUpperCase()}${title.slice(1)}:`)
    for (const hit of hits) console.log(`  ${hit.score.toFixed(3)}  ${nameOf(hit)}`)
  }
  console.log(`
Try it yourself:
  curl ${url}/v1/collections/${SAMPLES}/search -H 'content-type: application/json' -d '{"query": "pizza", "limit": 3}'
  curl ${url}/v1/collections/${SAMPLES}/search -F file=@your-picture.jpg
Or in a browser: ${url} (the API's reference is at ${url}/docs). The guide is README.md.`)
}

const nameOf = ({ id, metadata }: SearchHit): string => (typeof metadata.name === 'string' ? metadata.name : id)
