/** `/v1/embeddings`, in OpenAI's shape. */
import type { Content, EncodedContent } from '../../services/content.ts'
import { type Body, contentsNamed, readBody } from '../body.ts'
import { type Caller, contentOf, contentsOf } from '../content-body.ts'
import type { Schemas } from '../openapi.ts'
import { raced } from '../plugins/deadline.ts'
import type { RouteContext } from '../route.ts'

export function embeddingRoutes({ add, contract, deps }: RouteContext): void {
  add('createEmbeddings', async (request): Promise<Schemas['EmbeddingsResponse']> => {
    const body = await readBody(request, contract, 'EmbeddingsRequest', 'EmbeddingsForm')
    const options = body.kind === 'json' ? body.json : body.form
    const encoded = await raced(
      request.deadline,
      deps.embed.embed(inputsOf(body, request.caller), options, request.deadline),
    )
    const tokens = encoded.reduce((sum, each) => sum + each.tokens, 0)
    return {
      object: 'list',
      model: deps.models.info.name,
      data: encoded.map((each, index) => embeddingOf(each, index, options.encoding_format)),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    }
  })
}

function inputsOf(body: Body<'EmbeddingsRequest', 'EmbeddingsForm'>, caller: Caller): Content[] {
  if (body.kind === 'form') return contentsNamed(body.parts, ['file', 'text'])
  const { input } = body.json
  return Array.isArray(input) ? contentsOf(input, '/input', caller) : [contentOf(input, '/input', caller)]
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
