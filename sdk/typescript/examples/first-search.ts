/** Keeps files and words in a collection and searches them: node first-search.js FILE… */
import { OnepeaceClient } from 'onepeace-client'
import { fileAt } from 'onepeace-client/node'

const client = new OnepeaceClient({ url: process.env.ONEPEACE_URL, apiKey: process.env.ONEPEACE_API_KEY })
const files = process.argv.slice(2)

await client.collections.create('first')
for (const path of files) await client.items.add('first', await fileAt(path), { metadata: { path } })
await client.items.add('first', 'a note on helicopters', { id: 'note' })

// Pictures by words; anything by a sound; pictures by a mixture of a sound and words.
const pictures = await client.search('first', 'pizza', { modalities: ['image'], limit: 1 })
console.log('pizza:', pictures.hits[0]?.metadata?.path)

const sound = await fileAt(files.find((path) => path.endsWith('.wav'))!)
const heard = await client.search('first', sound, { limit: 2 })
console.log('sounds like it:', heard.hits.map(({ modality }) => modality).join(', '))

const mixed = await client.search('first', {
  content: [
    { type: 'file', file: sound, weight: 0.3 },
    { type: 'text', text: 'a dog' },
  ],
})
console.log('mixture:', mixed.hits[0]?.score.toFixed(2))
