/** Keeps every file of a folder, many at a time, and lists those that could not be: node import-folder.js FOLDER */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type NewItem, OnepeaceClient } from 'onepeace-client'
import { fileAt } from 'onepeace-client/node'

const client = new OnepeaceClient({ url: process.env.ONEPEACE_URL, apiKey: process.env.ONEPEACE_API_KEY })
const folder = process.argv[2]!
const names = (await readdir(folder)).sort()

async function* items(): AsyncGenerator<NewItem> {
  for (const name of names) yield { id: name, input: await fileAt(join(folder, name)) }
}

await client.collections.create('folder')
for await (const { index, status, error } of client.items.batch('folder', items())) {
  if (error) console.log(`${names[index]}: ${status} ${error.code}`)
}
for await (const { id, modality } of client.items.list('folder')) console.log(`${id}: ${modality}`)
