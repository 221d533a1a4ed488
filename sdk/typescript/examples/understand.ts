/** What the model says of a sound, and what a problem looks like: node understand.js SOUND PICTURE */
import { OnepeaceClient, ProblemError } from 'onepeace-client'
import { fileAt } from 'onepeace-client/node'

const client = new OnepeaceClient({ url: process.env.ONEPEACE_URL, apiKey: process.env.ONEPEACE_API_KEY })
const [sound, picture] = await Promise.all(process.argv.slice(2, 4).map((path) => fileAt(path)))

const { results } = await client.classify(sound!, { labels: ['rain', 'a dog', 'a bell'], template: 'the sound of {}' })
console.log('heard:', results[0]?.label)

const { scores } = await client.similarity([picture!], ['pizza', 'rain'])
console.log('pizza more than rain:', scores[0]![0]! > scores[0]![1]!)

try {
  const { results } = await client.ground(picture!, ['a slice'], {}, { timeoutMs: 30_000 })
  console.log('box:', results[0]?.box)
} catch (error) {
  if (!(error instanceof ProblemError) || error.code !== 'unsupported-by-model') throw error
  console.log('no boxes:', error.code) // the default model has no grounding head
}
