/** `/v1/embeddings`, in OpenAI's shape. */
import type { Content } from '../../services/content.ts'
import { type Body, contentsNamed, readBody } from '../body.ts'
import { type Caller, contentOf, contentsOf } from '../content-body.ts'
import { embeddingsBody } from '../embeddings-body.ts'
import { raced } from '../plugins/deadline.ts'
import { respondAsync, wantsJob } from '../respond-async.ts'
import type { RouteContext } from '../route.ts'

export function embeddingRoutes({ add, contract, deps }: RouteContext): void {
  add('createEmbeddings', async (request, reply) => {
    const body = await readBody(request, contract, 'EmbeddingsRequest', 'EmbeddingsForm')
    const { model, dimensions, encoding_format: encodingFormat } = body.kind === 'json' ? body.json : body.form
    const contents = inputsOf(body, request.caller)
    request.admitAs(contents)
    if (wantsJob(request)) return respondAsync(request, reply, deps, { contents, model, dimensions, encodingFormat })
    const embedded = deps.embed.embed(contents, { model, dimensions }, request.deadline)
    return embeddingsBody(await raced(request.deadline, embedded), deps.models.info.name, encodingFormat)
  })
}

function inputsOf(body: Body<'EmbeddingsRequest', 'EmbeddingsForm'>, caller: Caller): Content[] {
  if (body.kind === 'form') return contentsNamed(body.parts, ['file', 'text'])
  const { input } = body.json
  return Array.isArray(input) ? contentsOf(input, '/input', caller) : [contentOf(input, '/input', caller)]
}
