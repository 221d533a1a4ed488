/**
 * What a page does with the client, in a browser: bundled by browser.test.ts and run in Chromium. Gives back what it saw, as JSON.
 */
import { OnepeaceClient, ProblemError } from 'onepeace-client'

/** The rest of the tests is for Node, and knows no page. */
const { location } = globalThis as unknown as { location: { origin: string } }

async function use(): Promise<unknown> {
  const client = new OnepeaceClient({ url: location.origin })
  const picture = await (await fetch('/page/pizza.png')).blob()
  const words = await client.embed(['a pizza', 'a guitar'])
  const seen = await client.embed(picture)
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

  await client.collections.create('page')
  const added = await client.items.add('page', picture, { id: 'pizza', metadata: { from: 'a page' } })
  const sound = await (await fetch('/page/rain.wav')).blob()
  const results: { id: string | undefined; status: number }[] = []
  const items = [
    { id: 'rain', input: sound.stream() },
    { id: 'none', input: { type: 'text' as const, text: '' } },
  ]
  for await (const { item, status } of client.items.batch('page', items)) results.push({ id: item?.id, status })
  const { hits } = await client.search('page', picture, { limit: 1 })
  const listed: string[] = []
  for await (const { id } of client.items.list('page', { pageSize: 1 })) listed.push(id)
  const original = await client.items.media('page', 'pizza')

  const problem = await client.items.get('page', 'nothing').catch((error: unknown) => error)
  const stop = new AbortController()
  const waiting = client.embed('late', {}, { signal: stop.signal }).catch((error: unknown) => error)
  stop.abort(new Error('the reader has gone'))
  const aborted = await waiting
  return {
    dims: words.data.map(({ embedding }) => embedding.length),
    nearer:
      dot(words.data[0]!.embedding, seen.data[0]!.embedding) > dot(words.data[1]!.embedding, seen.data[0]!.embedding),
    added: [added.id, added.modality, added.bytes === picture.size],
    results,
    hit: hits[0]?.id,
    listed,
    original: original.size === picture.size,
    problem: problem instanceof ProblemError && [problem.status, problem.code],
    aborted: aborted instanceof Error && aborted.message,
    type: await (await client.items.thumbnail('page', 'pizza')).slice(0, 4).text(),
  }
}

Object.assign(globalThis, { used: use() })
