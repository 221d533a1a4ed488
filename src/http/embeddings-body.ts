/** Vectors in OpenAI's shape. */
import type { EncodedContent } from '../services/content.ts'
import type { Schemas } from './openapi.ts'

export function embeddingsBody(
  encoded: readonly EncodedContent[],
  model: string,
  format: string | undefined,
): Schemas['EmbeddingsResponse'] {
  const tokens = encoded.reduce((sum, each) => sum + each.tokens, 0)
  return {
    object: 'list',
    model,
    data: encoded.map((each, index) => embeddingOf(each, index, format)),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }
}

function embeddingOf(encoded: EncodedContent, index: number, format: string | undefined): Schemas['Embedding'] {
  const { vector, modality, truncated } = encoded
  const embedding = format === 'base64' ? base64Of(vector) : Array.from(vector)
  return { object: 'embedding', index, embedding, modality, truncated }
}

/** Little-endian float32, whatever the machine's own order. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4)
  return bytes.toString('base64')
}
