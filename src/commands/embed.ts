/** `onepeace embed`: embeddings of texts and files as JSON lines `{input, modality, embedding}` on standard output. */
import { readFile, stat } from 'node:fs/promises'
import { ConfigError, loadConfig } from '../config.ts'
import type { ContentPart } from '../services/content.ts'
import { openModel } from './compose.ts'
import { LOOKS_LIKE_A_FILE } from './contents.ts'

export interface EmbedFlags {
  model?: string
  /** Texts that are texts whatever files there are. */
  text?: string[]
}

/**
 * An argument that names a file is read; any other is a text.
 * @throws ConfigError if there is nothing to embed or a file is missing
 */
export async function embed(inputs: readonly string[], flags: EmbedFlags): Promise<void> {
  const texts = flags.text ?? []
  if (inputs.length + texts.length === 0) throw new ConfigError('Give at least one text or file to embed.')
  const parts: [string, ContentPart][] = []
  for (const input of inputs) parts.push([input, await partOf(input)])
  for (const text of texts) parts.push([text, { kind: 'text', text, weight: 1 }])
  const config = loadConfig({ model: flags.model })
  const model = await openModel(config)
  try {
    for (const [input, part] of parts) {
      const { vector, modality } = await model.content.encode([part])
      process.stdout.write(`${JSON.stringify({ input, modality, embedding: [...vector] })}\n`)
    }
  } finally {
    await model.close()
  }
}

async function partOf(input: string): Promise<ContentPart> {
  const found = await stat(input).catch(() => undefined)
  if (found?.isFile()) return { kind: 'media', bytes: await readFile(input), weight: 1 }
  if (found === undefined && LOOKS_LIKE_A_FILE.test(input)) {
    throw new ConfigError(`There is no file ${input}. If it is meant as a text, say --text '${input}'.`)
  }
  return { kind: 'text', text: input, weight: 1 }
}
